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
  ELEMENTS = 8192,
  BYTES = ELEMENTS * (int)sizeof(float),  // more than TSB_LEND_MIN_BYTES
  TIMES = 10,
};

#define MANY "{\"MAX_IN_FLIGHT_BATCHES\":{\"string_value\":\"8\"}}"
static const char ONE_BY_ONE[] = WORLD_IO "}";
static const char AT_ONCE[] = WORLD_IO ",\"parameters\":" MANY "}";

static struct fake_client client;

static void start(const char* model, const char* config) {
  setenv("FAKE_STUB_CALLS", model, 1);
  world_start("honest", config);
  fake_client_open(&client, "call_loans", WORLD_REQUESTS * BYTES);
}

static void end(void) {
  fake_client_close(&client);
  world_end();
}

// Requests whose inputs lie in the client's memory, with bytes that are new each time.
static void set_requests(void) {
  static uint64_t seed = 4712;
  world_clear();
  for (int i = 0; i < WORLD_REQUESTS; i++) {
    uint8_t* data = client.base + (uint64_t)i * BYTES;
    for (uint64_t at = 0; at < BYTES; at += sizeof seed) {
      uint64_t value = check_random(&seed);
      memcpy(data + at, &value, sizeof value);
    }
    TRITONBACKEND_Input* input = &world_requests[i].inputs[0];
    input->shape[0] = ELEMENTS;
    input->bytes = input->buffer_bytes[0] = BYTES;
    input->buffers[0] = data;
  }
}

static void expect_echo(int index) {
  world_expect_end(index);
  CHECK_INT(world_requests[index].success_count, 1);
  const TRITONBACKEND_Output* output = fake_output(&world_requests[index], "OUT");
  CHECK(output != NULL);
  CHECK_INT(output->bytes, BYTES);
  CHECK_INT(memcmp(output->data, client.base + (uint64_t)index * BYTES, BYTES), 0);
}

static uint64_t used_bytes(void) {
  struct tsb_stub_memory* memory = &world_instance()->stub->memory;
  pthread_mutex_lock(&memory->lock);
  uint64_t bytes = memory->inbound.used_bytes;
  pthread_mutex_unlock(&memory->lock);
  return bytes;
}

static void test_answers(const char* model, const char* config) {
  start(model, config);
  for (int i = 0; i < TIMES; i++) {
    set_requests();
    world_send(0, WORLD_REQUESTS);
    for (int j = 0; j < WORLD_REQUESTS; j++) expect_echo(j);
    world_expect_nothing_open();
    for (int waited = 0; used_bytes() > 0; waited++) {
      CHECK(waited < WORLD_WAIT_MS);
      usleep(1000);
    }
  }
  end();
}

// The other model reads on when the stub is gone and the client has its memory back.
static void test_death_with_calls_open(void) {
  long before = fake_sent_calls();
  start("silent", AT_ONCE);
  set_requests();
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
  if (!FAKE_TRITON_IS_OLD) test_death_with_calls_open();
  world_close();
  return 0;
}
