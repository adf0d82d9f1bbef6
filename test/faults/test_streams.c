// SPDX-License-Identifier: Apache-2.0
// A decoupled model in the hands of the library: any number of responses and one end for each request, whatever the
// stub does; the instance is free while requests are open; who does not wait any more is told to the stub.
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "fake_host.h"
#include "instance_state.h"

enum { REQUESTS = 4, ELEMENTS = 64, WAIT_MS = 60000, ROUNDS = 3 };

#define IO                                                                                                            \
  "{\"name\":\"fake_model\",\"max_batch_size\":0,\"input\":[{\"name\":\"IN\","                                        \
  "\"data_type\":\"TYPE_FP32\",\"dims\":[-1]}],\"output\":[{\"name\":\"OUT\",\"data_type\":\"TYPE_FP32\",\"dims\":[-" \
  "1]}]"
#define DECOUPLED IO ",\"model_transaction_policy\":{\"decoupled\":true}"

static struct fake_host host;
static char starts_file[256];
static float data[REQUESTS][ELEMENTS];
static TRITONBACKEND_Request requests[REQUESTS];

static struct tsb_instance* instance(void) { return host.instance.state; }

static void start(const char* evils, const char* config) {
  const char* step;
  struct fake_host_plan plan = {.options = "\"restart-backoff-ms\":\"20\"", .config = config, .repository = "/nowhere"};
  fprintf(stderr, "--- %s\n", evils);
  unlink(starts_file);
  setenv("FAKE_STUB_EVILS", evils, 1);
  fake_log_clear();
  TRITONSERVER_Error* error = fake_host_load(&host, fake_library_linked(), &plan, &step);
  if (error != NULL) CHECK_FAIL("loading failed in step '%s': %s", step, TRITONSERVER_ErrorMessage(error));
  for (int i = 0; i < REQUESTS; i++) {
    for (int k = 0; k < ELEMENTS; k++) data[i][k] = (float)(i * 1000 + k);
    fake_request_clear(&requests[i]);
    requests[i] = (TRITONBACKEND_Request){.id = "r", .input_count = 1, .outputs = {"OUT"}, .output_count = 1};
    requests[i].inputs[0] = (TRITONBACKEND_Input){.name = "IN",
                                                  .datatype = TRITONSERVER_TYPE_FP32,
                                                  .shape = {ELEMENTS},
                                                  .dims_count = 1,
                                                  .bytes = sizeof data[i],
                                                  .buffer_count = 1,
                                                  .buffers = {data[i]},
                                                  .buffer_bytes = {sizeof data[i]}};
  }
}

static void end(void) {
  for (int i = 0; i < REQUESTS; i++) fake_request_clear(&requests[i]);
  fake_host_unload(&host);
  const char* left = fake_host_leftover(&host);
  if (left != NULL) CHECK_FAIL("%s", left);
  CHECK_INT(fake_live_responses(), 0);
}

static void send(int first, int count) {
  TRITONBACKEND_Request* batch[REQUESTS];
  for (int i = 0; i < count; i++) batch[i] = &requests[first + i];
  fake_host_execute(&host, batch, (uint32_t)count);
}

// The request is over: it ended once, nothing came afterwards, and it is counted once.
static void expect_end(const TRITONBACKEND_Request* request) {
  CHECK(fake_request_wait(request, WAIT_MS));
  CHECK_INT(request->final_count, 1);
  CHECK_INT(request->after_final_count, 0);
  CHECK_INT(request->release_count, 1);
  CHECK_INT(request->success_count + request->failure_count, 1);
}

static void expect_stream(int index, int responses) {
  const TRITONBACKEND_Request* request = &requests[index];
  expect_end(request);
  CHECK_INT(request->response_count, responses);
  CHECK_INT(request->error_count, 0);
  CHECK_INT(request->success_count, 1);
  if (responses == 0) return;
  const TRITONBACKEND_Output* output = fake_output(request, "OUT");
  CHECK(output != NULL);
  CHECK_INT(output->bytes, sizeof data[index]);
  CHECK_INT(memcmp(output->data, data[index], sizeof data[index]), 0);
}

