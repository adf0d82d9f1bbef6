// SPDX-License-Identifier: Apache-2.0
// Calls of other models with inputs that a client has lent: the other model reads them where they lie, and no client
// can notice how long, or be noticed. The client has its memory back when its request is over.
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fake_callee.h"
#include "fake_client.h"
#include "mapping.h"
#include "small_world.h"

enum {
  ELEMENTS = 8192,
  BYTES = ELEMENTS * (int)sizeof(float),  // more than TSB_LEND_MIN_BYTES
  TIMES = 10,
};

#define MANY "{\"MAX_IN_FLIGHT_BATCHES\":{\"string_value\":\"8\"}}"
static const char ONE_BY_ONE[] = WORLD_IO "}";
static const char AT_ONCE[] = WORLD_IO ",\"parameters\":" MANY "}";
static const char STREAMING[] = WORLD_IO ",\"model_transaction_policy\":{\"decoupled\":true}}";

static struct fake_client client;
static int maps_fd;

static void start(const char* evils, const char* model, const char* config) {
  setenv("FAKE_STUB_CALLS", model, 1);
  world_start(evils, config);
  fake_client_open(&client, "call_loans", WORLD_REQUESTS * BYTES);
}

static void end(void) {
  if (client.fd >= 0) fake_client_close(&client);
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

static void wait_for_calls(long count) {
  for (int waited = 0; fake_sent_calls() < count; waited++) {
    CHECK(waited < WORLD_WAIT_MS);
    usleep(1000);
  }
}

static void expect_error(int index, const char* says) {
  world_expect_end(index);
  CHECK(world_requests[index].response->error != NULL);
  CHECK_CONTAINS(TRITONSERVER_ErrorMessage(world_requests[index].response->error), says);
}

static void expect_echo(int index) {
  world_expect_end(index);
  CHECK_INT(world_requests[index].success_count, 1);
  const TRITONBACKEND_Output* output = fake_output(&world_requests[index], "OUT");
  CHECK(output != NULL);
  CHECK_INT(output->bytes, BYTES);
  CHECK_INT(memcmp(output->data, client.base + (uint64_t)index * BYTES, BYTES), 0);
}

static void expect_round(void) {
  set_requests();
  world_send(0, WORLD_REQUESTS);
  for (int i = 0; i < WORLD_REQUESTS; i++) expect_echo(i);
}

// Where the other model found its input: in the client's file, or in a copy.
static void expect_place(bool is_copied) {
  const uint8_t* data = fake_call_data();
  struct tsb_mapping theirs, ours;
  CHECK_INT(tsb_mapping_find(maps_fd, &theirs, client.base, 1), 0);
  if (is_copied) {
    CHECK_INT(tsb_mapping_find(maps_fd, &ours, data, 1), -ENOENT);
    return;
  }
  CHECK_INT(tsb_mapping_find(maps_fd, &ours, data, BYTES), 0);
  CHECK_INT(ours.inode, theirs.inode);
  CHECK(data + BYTES <= client.base || data >= client.base + client.bytes);  // the server may take its own away
}

static void test_answers(const char* config, bool is_copied) {
  start("honest", "echo", config);
  for (int i = 0; i < TIMES; i++) {
    expect_round();
    expect_place(is_copied);
    world_expect_nothing_open();  // what is lent still is not lent to the next batch
  }
  end();
}

// What was viewed goes back with the file, and is viewed anew.
static void test_a_region_that_goes_and_comes(void) {
  start("honest", "echo", ONE_BY_ONE);
  for (int i = 0; i < 2; i++) {
    expect_round();
    expect_place(false);
    const void* data = fake_call_data();
    CHECK(fake_client_wait(&client, 0, WORLD_WAIT_MS));
    struct tsb_mapping mapping;
    CHECK_INT(tsb_mapping_find(maps_fd, &mapping, data, 1), -ENOENT);
  }
  end();
}

// A client that has its answer may do with its memory what it likes, whoever reads it.
static void test_death_with_calls_open(void) {
  long before = fake_sent_calls(), read = fake_read_calls(), sum = fake_read_sum();
  start("honest", "echo_held", AT_ONCE);
  set_requests();
  for (int i = 0; i < WORLD_REQUESTS; i++) world_send(i, 1);
  wait_for_calls(before + WORLD_REQUESTS);
  expect_place(false);
  pthread_mutex_lock(&world_instance()->lock);
  kill(world_instance()->stub->process.pid, SIGKILL);
  pthread_mutex_unlock(&world_instance()->lock);
  for (int i = 0; i < WORLD_REQUESTS; i++) expect_error(i, "is not healthy");
  CHECK_INT(fake_read_calls() - read, 0);
  CHECK_INT(ftruncate(client.fd, 0), 0);
  fake_client_close(&client);
  fake_callee_let_go(WORLD_REQUESTS);
  end();
  CHECK_INT(fake_read_calls() - read, WORLD_REQUESTS);
  CHECK_INT(fake_read_sum() - sum, 0);
}

// A stub that answers a request from which another model reads still is stopped: its answer never reaches the client,
// who would take its memory back.
static void test_an_answer_while_a_call_reads(void) {
  long before = fake_sent_calls(), read = fake_read_calls(), sum = fake_read_sum();
  start("answers_in_call", "echo_held", ONE_BY_ONE);
  set_requests();
  world_send(0, 1);
  expect_error(0, "is not healthy");
  CHECK(fake_log_wait("wrote something that breaks the protocol; it is stopped.", WORLD_WAIT_MS));
  CHECK_INT(fake_sent_calls() - before, 1);
  CHECK_INT(ftruncate(client.fd, 0), 0);
  CHECK_INT(ftruncate(client.fd, (off_t)client.bytes), 0);
  fake_callee_let_go(1);
  for (int waited = 0; fake_read_calls() == read; waited++) {
    CHECK(waited < WORLD_WAIT_MS);
    usleep(1000);
  }
  CHECK_INT(fake_read_sum() - sum, 0);
  fake_callee_let_go(WORLD_REQUESTS);
  expect_round();  // by the next stub
  end();
}

static void test_a_region_that_is_cut_short(void) {
  long before = fake_sent_calls();
  start("honest", "echo", ONE_BY_ONE);
  set_requests();
  CHECK_INT(ftruncate(client.fd, BYTES), 0);
  world_send(0, 2);
  expect_echo(0);
  expect_error(1, "cut short");
  CHECK_INT(fake_sent_calls() - before, 1);
  end();
}

int main(void) {
  if (!fake_client_is_lendable()) {
    puts("skipped: this system has no PROCMAP_QUERY (Linux 6.11)");
    return CHECK_SKIPPED;
  }
  maps_fd = tsb_mapping_open_maps();
  world_prepare("call_loans");
  test_answers(ONE_BY_ONE, false);
  test_answers(AT_ONCE, false);
  test_answers(STREAMING, true);
  test_a_region_that_goes_and_comes();
  test_death_with_calls_open();
  test_an_answer_while_a_call_reads();
  test_a_region_that_is_cut_short();
  world_close();
  close(maps_fd);
  return 0;
}
