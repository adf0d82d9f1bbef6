// SPDX-License-Identifier: Apache-2.0
// Calls of other models: whatever the other model does, and whatever the stub does, each call ends once, nothing is
// kept, and the requests that it was made for are answered.
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fake_callee.h"
#include "small_world.h"

enum { TIMES = 20 };

#define CONFIG WORLD_IO "}"
#define SECOND "\"EXECUTE_TIMEOUT_SECONDS\":{\"string_value\":\"1\"}"
static const char TIMED[] = WORLD_IO ",\"parameters\":{" SECOND "}}";
static const char TIMED_MANY[] =
    WORLD_IO ",\"parameters\":{\"MAX_IN_FLIGHT_BATCHES\":{\"string_value\":\"8\"}," SECOND "}}";
static const char MANY[] = WORLD_IO ",\"parameters\":{\"MAX_IN_FLIGHT_BATCHES\":{\"string_value\":\"8\"}}}";

// What the stub has of the shim's memory, and what is open of its calls.
static void expect_nothing_held(void) {
  struct tsb_open_calls* calls = &world_instance()->stub->calls;
  for (int waited = 0;; waited++) {
    uint32_t held = 0;
    pthread_mutex_lock(&calls->lock);
    for (uint32_t i = 0; i < calls->used_answers; i++) held += calls->answers[i].in_use ? 1 : 0;
    uint32_t open = calls->count;
    pthread_mutex_unlock(&calls->lock);
    if (held + open == 0) return;
    if (waited > WORLD_WAIT_MS) CHECK_FAIL("%u calls and %u answers are left", open, held);
    usleep(1000);
  }
}

static void test_answers(const char* model, const char* config) {
  setenv("FAKE_STUB_CALLS", model, 1);
  world_start("honest", config);
  for (int i = 0; i < TIMES; i++) {
    for (int j = 0; j < WORLD_REQUESTS; j++) world_send(j, 1);
    for (int j = 0; j < WORLD_REQUESTS; j++) {
      world_expect_end(j);
      CHECK_INT(world_requests[j].success_count, 1);
      world_expect_echo(j);
    }
    world_clear();
    world_send(0, WORLD_REQUESTS);
    for (int j = 0; j < WORLD_REQUESTS; j++) world_expect_end(j);
    world_clear();
  }
  world_expect_nothing_open();
  expect_nothing_held();
  world_end();
}

// What the caller is told when there is no answer.
static void test_error(const char* evils, const char* model, TRITONSERVER_Error_Code code, const char* says) {
  setenv("FAKE_STUB_CALLS", model, 1);
  world_start(evils, CONFIG);
  for (int i = 0; i < TIMES; i++) {
    world_send(0, WORLD_REQUESTS);
    for (int j = 0; j < WORLD_REQUESTS; j++) {
      world_expect_end(j);
      CHECK(world_requests[j].response->error != NULL);
      CHECK_INT(TRITONSERVER_ErrorCode(world_requests[j].response->error), code);
      CHECK_CONTAINS(TRITONSERVER_ErrorMessage(world_requests[j].response->error), says);
    }
    world_clear();
  }
  expect_nothing_held();
  CHECK_INT(fake_log_has("breaks the protocol"), false);
  world_end();
}

static void test_evils(void) {
  static const char BROKEN[] = "wrote something that breaks the protocol; it is stopped.";
  static const char* const EVILS[] = {"call_flags",
                                      "call_table",
                                      "call_index",
                                      "call_item",
                                      "call_short",
                                      "call_too_long",
                                      "call_nowhere",
                                      "call_shorter",
                                      "call_longer",
                                      "call_model",
                                      "call_model_zero",
                                      "call_inputs_without_end",
                                      "call_requested_without_end",
                                      "call_requested_nowhere",
                                      "call_texts_overlap",
                                      "call_parameters_without_end",
                                      "call_parameters_nowhere",
                                      "call_id",
                                      "call_input_lies",
                                      "call_input_dims",
                                      "call_input_huge",
                                      "call_input_nowhere",
                                      "call_input_control",
                                      "call_input_lent",
                                      "call_input_lent_huge",
                                      "call_input_type",
                                      "call_bytes_none",
                                      "call_input_name",
                                      "call_input_index",
                                      "cancel_table",
                                      "cancel_place",
                                      "cancel_index",
                                      "cancel_item",
                                      "free_unknown",
                                      "free_index",
                                      "free_table",
                                      "free_item",
                                      "free_stale",
                                      "free_flags",
                                      "free_twice"};
  setenv("FAKE_STUB_CALLS", "echo", 1);
  for (size_t i = 0; i < sizeof EVILS / sizeof EVILS[0]; i++) world_expect_recovery(EVILS[i], CONFIG, BROKEN);
  world_expect_recovery("exit_in_call", CONFIG, "It exited with code 7.");
  setenv("FAKE_STUB_CALLS", "echo_late", 1);  // so that it is open still
  world_expect_recovery("call_twice", CONFIG, BROKEN);
}