static void expect_all_streams(void) {
  for (int i = 0; i < REQUESTS; i++) {
    expect_stream(i, ROUNDS + (i % 2 == 0 ? 1 : 0));
    fake_request_clear(&requests[i]);
  }
}

// Memory and slots are free again once all requests are over, which is a moment after the last one is released.
static void expect_nothing_open(void) {
  for (int waited = 0;; waited++) {
    pthread_mutex_lock(&instance()->lock);
    uint32_t open = instance()->batches.open_count + instance()->batches.request_count;
    pthread_mutex_unlock(&instance()->lock);
    if (open == 0) return;
    CHECK(waited < WAIT_MS);
    usleep(1000);
  }
}

static void test_streams_of_a_batch(const char* evils) {
  start(evils, DECOUPLED "}");
  for (int i = 0; i < 20; i++) {
    send(0, REQUESTS);
    expect_all_streams();
  }
  expect_nothing_open();
  CHECK_INT(host.instance.batch_reports, 20);
  end();
}

// Whatever a stub does, each request ends once, with an error at the latest, and the next ones are served.
static void test_evil(const char* evil, const char* says) {
  start(evil, DECOUPLED "}");
  send(0, REQUESTS);
  for (int i = 0; i < REQUESTS; i++) {
    expect_end(&requests[i]);
    fake_request_clear(&requests[i]);
  }
  if (!fake_log_wait(says, WAIT_MS)) CHECK_FAIL("the log does not say: %s", says);
  for (int tries = 0;; tries++) {
    CHECK(tries < 400);
    send(0, REQUESTS);
    bool all_right = true;
    for (int i = 0; i < REQUESTS; i++) {
      expect_end(&requests[i]);
      all_right = all_right && requests[i].success_count == 1;
    }
    if (all_right) break;
    for (int i = 0; i < REQUESTS; i++) fake_request_clear(&requests[i]);
    usleep(10000);
  }
  expect_all_streams();
  end();
}

static void test_evils(void) {
  static const char BROKEN[] = "wrote something that breaks the protocol; it is stopped.";
  static const char* const EVILS[] = {
      "stream_says_nothing", "stream_unknown_flag", "stream_reschedules",   "stream_final_and_rescheduled",
      "stream_bad_place",    "stream_after_final",  "stream_final_twice",   "settled_unknown",
      "settled_stale",       "settled_item",        "settled_table",        "settled_flags",
      "settled_place",       "settled_twice",       "settled_after_the_end"};
  for (size_t i = 0; i < sizeof EVILS / sizeof EVILS[0]; i++) test_evil(EVILS[i], BROKEN);
  test_evil("exit_in_stream", "It exited with code 7.");
  test_evil("kill_in_stream", "It was killed by signal 6");
}

// The client goes away while its stream is open, in the middle of others or before it began.
static void test_cancel(void) {
  start("waits_for_cancel", DECOUPLED "}");
  fake_request_cancel(&requests[2]);
  send(0, REQUESTS);
  expect_stream(2, 0);
  for (int i = 0; i < REQUESTS; i++) {
    if (i == 2) continue;
    CHECK(fake_request_wait_responses(&requests[i], ROUNDS, WAIT_MS));
    CHECK_INT(fake_request_releases(&requests[i]), 0);
  }
  fake_request_cancel(&requests[3]);
  expect_stream(3, ROUNDS);
  fake_request_cancel(&requests[0]);
  fake_request_cancel(&requests[1]);
  expect_stream(0, ROUNDS);
  expect_stream(1, ROUNDS);
  expect_nothing_open();
  end();
}

static void* send_the_last(void* argument) {
  send(REQUESTS - 1, 1);
  return argument;
}

