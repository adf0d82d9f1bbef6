// SPDX-License-Identifier: Apache-2.0
// Calls of other models with inputs that a client has lent: they are copied into memory that the calling stub views,
// and that is free again when the call is over.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fake_callee.h"
#include "fake_client.h"
#include "small_world.h"

enum {
  BYTES = 32768,  // more than TSB_LEND_MIN_BYTES
  TIMES = 10,
  MIB = 1 << 20,
};

#define MANY "{\"MAX_IN_FLIGHT_BATCHES\":{\"string_value\":\"8\"}}"
static const char ONE_BY_ONE[] = WORLD_IO "}";
static const char AT_ONCE[] = WORLD_IO ",\"parameters\":" MANY "}";

static struct fake_client client;
static uint64_t input_bytes;

static void start(const char* evils, const char* model, const char* config, uint64_t bytes) {
  input_bytes = bytes;
  fake_client_open(&client, "call_loans", WORLD_REQUESTS * bytes);
  setenv("FAKE_STUB_CLIENT", client.name, 1);
  setenv("FAKE_STUB_CALLS", model, 1);
  world_start(evils, config);
}

static void end(void) {
  world_end();
  fake_client_close(&client);
}

// Requests whose inputs lie in the client's memory, with bytes that are new each time.
static void set_requests(void) {
  static uint64_t seed = 4712;
  world_clear();
  CHECK_INT(ftruncate(client.fd, (off_t)client.bytes), 0);  // a stub may have cut it short
  for (int i = 0; i < WORLD_REQUESTS; i++) {
    uint8_t* data = client.base + (uint64_t)i * input_bytes;
    for (uint64_t at = 0; at < input_bytes; at += sizeof seed) {
      uint64_t value = check_random(&seed);
      memcpy(data + at, &value, sizeof value);
    }
    TRITONBACKEND_Input* input = &world_requests[i].inputs[0];
    input->shape[0] = (int64_t)(input_bytes / sizeof(float));
    input->bytes = input->buffer_bytes[0] = input_bytes;
    input->buffers[0] = data;
  }
}

static void expect_echo(int index) {
  world_expect_end(index);
  CHECK_INT(world_requests[index].success_count, 1);
  const TRITONBACKEND_Output* output = fake_output(&world_requests[index], "OUT");
  CHECK(output != NULL);
  CHECK_INT(output->bytes, input_bytes);
  CHECK_INT(memcmp(output->data, client.base + (uint64_t)index * input_bytes, input_bytes), 0);
}

static uint64_t used_bytes(void) {
  struct tsb_stub_memory* memory = &world_instance()->stub->memory;
  pthread_mutex_lock(&memory->lock);
  uint64_t bytes = memory->inbound.used_bytes;
  pthread_mutex_unlock(&memory->lock);
  return bytes;
}

static void expect_nothing_used(void) {
  world_expect_nothing_open();
  for (int waited = 0; used_bytes() > 0; waited++) {
    CHECK(waited < WORLD_WAIT_MS);
    usleep(1000);
  }
  struct tsb_open_calls* calls = &world_instance()->stub->calls;
  pthread_mutex_lock(&calls->lock);
  CHECK_INT(calls->count, 0);
  CHECK_INT(calls->copied_bytes, 0);
  pthread_mutex_unlock(&calls->lock);
}

static void expect_error(int index, TRITONSERVER_Error_Code code, const char* says) {
  world_expect_end(index);
  TRITONSERVER_Error* error = world_requests[index].response->error;
  CHECK(error != NULL);
  CHECK_CONTAINS(TRITONSERVER_ErrorMessage(error), says);
  CHECK_INT(TRITONSERVER_ErrorCode(error), code);
}

static void test_answers(const char* model, const char* config) {
  start("honest", model, config, BYTES);
  for (int i = 0; i < TIMES; i++) {
    set_requests();
    world_send(0, WORLD_REQUESTS);
    for (int j = 0; j < WORLD_REQUESTS; j++) expect_echo(j);
    expect_nothing_used();
  }
  end();
}

