// SPDX-License-Identifier: Apache-2.0
#include "small_world.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct fake_host world_host;
float world_data[WORLD_REQUESTS][WORLD_ELEMENTS];
TRITONBACKEND_Request world_requests[WORLD_REQUESTS];
const char* world_memory = "\"shm-default-byte-size\":\"4194304\",\"shm-max-byte-size\":\"8388608\"";
static char starts_file[256];

void world_prepare(const char* name) {
  signal(SIGPIPE, SIG_IGN);
  snprintf(starts_file, sizeof starts_file, "/tmp/tsb-%s-%d", name, (int)getpid());
  setenv("FAKE_STUB_STARTS", starts_file, 1);
  setenv("TRITON_TYPESCRIPT_NODE", HOSTILE_STUB, 1);
  setenv("TRITON_TYPESCRIPT_RUNTIME", FAKE_RUNTIME, 1);
}

void world_close(void) { unlink(starts_file); }

struct tsb_instance* world_instance(void) { return world_host.instance.state; }

void world_start(const char* evils, const char* config) {
  const char* step;
  char options[256];
  snprintf(options, sizeof options, "\"restart-backoff-ms\":\"20\",%s", world_memory);
  struct fake_host_plan plan = {.options = options, .config = config, .repository = "/nowhere"};
  fprintf(stderr, "--- %s\n", evils);
  unlink(starts_file);
  setenv("FAKE_STUB_EVILS", evils, 1);
  fake_log_clear();
  TRITONSERVER_Error* error = fake_host_load(&world_host, fake_library_linked(), &plan, &step);
  if (error != NULL) CHECK_FAIL("loading failed in step '%s': %s", step, TRITONSERVER_ErrorMessage(error));
  for (int i = 0; i < WORLD_REQUESTS; i++) {
    float* data = world_data[i];
    for (int k = 0; k < WORLD_ELEMENTS; k++) data[k] = (float)(i * 1000 + k);
    fake_request_clear(&world_requests[i]);
    world_requests[i] = (TRITONBACKEND_Request){.id = "r", .input_count = 1, .outputs = {"OUT"}, .output_count = 1};
    world_requests[i].inputs[0] = (TRITONBACKEND_Input){.name = "IN",
                                                        .datatype = TRITONSERVER_TYPE_FP32,
                                                        .shape = {WORLD_ELEMENTS},
                                                        .dims_count = 1,
                                                        .bytes = sizeof world_data[i],
                                                        .buffer_count = 1,
                                                        .buffers = {data},
                                                        .buffer_bytes = {sizeof world_data[i]}};
  }
}

void world_clear(void) {
  for (int i = 0; i < WORLD_REQUESTS; i++) fake_request_clear(&world_requests[i]);
}

void world_end(void) {
  world_clear();
  fake_host_unload(&world_host);
  const char* left = fake_host_leftover(&world_host);
  if (left != NULL) CHECK_FAIL("%s", left);
  CHECK_INT(fake_live_responses(), 0);
}

void world_send(int first, int count) {
  TRITONBACKEND_Request* batch[WORLD_REQUESTS];
  for (int i = 0; i < count; i++) batch[i] = &world_requests[first + i];
  fake_host_execute(&world_host, batch, (uint32_t)count);
}

void world_expect_end(int index) {
  const TRITONBACKEND_Request* request = &world_requests[index];
  CHECK(fake_request_wait(request, WORLD_WAIT_MS));
  CHECK_INT(request->final_count, 1);
  CHECK_INT(request->after_final_count, 0);
  CHECK_INT(request->release_count, 1);
  CHECK_INT(request->success_count + request->failure_count, 1);
}

void world_expect_echo(int index) {
  const TRITONBACKEND_Output* output = fake_output(&world_requests[index], "OUT");
  CHECK(output != NULL);
  CHECK_INT(output->bytes, sizeof world_data[index]);
  CHECK_INT(memcmp(output->data, world_data[index], sizeof world_data[index]), 0);
}

void world_expect_nothing_open(void) {
  struct tsb_instance* instance = world_instance();
  for (int waited = 0;; waited++) {
    pthread_mutex_lock(&instance->lock);
    uint32_t open = instance->batches.open_count + instance->batches.request_count;
    pthread_mutex_unlock(&instance->lock);
    if (open == 0) return;
    CHECK(waited < WORLD_WAIT_MS);
    usleep(1000);
  }
}

static bool all_succeed(void) {
  bool all_right = true;
  world_send(0, WORLD_REQUESTS);
  for (int i = 0; i < WORLD_REQUESTS; i++) {
    world_expect_end(i);
    all_right = all_right && world_requests[i].success_count == 1;
  }
  return all_right;
}

void world_expect_recovery(const char* evil, const char* config, const char* says) {
  world_start(evil, config);
  all_succeed();
  world_clear();
  if (!fake_log_wait(says, WORLD_WAIT_MS)) CHECK_FAIL("the log does not say: %s", says);
  for (int tries = 0; !all_succeed(); tries++) {
    CHECK(tries < 400);
    world_clear();
    usleep(10000);
  }
  for (int i = 0; i < WORLD_REQUESTS; i++) world_expect_echo(i);
  world_end();
}