// Execute takes no more requests than may be open.
static void test_open_requests_are_bounded(void) {
  pthread_t thread;
  start("waits_for_cancel", DECOUPLED ",\"parameters\":{\"MAX_OPEN_REQUESTS\":{\"string_value\":\"2\"}}}");
  send(0, 1);
  send(1, 1);
  CHECK(fake_request_wait_responses(&requests[0], ROUNDS, WAIT_MS));
  CHECK(fake_request_wait_responses(&requests[1], ROUNDS, WAIT_MS));
  CHECK_INT(pthread_create(&thread, NULL, send_the_last, NULL), 0);
  CHECK(!fake_request_wait_responses(&requests[REQUESTS - 1], 1, 100));
  fake_request_cancel(&requests[0]);
  CHECK(fake_request_wait_responses(&requests[REQUESTS - 1], ROUNDS, WAIT_MS));
  CHECK_INT(pthread_join(thread, NULL), 0);
  fake_request_cancel(&requests[1]);
  fake_request_cancel(&requests[REQUESTS - 1]);
  expect_stream(0, ROUNDS);
  expect_stream(1, ROUNDS);
  expect_stream(REQUESTS - 1, ROUNDS);
  end();
}

// A stub that dies with streams open of many batches: each gets its error, and they are few enough to be looked at.
static void test_death_with_streams_open(void) {
  start("waits_for_cancel", DECOUPLED "}");
  for (int i = 0; i < REQUESTS; i++) {
    send(i, 1);
    CHECK(fake_request_wait_responses(&requests[i], ROUNDS, WAIT_MS));
  }
  pthread_mutex_lock(&instance()->lock);
  CHECK_INT(instance()->batches.open_count, REQUESTS);
  CHECK_INT(instance()->batches.executing_count, 0);
  kill(instance()->stub->process.pid, SIGKILL);
  pthread_mutex_unlock(&instance()->lock);
  for (int i = 0; i < REQUESTS; i++) {
    expect_end(&requests[i]);
    CHECK_INT(requests[i].response_count, ROUNDS + 1);
    CHECK_INT(requests[i].error_count, 1);
    CHECK_INT(requests[i].failure_count, 1);
  }
  expect_nothing_open();
  end();
}

// What an iterative model hands back comes again; what the server does not take back is answered.
static void test_reschedule(void) {
  setenv("FAKE_STUB_RESCHEDULES", "1", 1);
  start("honest", IO ",\"sequence_batching\":{\"iterative_sequence\":true}}");
  TRITONBACKEND_Request* request = &requests[0];
  send(0, 1);
  CHECK(fake_request_wait_rescheduled(request, 1, WAIT_MS));
  CHECK_INT(request->final_count + request->response_count + request->release_count, 0);
  expect_nothing_open();
  fake_faults.request_reschedule = 1;
  send(0, 1);
  expect_end(request);
  CHECK_INT(request->error_count, 1);
  CHECK_CONTAINS(TRITONSERVER_ErrorMessage(request->response->error), "rescheduling failed");
  unsetenv("FAKE_STUB_RESCHEDULES");
  end();
}

int main(void) {
  signal(SIGPIPE, SIG_IGN);  // as in the server
  snprintf(starts_file, sizeof starts_file, "/tmp/tsb-streams-%d", (int)getpid());
  setenv("FAKE_STUB_STARTS", starts_file, 1);
  setenv("FAKE_STUB_STREAMS", "3", 1);
  setenv("TRITON_TYPESCRIPT_NODE", HOSTILE_STUB, 1);
  setenv("TRITON_TYPESCRIPT_RUNTIME", FAKE_RUNTIME, 1);
  test_streams_of_a_batch("honest");
  test_streams_of_a_batch("settles_late");
  test_evils();
  test_cancel();
  test_open_requests_are_bounded();
  test_death_with_streams_open();
  test_reschedule();
  unlink(starts_file);
  return 0;
}
