// SPDX-License-Identifier: Apache-2.0
// The server asks whether a model is ready: whatever its process says or does, who asks gets an answer, one question is
// open at a time, and requests do not notice.
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "small_world.h"

#define CONFIG WORLD_IO "}"
enum { ASKERS = 4 };

static TRITONSERVER_Error* ask(void) { return world_host.library.instance_ready(&world_host.instance); }

static void expect_ready(void) {
  TRITONSERVER_Error* error = ask();
  if (error != NULL) CHECK_FAIL("not ready: %s", TRITONSERVER_ErrorMessage(error));
}

static void expect_not_ready(const char* says) {
  TRITONSERVER_Error* error = ask();
  CHECK(error != NULL);
  CHECK_INT(TRITONSERVER_ErrorCode(error), TRITONSERVER_ERROR_UNAVAILABLE);
  CHECK_CONTAINS(TRITONSERVER_ErrorMessage(error), says);
  TRITONSERVER_ErrorDelete(error);
}

static void start(const char* says) {
  if (says == NULL) {
    unsetenv("FAKE_STUB_READY");
  } else {
    setenv("FAKE_STUB_READY", says, 1);
  }
  world_start("honest", CONFIG);
}

static void expect_served(void) {
  world_send(0, 1);
  world_expect_end(0);
  world_expect_echo(0);
  world_clear();
}

static void test_answers(void) {
  start(NULL);
  expect_ready();
  CHECK_INT(fake_log_has("was asked"), false);
  world_end();

  start("{\"ready\":true,\"reason\":\"\"}");
  for (int i = 0; i < 100; i++) expect_ready();
  expect_served();
  world_end();

  start("{\"ready\":false,\"reason\":\"\"}");
  expect_not_ready("The model's isReady says that instance 'fake_model_0' is not ready.");
  expect_served();
  CHECK_INT(fake_log_has("is not ready"), false);
  world_end();

  start("{\"ready\":false,\"reason\":\"it threw\"}");
  expect_not_ready("Instance 'fake_model_0' is not ready: it threw");
  CHECK_INT(fake_log_has("W Instance 'fake_model_0' is not ready: it threw"), true);
  expect_served();
  world_end();
}

static void* ask_too(void* unused) {
  (void)unused;
  expect_ready();
  return NULL;
}

static void wait_until_waiting(uint32_t count) {
  struct tsb_readiness* readiness = &world_instance()->readiness;
  for (int waited = 0;; waited++) {
    pthread_mutex_lock(&readiness->lock);
    uint32_t waiting = readiness->waiting;
    pthread_mutex_unlock(&readiness->lock);
    if (waiting == count) return;
    CHECK(waited < WORLD_WAIT_MS);
    usleep(1000);
  }
}

// All who ask while a question is open get its answer.
static void test_one_question_at_a_time(void) {
  pthread_t askers[ASKERS];
  start("after_batch");
  int lines = fake_log_lines();
  for (int i = 0; i < ASKERS; i++) CHECK_INT(pthread_create(&askers[i], NULL, ask_too, NULL), 0);
  wait_until_waiting(ASKERS);
  CHECK(fake_log_wait("was asked", WORLD_WAIT_MS));
  expect_served();
  for (int i = 0; i < ASKERS; i++) CHECK_INT(pthread_join(askers[i], NULL), 0);
  CHECK_INT(fake_log_lines(), lines + 1);
  world_end();
}

// The first waits for the whole time, the next for none; requests are answered all the while.
static void test_no_answer(void) {
  start("never");
  expect_not_ready("did not answer within 5 seconds");
  int lines = fake_log_lines();
  expect_not_ready("did not answer within 5 seconds");
  CHECK_INT(fake_log_lines(), lines);
  CHECK_INT(fake_log_has("W Instance 'fake_model_0' is not ready: The model's isReady did not answer"), true);
  expect_served();
  world_end();
}

// Its process ends while it is asked, and is not there afterwards.
static void test_death(void) {
  start("dies");
  expect_not_ready("Stub process 'fake_model_0' is not healthy.");
  world_end();
}

static void test_answers_that_break_the_protocol(void) {
  static const char* const SAYS[] = {"{}", "{\"ready\":1}", "[", "", "{\"error\":{\"code\":\"INTERNAL\"}}"};
  for (size_t i = 0; i < sizeof SAYS / sizeof SAYS[0]; i++) {
    start(SAYS[i]);
    expect_not_ready("Stub process 'fake_model_0' is not healthy.");
    world_end();
  }
}

int main(void) {
  world_prepare("readiness");
  test_answers();
  test_one_question_at_a_time();
  test_no_answer();
  test_death();
  test_answers_that_break_the_protocol();
  world_close();
  return 0;
}
