// SPDX-License-Identifier: Apache-2.0
// The table of batches in flight: a stub may name a request only by the index and generation that it was given.
#include "batch.h"

#include "check.h"

static TRITONBACKEND_Request* fake(uintptr_t number) { return (TRITONBACKEND_Request*)(number * 64); }

static struct tsb_batch_table table;

static TRITONBACKEND_Request* request_of(uint32_t index, uint32_t generation, uint32_t item) {
  struct tsb_owner owner = {TSB_TABLE_BATCHES, index, generation, item};
  struct tsb_owner elsewhere = {TSB_TABLE_BATCHES + 1, index, generation, item};
  CHECK(tsb_batch_request(&table, &elsewhere) == NULL);
  return tsb_batch_request(&table, &owner);
}

static void test_claim_and_release(void) {
  TRITONBACKEND_Request* requests[] = {fake(1), fake(2), fake(3)};
  CHECK_INT(tsb_batch_table_init(&table, 2), 0);
  struct tsb_batch_slot* first = tsb_batch_claim(&table, requests, 3);
  struct tsb_batch_slot* second = tsb_batch_claim(&table, requests, 1);
  CHECK(first != NULL && second != NULL && first != second);
  CHECK(tsb_batch_claim(&table, requests, 1) == NULL);
  CHECK_INT(table.in_flight, 2);
  CHECK_INT(first->unanswered, 3);
  uint32_t generation = first->generation;
  tsb_batch_release(&table, first);
  CHECK_INT(table.in_flight, 1);
  struct tsb_batch_slot* again = tsb_batch_claim(&table, requests + 2, 1);
  CHECK(again == first);
  CHECK_INT(again->generation, generation + 1);
  CHECK_INT(again->block_bytes, 0);
  tsb_batch_table_free(&table);
}

static void test_only_a_batch_that_was_sent_can_be_answered(void) {
  TRITONBACKEND_Request* requests[] = {fake(1), fake(2)};
  CHECK_INT(tsb_batch_table_init(&table, 2), 0);
  struct tsb_batch_slot* slot = tsb_batch_claim(&table, requests, 2);
  uint32_t generation = slot->generation;
  CHECK(request_of(0, generation, 0) == NULL);
  slot->sent = true;
  CHECK(request_of(0, generation, 0) == fake(1));
  tsb_batch_release(&table, slot);
  slot = tsb_batch_claim(&table, requests, 2);
  CHECK(request_of(0, slot->generation, 0) == NULL);
  tsb_batch_table_free(&table);
}

static void test_names_that_are_refused(void) {
  TRITONBACKEND_Request* requests[] = {fake(1), fake(2)};
  CHECK_INT(tsb_batch_table_init(&table, 2), 0);
  struct tsb_batch_slot* slot = tsb_batch_claim(&table, requests, 2);
  slot->sent = true;
  uint32_t generation = slot->generation;
  CHECK(request_of(0, generation, 1) == fake(2));
  CHECK(request_of(0, generation, 2) == NULL);
  CHECK(request_of(0, generation, UINT32_MAX) == NULL);
  CHECK(request_of(0, generation - 1, 1) == NULL);
  CHECK(request_of(0, generation + 1, 1) == NULL);
  CHECK(request_of(1, generation, 1) == NULL);
  CHECK(request_of(2, generation, 1) == NULL);
  CHECK(request_of(UINT32_MAX, generation, 1) == NULL);
  slot->requests[1] = NULL;
  CHECK(request_of(0, generation, 1) == NULL);  // answered already
  tsb_batch_release(&table, slot);
  CHECK(request_of(0, generation, 0) == NULL);
  tsb_batch_table_free(&table);
}

int main(void) {
  test_claim_and_release();
  test_only_a_batch_that_was_sent_can_be_answered();
  test_names_that_are_refused();
  return 0;
}
