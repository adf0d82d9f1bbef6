// SPDX-License-Identifier: Apache-2.0
// Models that wait for each other are found, and no others.
#include "wait_cycle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "fake_triton.h"

enum { MAX_INSTANCES = 4, SLOTS = 8, LOOKS = 3 };

static struct tsb_backend backend;
static struct tsb_model models[MAX_INSTANCES];
static struct tsb_stub stubs[MAX_INSTANCES];
static struct tsb_instance instances[MAX_INSTANCES];
static uint32_t instance_count, call_count;

static void begin(const char* what) {
  fprintf(stderr, "--- %s\n", what);
  fake_log_clear();
  instance_count = call_count = 0;
  backend = (struct tsb_backend){0};
  pthread_mutex_init(&backend.instances_lock, NULL);
}

// An instance of model `name`, which may have others.
static struct tsb_instance* add(const char* name, uint32_t concurrency) {
  uint32_t i = instance_count++;
  models[i] = (struct tsb_model){.name = (char*)name, .version = 1, .backend = &backend};
  stubs[i] = (struct tsb_stub){0};
  tsb_open_calls_init(&stubs[i].calls);
  instances[i] =
      (struct tsb_instance){.model = &models[i], .name = (char*)name, .stub = &stubs[i], .concurrency = concurrency};
  tsb_instance_state_init(&instances[i]);
  CHECK_INT(tsb_batch_table_init(&instances[i].batches, SLOTS), 0);
  tsb_instance_enlist(&instances[i]);
  return &instances[i];
}

static void end(void) {
  for (uint32_t i = 0; i < instance_count; i++) {
    for (uint32_t j = 0; j < stubs[i].calls.capacity; j++) {
      struct tsb_open_call* call = stubs[i].calls.calls[j];
      if (call != NULL) tsb_open_call_free(call);
    }
    tsb_instance_delist(&instances[i]);
    tsb_open_calls_destroy(&stubs[i].calls);
    tsb_instance_state_destroy(&instances[i]);
  }
  CHECK(backend.instances == NULL);
  pthread_mutex_destroy(&backend.instances_lock);
}

static struct tsb_batch_slot* execute(struct tsb_instance* instance) {
  TRITONBACKEND_Request* request = NULL;
  struct tsb_batch_slot* slot = tsb_batch_claim(&instance->batches, &request, 1);
  CHECK(slot != NULL);
  tsb_batch_run(slot);
  return slot;
}

static struct tsb_open_call* call_of(struct tsb_instance* instance, struct tsb_batch_slot* batch, const char* model,
                                     int64_t version) {
  struct tsb_open_call* call;
  struct tsb_owner owner = {.table = TSB_TABLE_CALLS, .index = call_count++, .generation = 1};
  CHECK_INT(tsb_open_calls_begin(&instance->stub->calls, &owner, &call), 0);
  call->model = strdup(model);
  call->model_version = version;
  if (batch != NULL) call->parent = tsb_batch_owner(&instance->batches, batch);
  call->was_sent = true;
  return call;
}

// A batch that is executed and has called a model.
static struct tsb_open_call* wait_for(struct tsb_instance* instance, const char* model) {
  return call_of(instance, execute(instance), model, -1);
}

static void look(int times) {
  for (int i = 0; i < times; i++) {
    for (uint32_t j = 0; j < instance_count; j++) tsb_wait_cycle_look(&instances[j]);
  }
}

// However long it lasts, the log has one line about it.
static void expect_warning(const char* says) {
  look(LOOKS - 1);
  CHECK_INT(fake_log_lines(), 0);
  look(10);
  CHECK_INT(fake_log_lines(), 1);
  if (!fake_log_has(says)) CHECK_FAIL("the log does not say: %s", says);
  end();
}

static void expect_none(void) {
  look(10);
  CHECK_INT(fake_log_lines(), 0);
  end();
}

