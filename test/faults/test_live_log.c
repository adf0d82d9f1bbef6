// SPDX-License-Identifier: Apache-2.0
// What the server logs is changed while models run: their processes hear of it.
#include <signal.h>
#include <unistd.h>

#include "barrier.h"
#include "small_world.h"

#define CONFIG WORLD_IO "}"
#define MANY WORLD_IO ",\"parameters\":{\"MAX_IN_FLIGHT_BATCHES\":{\"string_value\":\"8\"}}}"

static bool is_told(void) {
  struct tsb_instance* instance = world_instance();
  pthread_mutex_lock(&instance->lock);
  uint32_t levels = tsb_load_acquire_u32(&instance->stub->memory.control->log_levels);
  pthread_mutex_unlock(&instance->lock);
  return (levels & TSB_LOG_LEVEL_VERBOSE) != 0;
}

static void wait_until_told(bool on) {
  for (int waited = 0; is_told() != on; waited++) {
    CHECK(waited < WORLD_WAIT_MS);
    usleep(1000);
  }
}

static void turn_verbose(bool on) { fake_log_switch(TRITONSERVER_LOG_VERBOSE, on); }

static void test_from_the_start(void) {
  turn_verbose(false);
  world_start("honest", CONFIG);
  CHECK_INT(is_told(), false);
  turn_verbose(true);
  world_end();
}

// Before the batch is handed over, so that the model knows while it executes it.
static void test_with_a_batch(void) {
  world_start("notes_levels", CONFIG);
  for (int i = 0; i < 4; i++) {
    turn_verbose(i % 2 != 0);
    world_send(0, 1);
    world_expect_end(0);
    CHECK(fake_log_wait(i % 2 != 0 ? "verbose is on" : "verbose is off", WORLD_WAIT_MS));
    fake_log_clear();
    world_clear();
  }
  world_end();
}

static void wait_until_open(void) {
  struct tsb_instance* instance = world_instance();
  for (int waited = 0;; waited++) {
    pthread_mutex_lock(&instance->lock);
    uint32_t open = instance->batches.request_count;
    pthread_mutex_unlock(&instance->lock);
    if (open > 0) return;
    CHECK(waited < WORLD_WAIT_MS);
    usleep(1000);
  }
}

static void* send_one(void* unused) {
  (void)unused;
  world_send(0, 1);
  return NULL;
}

// Execute looks while it waits for the answer, the supervisor where more batches may come.
static void test_while_a_batch_is_executed(const char* config) {
  pthread_t thread;
  world_start("hang_in_batch", config);
  CHECK_INT(pthread_create(&thread, NULL, send_one, NULL), 0);
  wait_until_open();
  for (int i = 0; i < 4; i++) {
    turn_verbose(i % 2 != 0);
    wait_until_told(i % 2 != 0);
  }
  pthread_mutex_lock(&world_instance()->lock);
  kill(world_instance()->stub->process.pid, SIGKILL);
  pthread_mutex_unlock(&world_instance()->lock);
  CHECK_INT(pthread_join(thread, NULL), 0);
  world_expect_end(0);
  world_end();
}

// A model that has no requests, and prints something, or would: an empty line asks, and is not logged.
static void test_when_asked(void) {
  world_start("asks_for_levels", CONFIG);
  for (int i = 0; i < 4; i++) {
    turn_verbose(i % 2 != 0);
    wait_until_told(i % 2 != 0);
  }
  CHECK_INT(fake_log_has("[fake_model_0]"), false);
  world_end();
}

// Whatever a stub sends, the server decides about each line.
static void test_lines_of_a_stub_that_does_not_care(void) {
  fake_log_switch(TRITONSERVER_LOG_INFO, false);
  fake_log_switch(TRITONSERVER_LOG_WARN, false);
  world_start("flood_of_output", CONFIG);
  world_send(0, 1);
  world_expect_end(0);
  world_end();
  CHECK_INT(fake_log_lines(), 0);
  fake_log_switch(TRITONSERVER_LOG_INFO, true);
  fake_log_switch(TRITONSERVER_LOG_WARN, true);
}

int main(void) {
  world_prepare("live-log");
  test_from_the_start();
  test_with_a_batch();
  test_while_a_batch_is_executed(CONFIG);
  test_while_a_batch_is_executed(MANY);
  test_when_asked();
  test_lines_of_a_stub_that_does_not_care();
  world_close();
  return 0;
}
