// SPDX-License-Identifier: Apache-2.0
// The table of batches in flight: a stub may name a request only by the index and generation that it was given.
#include "batch.h"

#include "check.h"

static TRITONBACKEND_Request* fake(uintptr_t number) { return (TRITONBACKEND_Request*)(number * 64); }

static struct tsb_batch_table table;

// Takes the request that such an owner names; NULL when it names none.
static TRITONBACKEND_Request* answer(uint32_t index, uint32_t generation, uint32_t item) {
  struct tsb_owner owner = {TSB_TABLE_BATCHES, index, generation, item};
  struct tsb_owner elsewhere = {TSB_TABLE_BATCHES + 1, index, generation, item};
  CHECK(tsb_batch_answer(&table, &elsewhere) == NULL);
  struct tsb_batch_slot* slot = tsb_batch_answer(&table, &owner);
  if (slot == NULL) return NULL;
  CHECK_INT(slot->requests[item].state, TSB_REQUEST_ANSWERED);
  return slot->requests[item].triton;
}

static void test_claim_and_close(void) {
  TRITONBACKEND_Request* requests[] = {fake(1), fake(2), fake(3)};
  CHECK_INT(tsb_batch_table_init(&table, 2), 0);
  struct tsb_batch_slot* first = tsb_batch_claim(&table, requests, 3);
  struct tsb_batch_slot* second = tsb_batch_claim(&table, requests, 1);
  CHECK(first != NULL && second != NULL && first != second);
  CHECK(tsb_batch_claim(&table, requests, 1) == NULL);
  CHECK_INT(table.open_count, 2);
  CHECK_INT(table.executing_count, 2);
  CHECK_INT(table.claims, 2);
  CHECK_INT(first->open_count, 3);
  uint32_t generation = first->generation;
  tsb_batch_close(&table, first);
  CHECK_INT(table.open_count, 1);
  CHECK_INT(table.executing_count, 1);
  struct tsb_batch_slot* again = tsb_batch_claim(&table, requests + 2, 1);
  CHECK(again == first);
  CHECK_INT(again->generation, generation + 1);
  CHECK_INT(again->block_bytes, 0);
  CHECK_INT(table.claims, 3);
  tsb_batch_table_free(&table);
}

// What the model has settled does not count as executing, and may be open still.
static void test_executing_apart_from_open(void) {
  TRITONBACKEND_Request* requests[] = {fake(1)};
  CHECK_INT(tsb_batch_table_init(&table, 2), 0);
  struct tsb_batch_slot* slot = tsb_batch_claim(&table, requests, 1);
  tsb_batch_run(slot);
  tsb_batch_settle(&table, slot);
  tsb_batch_settle(&table, slot);
  CHECK_INT(table.executing_count, 0);
  CHECK_INT(table.open_count, 1);
  CHECK(answer(0, slot->generation, 0) == fake(1));
  tsb_batch_close(&table, slot);
  CHECK_INT(table.executing_count, 0);
  CHECK_INT(table.open_count, 0);
  tsb_batch_table_free(&table);
}

static void test_the_states_of_a_request(void) {
  TRITONBACKEND_Request* requests[] = {fake(1), fake(2)};
  CHECK_INT(tsb_batch_table_init(&table, 2), 0);
  struct tsb_batch_slot* slot = tsb_batch_claim(&table, requests, 2);
  CHECK_INT(slot->requests[0].state, TSB_REQUEST_FILLED);
  CHECK(answer(0, slot->generation, 0) == NULL);  // the stub was not told of it
  tsb_batch_run(slot);
  CHECK_INT(slot->requests[0].state, TSB_REQUEST_RUNNING);
  CHECK(answer(0, slot->generation, 0) == fake(1));
  CHECK(answer(0, slot->generation, 0) == NULL);  // answered already
  CHECK(!tsb_batch_note_release(slot, 0));
  CHECK_INT(slot->requests[0].state, TSB_REQUEST_RELEASED);
  CHECK(answer(0, slot->generation, 0) == NULL);
  CHECK(answer(0, slot->generation, 1) == fake(2));
  CHECK(tsb_batch_note_release(slot, 1));
  tsb_batch_close(&table, slot);
  slot = tsb_batch_claim(&table, requests, 2);
  CHECK(answer(0, slot->generation, 0) == NULL);
  tsb_batch_table_free(&table);
}

static void test_names_that_are_refused(void) {
  TRITONBACKEND_Request* requests[] = {fake(1), fake(2)};
  CHECK_INT(tsb_batch_table_init(&table, 2), 0);
  struct tsb_batch_slot* slot = tsb_batch_claim(&table, requests, 2);
  tsb_batch_run(slot);
  uint32_t generation = slot->generation;
  CHECK(answer(0, generation, 2) == NULL);
  CHECK(answer(0, generation, UINT32_MAX) == NULL);
  CHECK(answer(0, generation - 1, 1) == NULL);
  CHECK(answer(0, generation + 1, 1) == NULL);
  CHECK(answer(1, generation, 1) == NULL);
  CHECK(answer(2, generation, 1) == NULL);
  CHECK(answer(UINT32_MAX, generation, 1) == NULL);
  CHECK(answer(0, generation, 1) == fake(2));
  tsb_batch_close(&table, slot);
  CHECK(answer(0, generation, 0) == NULL);
  tsb_batch_table_free(&table);
}

// The owner that goes to the stub is the one that comes back.
static void test_an_owner_names_its_batch(void) {
  TRITONBACKEND_Request* requests[] = {fake(1)};
  CHECK_INT(tsb_batch_table_init(&table, 3), 0);
  tsb_batch_claim(&table, requests, 1);
  struct tsb_batch_slot* slot = tsb_batch_claim(&table, requests, 1);
  tsb_batch_run(slot);
  struct tsb_owner owner = tsb_batch_owner(&table, slot);
  CHECK_INT(owner.table, TSB_TABLE_BATCHES);
  CHECK_INT(owner.index, 1);
  CHECK_INT(owner.item, 0);
  CHECK(tsb_batch_answer(&table, &owner) == slot);
  tsb_batch_table_free(&table);
}

int main(void) {
  test_claim_and_close();
  test_executing_apart_from_open();
  test_the_states_of_a_request();
  test_names_that_are_refused();
  test_an_owner_names_its_batch();
  return 0;
}