// Of a call that is refused after inputs of it were copied, nothing is kept.
static void test_refused(const char* evils, uint64_t bytes, TRITONSERVER_Error_Code code, const char* says) {
  start(evils, "echo", ONE_BY_ONE, bytes);
  for (int i = 0; i < TIMES; i++) {
    set_requests();
    world_send(0, WORLD_REQUESTS);
    for (int j = 0; j < WORLD_REQUESTS; j++) expect_error(j, code, says);
    expect_nothing_used();
  }
  CHECK_INT(fake_log_has("breaks the protocol"), false);
  end();
}

// What is copied for calls has a bound of its own, wherever it is copied to: here half of it is private.
static void test_too_much_for_one_call(void) {
  start("call_input_again", "echo", ONE_BY_ONE, MIB);
  for (int i = 0; i < TIMES; i++) {
    set_requests();
    for (int j = 0; j < WORLD_REQUESTS; j++) *(uint32_t*)(client.base + (uint64_t)j * MIB) = MIB - sizeof(uint32_t);
    world_send(0, WORLD_REQUESTS);
    for (int j = 0; j < WORLD_REQUESTS; j++) {
      expect_error(j, TRITONSERVER_ERROR_UNAVAILABLE, "would take more than 8388608 bytes");
    }
    expect_nothing_used();
  }
  end();
}

// Who is told that a call is over may make the next one, even if the memory holds the inputs of one only.
static void test_one_after_the_other(void) {
  enum { CALLS = 2000 };
  const char* before = world_memory;
  world_memory = "\"shm-default-byte-size\":\"1048576\",\"shm-max-byte-size\":\"1048576\"";
  start("honest", "nothing", ONE_BY_ONE, MIB / 8 * 5);
  set_requests();
  for (int i = 0; i < CALLS; i++) {
    fake_request_clear(&world_requests[0]);
    world_send(0, 1);
    expect_error(0, TRITONSERVER_ERROR_INTERNAL, "");
  }
  expect_nothing_used();
  end();
  world_memory = before;
}

// The other model reads on when the stub is gone and the client has its memory back.
static void test_death_with_calls_open(void) {
  long before = fake_sent_calls(), read = fake_held_inputs();
  uint64_t digest = fake_held_digest();
  start("honest", "held", AT_ONCE, BYTES);
  fake_hold(true);
  set_requests();
  for (int i = 0; i < WORLD_REQUESTS; i++) digest += fake_digest(client.base + i * BYTES, BYTES);
  for (int i = 0; i < WORLD_REQUESTS; i++) world_send(i, 1);
  for (int waited = 0; fake_sent_calls() < before + WORLD_REQUESTS; waited++) {
    CHECK(waited < WORLD_WAIT_MS);
    usleep(1000);
  }
  CHECK(used_bytes() >= WORLD_REQUESTS * (uint64_t)BYTES);
  pthread_mutex_lock(&world_instance()->lock);
  kill(world_instance()->stub->process.pid, SIGKILL);
  pthread_mutex_unlock(&world_instance()->lock);
  for (int i = 0; i < WORLD_REQUESTS; i++) {
    world_expect_end(i);
    CHECK(world_requests[i].response->error != NULL);
  }
  memset(client.base, 0xa5, client.bytes);
  fake_hold(false);
  for (int waited = 0; fake_held_inputs() < read + WORLD_REQUESTS; waited++) {
    CHECK(waited < WORLD_WAIT_MS);
    usleep(1000);
  }
  CHECK(fake_held_digest() == digest);
  end();
}

int main(void) {
  if (!fake_client_is_lendable()) {
    puts("skipped: this system has no PROCMAP_QUERY (Linux 6.11)");
    return CHECK_SKIPPED;
  }
  world_prepare("call_loans");
  test_answers("echo", ONE_BY_ONE);
  test_answers("echo", AT_ONCE);
  test_answers("echo_inline", ONE_BY_ONE);
  test_answers("echo_late", AT_ONCE);
  test_refused("call_second_lies", BYTES, TRITONSERVER_ERROR_INTERNAL, "do not fit its 32768 bytes of data");
  test_refused("call_cut_short", BYTES, TRITONSERVER_ERROR_INVALID_ARG, "that was cut short");
  test_refused("honest", 5 * MIB, TRITONSERVER_ERROR_UNAVAILABLE,
               "an input of 5242880 bytes that a client has lent cannot be copied for a call: it does not fit");
  test_too_much_for_one_call();
  test_one_after_the_other();
  test_death_with_calls_open();
  world_close();
  return 0;
}