static void wait_until_sent(long count) {
  for (int waited = 0; fake_sent_calls() < count; waited++) {
    CHECK(waited < WORLD_WAIT_MS);
    usleep(1000);
  }
}

// A stub that dies with calls open: they are cancelled, and what they read stays until they are over, also when the
// model is unloaded meanwhile.
static void test_death_with_calls_open(const char* model) {
  setenv("FAKE_STUB_CALLS", model, 1);
  long before = fake_sent_calls();
  world_start("honest", MANY);
  for (int i = 0; i < WORLD_REQUESTS; i++) world_send(i, 1);
  wait_until_sent(before + WORLD_REQUESTS);
  pthread_mutex_lock(&world_instance()->lock);
  kill(world_instance()->stub->process.pid, SIGKILL);
  pthread_mutex_unlock(&world_instance()->lock);
  for (int i = 0; i < WORLD_REQUESTS; i++) world_expect_end(i);
  world_end();
}

// Calls are known by their numbers within one stub: what another one cancels, by the same numbers, goes on.
static void test_cancels_of_another_stub(void) {
  struct fake_host other;
  struct fake_host_plan plan = {.options = "", .config = CONFIG, .repository = "/nowhere"};
  const char* step;
  setenv("FAKE_STUB_CALLS", "silent", 1);
  long sent = fake_sent_calls(), cancelled = fake_cancelled_calls();
  world_start("honest,cancels_those_of_others", MANY);
  for (int i = 0; i < WORLD_REQUESTS / 2; i++) world_send(i, 1);
  wait_until_sent(sent + WORLD_REQUESTS / 2);
  setenv("FAKE_STUB_CALLS", "echo", 1);
  CHECK(fake_host_load(&other, fake_library_linked(), &plan, &step) == NULL);
  TRITONBACKEND_Request* last = &world_requests[WORLD_REQUESTS - 1];
  fake_host_execute(&other, &last, 1);
  world_expect_end(WORLD_REQUESTS - 1);
  CHECK_INT(last->success_count, 1);
  world_expect_echo(WORLD_REQUESTS - 1);
  CHECK_INT(fake_cancelled_calls(), cancelled);
  CHECK_INT(world_instance()->stub->calls.count, WORLD_REQUESTS / 2);
  fake_host_unload(&other);
  pthread_mutex_lock(&world_instance()->lock);
  kill(world_instance()->stub->process.pid, SIGKILL);
  pthread_mutex_unlock(&world_instance()->lock);
  for (int i = 0; i < WORLD_REQUESTS / 2; i++) world_expect_end(i);
  // A moment after the requests are answered.
  for (int waited = 0; fake_cancelled_calls() < cancelled + WORLD_REQUESTS / 2; waited++) {
    CHECK(waited < WORLD_WAIT_MS);
    usleep(1000);
  }
  CHECK_INT(fake_cancelled_calls(), cancelled + WORLD_REQUESTS / 2);
  world_end();
}

// Answers that a stub never gives back are its memory, and are gone with it.
static void test_answers_that_are_kept(void) {
  setenv("FAKE_STUB_CALLS", "echo", 1);
  world_start("keeps_answers", CONFIG);
  for (int i = 0; i < TIMES; i++) {
    world_send(0, WORLD_REQUESTS);
    for (int j = 0; j < WORLD_REQUESTS; j++) {
      world_expect_end(j);
      world_expect_echo(j);
    }
    world_clear();
  }
  world_end();
}

