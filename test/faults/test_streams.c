// SPDX-License-Identifier: Apache-2.0
// A decoupled model in the hands of the library: any number of responses and one end for each request, whatever the
// stub does; the instance is free while requests are open; who does not wait any more is told to the stub.
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "small_world.h"

enum { ROUNDS = 3 };

#define DECOUPLED WORLD_IO ",\"model_transaction_policy\":{\"decoupled\":true}"

static void expect_stream(int index, int responses) {
  const TRITONBACKEND_Request* request = &world_requests[index];
  world_expect_end(index);
  CHECK_INT(request->response_count, responses);
  CHECK_INT(request->error_count, 0);
  CHECK_INT(request->success_count, 1);
  if (responses > 0) world_expect_echo(index);
}

static void expect_all_streams(void) {
  for (int i = 0; i < WORLD_REQUESTS; i++) {
    expect_stream(i, ROUNDS + (i % 2 == 0 ? 1 : 0));
    fake_request_clear(&world_requests[i]);
  }
}

static void test_streams_of_a_batch(const char* evils) {
  world_start(evils, DECOUPLED "}");
  for (int i = 0; i < 20; i++) {
    world_send(0, WORLD_REQUESTS);
    expect_all_streams();
  }
  world_end();
  // A batch is reported behind its end, by a thread that is joined by now.
  CHECK_INT(world_host.instance.batch_reports, 20);
}

static void test_evils(void) {
  static const char BROKEN[] = "wrote something that breaks the protocol; it is stopped.";
  static const char* const EVILS[] = {
      "stream_says_nothing", "stream_unknown_flag", "stream_reschedules",   "stream_final_and_rescheduled",
      "stream_bad_place",    "stream_after_final",  "stream_final_twice",   "settled_unknown",
      "settled_stale",       "settled_item",        "settled_table",        "settled_flags",
      "settled_place",       "settled_twice",       "settled_after_the_end"};
  for (size_t i = 0; i < sizeof EVILS / sizeof EVILS[0]; i++) world_expect_recovery(EVILS[i], DECOUPLED "}", BROKEN);
  world_expect_recovery("exit_in_stream", DECOUPLED "}", "It exited with code 7.");
  world_expect_recovery("kill_in_stream", DECOUPLED "}", "It was killed by signal 6");
}

// The client goes away while its stream is open, in the middle of others or before it began.
static void test_cancel(void) {
  world_start("waits_for_cancel", DECOUPLED "}");
  fake_request_cancel(&world_requests[2]);
  world_send(0, WORLD_REQUESTS);
  expect_stream(2, 0);
  for (int i = 0; i < WORLD_REQUESTS; i++) {
    if (i == 2) continue;
    CHECK(fake_request_wait_responses(&world_requests[i], ROUNDS, WORLD_WAIT_MS));
    CHECK_INT(fake_request_releases(&world_requests[i]), 0);
  }
  fake_request_cancel(&world_requests[3]);
  expect_stream(3, ROUNDS);
  fake_request_cancel(&world_requests[0]);
  fake_request_cancel(&world_requests[1]);
  expect_stream(0, ROUNDS);
  expect_stream(1, ROUNDS);
  world_expect_nothing_open();
  world_end();
}

static void* send_the_last(void* argument) {
  world_send(WORLD_REQUESTS - 1, 1);
  return argument;
}

// Execute takes no more requests than may be open.
static void test_open_requests_are_bounded(void) {
  pthread_t thread;
  world_start("waits_for_cancel", DECOUPLED ",\"parameters\":{\"MAX_OPEN_REQUESTS\":{\"string_value\":\"2\"}}}");
  world_send(0, 1);
  world_send(1, 1);
  CHECK(fake_request_wait_responses(&world_requests[0], ROUNDS, WORLD_WAIT_MS));
  CHECK(fake_request_wait_responses(&world_requests[1], ROUNDS, WORLD_WAIT_MS));
  CHECK_INT(pthread_create(&thread, NULL, send_the_last, NULL), 0);
  CHECK(!fake_request_wait_responses(&world_requests[WORLD_REQUESTS - 1], 1, 100));
  fake_request_cancel(&world_requests[0]);
  CHECK(fake_request_wait_responses(&world_requests[WORLD_REQUESTS - 1], ROUNDS, WORLD_WAIT_MS));
  CHECK_INT(pthread_join(thread, NULL), 0);
  fake_request_cancel(&world_requests[1]);
  fake_request_cancel(&world_requests[WORLD_REQUESTS - 1]);
  expect_stream(0, ROUNDS);
  expect_stream(1, ROUNDS);
  expect_stream(WORLD_REQUESTS - 1, ROUNDS);
  world_end();
}

// A stub that dies with streams open of many batches: each gets its error, and they are few enough to be looked at.
static void test_death_with_streams_open(void) {
  world_start("waits_for_cancel", DECOUPLED "}");
  for (int i = 0; i < WORLD_REQUESTS; i++) {
    world_send(i, 1);
    CHECK(fake_request_wait_responses(&world_requests[i], ROUNDS, WORLD_WAIT_MS));
  }
  pthread_mutex_lock(&world_instance()->lock);
  CHECK_INT(world_instance()->batches.open_count, WORLD_REQUESTS);
  CHECK_INT(world_instance()->batches.executing_count, 0);
  kill(world_instance()->stub->process.pid, SIGKILL);
  pthread_mutex_unlock(&world_instance()->lock);
  for (int i = 0; i < WORLD_REQUESTS; i++) {
    world_expect_end(i);
    CHECK_INT(world_requests[i].response_count, ROUNDS + 1);
    CHECK_INT(world_requests[i].error_count, 1);
    CHECK_INT(world_requests[i].failure_count, 1);
  }
  world_expect_nothing_open();
  world_end();
}

// What an iterative model hands back comes again; what the server does not take back is answered.
static void test_reschedule(void) {
  setenv("FAKE_STUB_RESCHEDULES", "1", 1);
  world_start("honest", WORLD_IO ",\"sequence_batching\":{\"iterative_sequence\":true}}");
  TRITONBACKEND_Request* request = &world_requests[0];
  world_send(0, 1);
  CHECK(fake_request_wait_rescheduled(request, 1, WORLD_WAIT_MS));
  CHECK_INT(request->final_count + request->response_count + request->release_count, 0);
  world_expect_nothing_open();
  fake_faults.request_reschedule = 1;
  world_send(0, 1);
  world_expect_end(0);
  CHECK_INT(request->error_count, 1);
  CHECK_CONTAINS(TRITONSERVER_ErrorMessage(request->response->error), "rescheduling failed");
  unsetenv("FAKE_STUB_RESCHEDULES");
  world_end();
}

int main(void) {
  world_prepare("streams");
  setenv("FAKE_STUB_STREAMS", "3", 1);
  test_streams_of_a_batch("honest");
  test_streams_of_a_batch("settles_late");
  test_evils();
  test_cancel();
  test_open_requests_are_bounded();
  test_death_with_streams_open();
  test_reschedule();
  world_close();
  return 0;
}