static void test_itself(void) {
  begin("one model");
  wait_for(add("a", 1), "a");
  expect_warning("W Model 'a' waits for itself:");

  begin("one model of two instances");
  wait_for(add("a", 1), "a");
  wait_for(add("a", 1), "a");
  expect_warning("W Model 'a' waits for itself:");

  begin("one model with a batch that is handed over early, and will not be executed");
  struct tsb_instance* a = add("a", 1);
  wait_for(a, "a");
  execute(a);
  expect_warning("W Model 'a' waits for itself:");

  begin("one model with batches beside each other, which call others, too");
  a = add("a", 2);
  struct tsb_batch_slot* batch = execute(a);
  call_of(a, batch, "elsewhere", -1);
  call_of(a, batch, "a", 1);
  wait_for(a, "a");
  expect_warning("W Model 'a' waits for itself:");
}

static void test_others(void) {
  begin("two models");
  struct tsb_instance *a = add("a", 1), *b = add("b", 1);
  wait_for(a, "b");
  wait_for(b, "a");
  expect_warning("W Models wait for each other, 'b' -> 'a' -> 'b': all");

  begin("three models, and one that waits for them");
  struct tsb_instance *outside = add("outside", 1), *c;
  a = add("a", 1), b = add("b", 1), c = add("c", 1);
  wait_for(outside, "b");
  wait_for(a, "b");
  wait_for(b, "c");
  wait_for(c, "a");
  expect_warning("W Models wait for each other, 'c' -> 'a' -> 'b' -> 'c': all");
}

static void test_free(void) {
  begin("a free instance");
  wait_for(add("a", 1), "a");
  add("a", 1);
  expect_none();

  begin("room in the instance");
  wait_for(add("a", 2), "a");
  expect_none();

  begin("a batch that may end");
  struct tsb_instance* a = add("a", 2);
  wait_for(a, "a");
  execute(a);
  expect_none();

  begin("an instance that may end");
  wait_for(add("a", 1), "b");
  execute(add("b", 1));
  expect_none();

  begin("a model that waits for one that may end");
  wait_for(add("a", 1), "b");
  wait_for(add("b", 1), "c");
  execute(add("c", 1));
  expect_none();

  begin("a model that is not ours");
  wait_for(add("a", 1), "elsewhere");
  expect_none();

  begin("another version");
  a = add("a", 1);
  call_of(a, execute(a), "a", 2);
  expect_none();

  begin("a process that is being restarted");
  wait_for(add("a", 1), "b");
  struct tsb_instance* b = add("b", 1);
  wait_for(b, "a");
  b->state = TSB_INSTANCE_RESTARTING;
  b->stub = NULL;
  look(10);
  CHECK_INT(fake_log_lines(), 0);
  b->stub = &stubs[1];
  end();
}

static void test_calls_that_do_not_count(void) {
  begin("of no request");
  struct tsb_instance* a = add("a", 1);
  execute(a);
  call_of(a, NULL, "a", -1);
  expect_none();

  begin("that is not sent yet");
  wait_for(add("a", 1), "a")->was_sent = false;
  expect_none();

  begin("of a request that is over");
  a = add("a", 1);
  wait_for(a, "a");
  struct tsb_batch_slot* slot = &a->batches.slots[0];
  tsb_batch_close(&a->batches, slot);
  execute(a);
  expect_none();

  begin("of a request that goes on when its batch is settled");
  a = add("a", 1);
  wait_for(a, "a");
  tsb_batch_settle(&a->batches, &a->batches.slots[0]);
  execute(a);
  expect_none();
}

static void test_again(void) {
  begin("the same once more");
  struct tsb_instance* a = add("a", 1);
  wait_for(a, "a");
  look(10);
  CHECK_INT(fake_log_lines(), 1);
  tsb_batch_close(&a->batches, &a->batches.slots[0]);
  look(10);
  CHECK_INT(fake_log_lines(), 1);
  wait_for(a, "a");
  look(10);
  CHECK_INT(fake_log_lines(), 2);
  end();
}

int main(void) {
  test_itself();
  test_others();
  test_free();
  test_calls_that_do_not_count();
  test_again();
  return 0;
}