// A stub that writes without a rest does not keep the one who reads from looking at the time.
static void test_floods(void) {
  static const char LATE[] = "did not answer within 1 seconds (EXECUTE_TIMEOUT_SECONDS)";
  setenv("FAKE_STUB_CALLS", "echo", 1);
  world_expect_recovery("floods", TIMED, LATE);
  world_expect_recovery("floods", TIMED_MANY, LATE);
}

// The backend is there for as long as the server may give a buffer back to it, and says what it waits for.
static void test_wait_at_the_end(void) {
  setenv("FAKE_STUB_CALLS", "keeping_long", 1);
  world_start("honest", CONFIG);
  world_send(0, WORLD_REQUESTS);
  for (int i = 0; i < WORLD_REQUESTS; i++) world_expect_end(i);
  world_end();
  CHECK(fake_log_has("4 calls of other models, or buffers of their answers, are open still."));
}

// Of whose trace a call is a part, the stub says; of a request that is none, of no trace.
static void test_traces(const char* evils, const char* context, long traced) {
  setenv("FAKE_STUB_CALLS", "echo", 1);
  world_start(evils, CONFIG);
  long before = fake_traced_calls();
  for (int i = 0; i < WORLD_REQUESTS; i++) world_requests[i].trace = context;
  world_send(0, WORLD_REQUESTS);
  for (int i = 0; i < WORLD_REQUESTS; i++) {
    world_expect_end(i);
    world_expect_echo(i);
    world_requests[i].trace = NULL;
  }
  CHECK_INT(fake_traced_calls() - before, FAKE_TRITON_IS_OLD ? 0 : traced);
  world_end();
}

int main(void) {
  world_prepare("calls");
  static const char* const NO_TRACES[] = {"call_trace_none", "call_trace_table", "call_trace_index", "call_trace_stale",
                                          "call_trace_item"};
  test_traces("honest", "{}", WORLD_REQUESTS);
  test_traces("honest", NULL, 0);
  for (size_t i = 0; i < sizeof NO_TRACES / sizeof NO_TRACES[0]; i++) test_traces(NO_TRACES[i], "{}", 0);
  test_answers("echo", CONFIG);
  test_answers("echo", MANY);
  test_answers("echo_inline", CONFIG);
  test_answers("echo_early", CONFIG);
  test_answers("echo_late", CONFIG);
  test_answers("stream", CONFIG);
  test_error("honest", "failing", TRITONSERVER_ERROR_UNSUPPORTED, "the callee failed");
  test_error("honest", "refusing", TRITONSERVER_ERROR_UNAVAILABLE, "the queue is full");
  test_error("honest", "unknown", TRITONSERVER_ERROR_NOT_FOUND,
             "Error when running inference: Request for unknown model");
  test_error("honest", "large", TRITONSERVER_ERROR_UNAVAILABLE, "Failed to increase the shared memory pool size");
  test_error("honest", "short", TRITONSERVER_ERROR_INTERNAL,
             "The called model 'callee' gave output 'OUT' 252 bytes, which do not fit");
  test_error("honest", "keeping", TRITONSERVER_ERROR_INTERNAL, "");
  test_error("honest", "nothing", TRITONSERVER_ERROR_INTERNAL, "");
  if (!FAKE_TRITON_IS_OLD) {  // which cannot cancel a call
    test_error("cancels", "silent", TRITONSERVER_ERROR_CANCELLED, "the call was cancelled");
    test_error("cancel_twice", "silent", TRITONSERVER_ERROR_CANCELLED, "the call was cancelled");
  }
  test_error("call_bytes_lie", "echo", TRITONSERVER_ERROR_INTERNAL, "do not fit its 256 bytes of data");
  test_error("call_bytes_again", "echo", TRITONSERVER_ERROR_UNAVAILABLE, "would take more than 8388608 bytes");
  test_evils();
  if (!FAKE_TRITON_IS_OLD) test_death_with_calls_open("silent");
  test_death_with_calls_open("echo_late");
  if (!FAKE_TRITON_IS_OLD) test_cancels_of_another_stub();
  test_answers_that_are_kept();
  test_floods();
  test_wait_at_the_end();
  world_close();
  return 0;
}
