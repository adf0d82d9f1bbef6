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
  CHECK(tsb_batch_answer(&table, &elsewhere, true) == NULL);
  struct tsb_batch_slot* slot = tsb_batch_answer(&table, &owner, true);
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

static struct tsb_batch_slot* executing(uint32_t index, uint32_t generation, uint32_t item) {
  return tsb_batch_executing(&table, &(struct tsb_owner){TSB_TABLE_BATCHES, index, generation, item});
}

// Only a batch that the stub knows and that the model has not settled may be settled by it.
static void test_which_batch_is_executing(void) {
  TRITONBACKEND_Request* requests[] = {fake(1), fake(2)};
  CHECK_INT(tsb_batch_table_init(&table, 2), 0);
  struct tsb_batch_slot* slot = tsb_batch_claim(&table, requests, 2);
  uint32_t generation = slot->generation;
  CHECK(executing(0, generation, 0) == NULL);  // the stub was not told of it
  tsb_batch_run(slot);
  CHECK(executing(0, generation, 0) == slot);
  CHECK(executing(0, generation, 1) == NULL);  // a batch, not one of its requests
  CHECK(executing(0, generation - 1, 0) == NULL);
  CHECK(executing(1, generation, 0) == NULL);  // never used
  CHECK(answer(0, generation, 0) == fake(1));
  CHECK(executing(0, generation, 0) == slot);
  tsb_batch_settle(&table, slot);
  CHECK(executing(0, generation, 0) == NULL);
  tsb_batch_close(&table, slot);
  CHECK(executing(0, generation, 0) == NULL);
  tsb_batch_table_free(&table);
}

// A response that does not end its request leaves it as it is.
static void test_a_request_that_is_answered_twice(void) {
  TRITONBACKEND_Request* requests[] = {fake(1)};
  CHECK_INT(tsb_batch_table_init(&table, 1), 0);
  struct tsb_batch_slot* slot = tsb_batch_claim(&table, requests, 1);
  struct tsb_owner owner = tsb_batch_owner(&table, slot);
  CHECK(tsb_batch_answer(&table, &owner, false) == NULL);
  tsb_batch_run(slot);
  CHECK(tsb_batch_answer(&table, &owner, false) == slot);
  CHECK(tsb_batch_answer(&table, &owner, false) == slot);
  CHECK_INT(slot->requests[0].state, TSB_REQUEST_RUNNING);
  CHECK(tsb_batch_answer(&table, &owner, true) == slot);
  CHECK(tsb_batch_answer(&table, &owner, false) == NULL);
  tsb_batch_table_free(&table);
}

// Requests are counted from the claim to the last answer, and slots that were in use are used first.
static void test_open_requests_and_used_slots(void) {
  TRITONBACKEND_Request* requests[] = {fake(1), fake(2), fake(3)};
  CHECK_INT(tsb_batch_table_init(&table, 100), 0);
  struct tsb_batch_slot* first = tsb_batch_claim(&table, requests, 3);
  struct tsb_batch_slot* second = tsb_batch_claim(&table, requests, 2);
  CHECK_INT(table.request_count, 5);
  tsb_batch_run(first);
  CHECK(answer(0, first->generation, 1) == fake(2));
  CHECK_INT(table.request_count, 4);
  tsb_batch_take(&table, first, 0);
  tsb_batch_take(&table, first, 2);
  tsb_batch_close(&table, first);
  CHECK_INT(table.request_count, 2);
  tsb_batch_close(&table, second);  // was never handed over
  CHECK_INT(table.request_count, 0);
  for (int i = 0; i < 50; i++) tsb_batch_close(&table, tsb_batch_claim(&table, requests, 1));
  CHECK_INT(table.used_count, 2);
  CHECK(tsb_batch_claim(&table, requests, 1) != tsb_batch_claim(&table, requests, 1));
  CHECK_INT(table.used_count, 2);
  CHECK(tsb_batch_claim(&table, requests, 1) == &table.slots[2]);
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
  CHECK(!tsb_batch_note_release(slot));
  CHECK(answer(0, slot->generation, 0) == NULL);
  CHECK(answer(0, slot->generation, 1) == fake(2));
  CHECK(tsb_batch_note_release(slot));
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
  CHECK(tsb_batch_answer(&table, &owner, true) == slot);
  tsb_batch_table_free(&table);
}

int main(void) {
  test_claim_and_close();
  test_executing_apart_from_open();
  test_which_batch_is_executing();
  test_a_request_that_is_answered_twice();
  test_open_requests_and_used_slots();
  test_the_states_of_a_request();
  test_names_that_are_refused();
  test_an_owner_names_its_batch();
  return 0;
}
