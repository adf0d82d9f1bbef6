// SPDX-License-Identifier: Apache-2.0
// test_lending WINDOW: inputs in a client's memory, lent to stubs that are honest and to some that are not. A loan
// harms no other request, and it ends, whatever became of its batch.
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "check.h"
#include "fake_client.h"
#include "fake_host.h"

enum {
  COUNT = 3,
  ELEMENTS = 8192,
  BYTES = ELEMENTS * (int)sizeof(float),  // more than TSB_LEND_MIN_BYTES
  CLIENT_BYTES = 16 * BYTES,
  BIG_BYTES = 8 << 20,  // more than the limit of the model below
  WAIT_MS = 60000,
};

static int window;
static char starts_file[256];
static struct fake_host host;
static struct fake_client client;
static TRITONBACKEND_Request requests[2][COUNT];
static uint8_t expected[2][COUNT][BYTES];

static void start(const char* evil) {
  char config[512];
  const char* step;
  snprintf(config, sizeof config,
           "{\"name\":\"fake_model\",\"max_batch_size\":0,\"input\":[{\"name\":\"IN\",\"data_type\":\"TYPE_FP32\","
           "\"dims\":[-1]}],\"output\":[{\"name\":\"OUT\",\"data_type\":\"TYPE_FP32\",\"dims\":[-1]}],"
           "\"parameters\":{\"MAX_IN_FLIGHT_BATCHES\":{\"string_value\":\"%d\"}}}",
           window);
  struct fake_host_plan plan = {.options =
                                    "\"restart-backoff-ms\":\"20\",\"shm-default-byte-size\":\"1048576\","
                                    "\"shm-growth-byte-size\":\"1\",\"shm-max-byte-size\":\"4194304\"",
                                .config = config,
                                .repository = "/nowhere"};
  fprintf(stderr, "--- %s, %d in flight\n", evil, window);
  unlink(starts_file);
  setenv("FAKE_STUB_EVILS", evil, 1);
  fake_log_clear();
  TRITONSERVER_Error* error = fake_host_load(&host, fake_library_linked(), &plan, &step);
  if (error != NULL) CHECK_FAIL("loading failed in step '%s': %s", step, TRITONSERVER_ErrorMessage(error));
  fake_client_open(&client, "lending", CLIENT_BYTES);
}

static void end(void) {
  fake_client_close(&client);
  fake_host_unload(&host);
  const char* left = fake_host_leftover(&host);
  if (left != NULL) CHECK_FAIL("%s", left);
  CHECK_INT(fake_live_responses(), 0);
}

static long starts(void) { return fake_host_file_bytes(starts_file); }

static TRITONBACKEND_Request* set_request(int batch, int index, const void* data, uint64_t bytes) {
  TRITONBACKEND_Request* request = &requests[batch][index];
  fake_request_clear(request);
  *request = (TRITONBACKEND_Request){.input_count = 1, .outputs = {"OUT"}, .output_count = 1};
  request->inputs[0] = (TRITONBACKEND_Input){.name = "IN",
                                             .datatype = TRITONSERVER_TYPE_FP32,
                                             .shape = {(int64_t)(bytes / sizeof(float))},
                                             .dims_count = 1,
                                             .bytes = bytes,
                                             .buffer_count = 1,
                                             .buffers = {data},
                                             .buffer_bytes = {bytes}};
  return request;
}

// One request's input at `offset` of the client's memory, with bytes that are new each time.
static TRITONBACKEND_Request* set_lent(int batch, int index, uint64_t offset) {
  static uint64_t seed = 4711;
  for (uint64_t i = 0; i < BYTES; i += 8) {
    uint64_t value = check_random(&seed);
    memcpy(expected[batch][index] + i, &value, 8);
  }
  memcpy(client.base + offset, expected[batch][index], BYTES);
  return set_request(batch, index, client.base + offset, BYTES);
}

static void send(int batch, uint32_t count) {
  TRITONBACKEND_Request* batched[COUNT];
  for (uint32_t i = 0; i < count; i++) batched[i] = &requests[batch][i];
  fake_host_execute(&host, batched, count);
}

static void expect_answer(const TRITONBACKEND_Request* request) {
  CHECK(fake_request_wait(request, WAIT_MS));
  CHECK_INT(request->response_count, 1);
  CHECK_INT(request->release_count, 1);
  CHECK_INT(request->success_count + request->failure_count, 1);
  CHECK(request->response != NULL);
}

static void expect_bytes(int batch, int index, const uint8_t* bytes) {
  const TRITONBACKEND_Request* request = &requests[batch][index];
  expect_answer(request);
  if (request->response->error != NULL) CHECK_FAIL("error: %s", TRITONSERVER_ErrorMessage(request->response->error));
  const TRITONBACKEND_Output* output = fake_output(request, "OUT");
  CHECK(output != NULL);
  CHECK_INT(output->bytes, BYTES);
  if (memcmp(output->data, bytes, BYTES) != 0)
    CHECK_FAIL("the answer to request %d of batch %d is wrong", index, batch);
}

static void expect_right(int batch, int index) { expect_bytes(batch, index, expected[batch][index]); }

static void expect_error(int batch, int index, const char* part) {
  const TRITONBACKEND_Request* request = &requests[batch][index];
  expect_answer(request);
  CHECK(request->response->error != NULL);
  CHECK_CONTAINS(TRITONSERVER_ErrorMessage(request->response->error), part);
}

static void clear(void) {
  for (int i = 0; i < 2 * COUNT; i++) fake_request_clear(&requests[i / COUNT][i % COUNT]);
}

// A batch of inputs side by side, as honest as can be.
static void expect_all_is_well(void) {
  for (int i = 0; i < COUNT; i++) set_lent(0, i, (uint64_t)i * BYTES);
  send(0, COUNT);
  for (int i = 0; i < COUNT; i++) expect_right(0, i);
  clear();
}

// --- Cases ---------------------------------------------------------------------------------------------------------
// Nothing else happens any more that could wake the library up, which must do so all the same.
static void test_a_region_without_loans_is_taken_back(void) {
  start("");
  for (int i = 0; i < 2; i++) {
    expect_all_is_well();
    CHECK_INT(fake_client_mappings(&client), 1);
    CHECK(fake_client_wait(&client, 0, WAIT_MS));
  }
  end();
}

// The second request is too large for a copy: the batch never reaches the stub, but the region of its first one has.
static void test_a_batch_that_fails_ends_its_loans(void) {
  uint8_t* big = calloc(1, BIG_BYTES);
  start("");
  set_lent(0, 0, 0);
  set_request(0, 1, big, BIG_BYTES);
  send(0, 2);
  for (int i = 0; i < 2; i++) expect_error(0, i, "Failed to increase the shared memory pool size");
  clear();
  CHECK(fake_client_wait(&client, 1, WAIT_MS));
  CHECK(fake_client_wait(&client, 0, WAIT_MS));
  expect_all_is_well();
  free(big);
  end();
}

// The input is read whole before the output is written over a part of it, whether the answer names the input or a copy.
static void test_outputs_over_their_own_inputs(const char* evil) {
  static const uint64_t SHIFTS[] = {0, 64, 4096, BYTES - 64};
  start(evil);
  for (size_t i = 0; i < sizeof SHIFTS / sizeof SHIFTS[0]; i++) {
    for (int forth = 0; forth < 2; forth++) {
      set_lent(0, 0, forth ? BYTES : BYTES + SHIFTS[i])->output_memory[0] =
          client.base + BYTES + (forth ? SHIFTS[i] : 0);
      send(0, 1);
      expect_right(0, 0);
    }
  }
  clear();
  end();
}

// A file that was cut short and is whole again is passed on anew.
static void test_a_region_that_is_cut_short(void) {
  start("copies");
  for (int i = 0; i < 5; i++) {
    expect_all_is_well();
    set_lent(0, 0, 0);
    set_lent(0, 1, 4 * BYTES);
    CHECK_INT(ftruncate(client.fd, 2 * BYTES), 0);
    send(0, 2);
    expect_answer(&requests[0][0]);  // right, or an error, as the other one uses the same region
    expect_error(0, 1, "cut short");
    clear();
    CHECK_INT(ftruncate(client.fd, CLIENT_BYTES), 0);
  }
  CHECK_INT(starts(), 1);
  end();
}

// What a model writes into one input shows in no other one, in its batch or beside it, and not in the client's memory.
static void test_a_model_that_writes_into_an_input(void) {
  static uint8_t written[BYTES];
  memset(written, 0xff, sizeof written);
  start("writes_into_an_input");
  for (int i = 0; i < COUNT; i++) {
    set_lent(0, i, 0);
    set_lent(1, i, 0);
  }
  for (int i = 0; i < 2 * COUNT; i++) memcpy(expected[i / COUNT][i % COUNT], expected[1][COUNT - 1], BYTES);
  send(0, COUNT);
  send(1, COUNT);
  expect_bytes(0, 0, written);
  for (int i = 1; i < 2 * COUNT; i++) expect_right(i / COUNT, i % COUNT);
  CHECK_INT(memcmp(client.base, expected[1][COUNT - 1], BYTES), 0);
  clear();
  for (int i = 0; i < 3; i++) expect_all_is_well();
  CHECK_INT(starts(), 1);
  end();
}

// What it wrote hides what the client writes next, so from then on it gets copies.
static void test_a_model_that_always_writes(void) {
  start("writes_without_a_rest");
  for (int i = 0; i < 8; i++) {
    set_lent(0, 0, (uint64_t)(i % 2) * BYTES);
    send(0, 1);
    expect_right(0, 0);
  }
  CHECK(fake_client_wait(&client, 0, WAIT_MS));
  for (int i = 0; i < 3; i++) expect_all_is_well();
  CHECK_INT(fake_client_mappings(&client), 0);
  CHECK_INT(starts(), 1);
  end();
}

// The first request is answered with a place that is not its own.
static void test_a_place_that_is_not_its_own(const char* evil) {
  start(evil);
  for (int round = 0; round < 3; round++) {
    // Other bytes each time: those of the last batch may be lent for a moment longer, and would be copied.
    for (int i = 0; i < COUNT; i++) set_lent(0, i, (uint64_t)(round * COUNT + i + 1) * BYTES);
    send(0, COUNT);
    expect_error(0, 0, "which do not fit together");
    for (int i = 1; i < COUNT; i++) expect_right(0, i);
    clear();
  }
  CHECK_INT(starts(), 1);
  end();
}

// A record is what no correct stub leaves in a client's memory.
static void test_a_record_in_lent_memory(void) {
  start("record_in_lent_memory");
  set_lent(0, 0, 0);
  send(0, 1);
  expect_error(0, 0, "breaks the protocol");
  clear();
  CHECK(fake_log_wait("wrote something that breaks the protocol; it is stopped.", WAIT_MS));
  for (int i = 0; i < 2000 && starts() < 2; i++) usleep(5000);
  expect_all_is_well();
  end();
}

// The stub's word on what its model wrote and on what was lost changes all the time: files are lent, copied and passed
// on anew.
static void test_words_that_change(void) {
  start("words_that_change");
  for (int i = 0; i < 500; i++) {
    for (int j = 0; j < 2 * COUNT; j++) set_lent(j / COUNT, j % COUNT, (uint64_t)j * BYTES);
    send(0, COUNT);
    send(1, COUNT);
    for (int j = 0; j < 2 * COUNT; j++) expect_right(j / COUNT, j % COUNT);
    clear();
  }
  CHECK_INT(starts(), 1);
  end();
}

int main(int count, char** arguments) {
  static const char* const LIES[] = {"loan_of_another_request", "region_never_lent", "region_that_nobody_makes",
                                     "behind_the_loan",         "before_the_loan",   "loan_overflow"};
  if (count != 2) CHECK_FAIL("usage: %s WINDOW", arguments[0]);
  if (!fake_client_is_lendable()) {
    printf("skipped: this system has no PROCMAP_QUERY (Linux 6.11)\n");
    return CHECK_SKIPPED;
  }
  window = atoi(arguments[1]);
  signal(SIGPIPE, SIG_IGN);  // as in the server
  snprintf(starts_file, sizeof starts_file, "/tmp/triton-typescript-lending-%d", (int)getpid());
  setenv("FAKE_STUB_STARTS", starts_file, 1);
  setenv("TRITON_TYPESCRIPT_NODE", HOSTILE_STUB, 1);
  setenv("TRITON_TYPESCRIPT_RUNTIME", FAKE_RUNTIME, 1);
  test_a_region_without_loans_is_taken_back();
  test_a_batch_that_fails_ends_its_loans();
  test_outputs_over_their_own_inputs("");
  test_outputs_over_their_own_inputs("copies");
  test_a_region_that_is_cut_short();
  if (window > 1) test_a_model_that_writes_into_an_input();
  test_a_model_that_always_writes();
  for (size_t i = 0; i < sizeof LIES / sizeof LIES[0]; i++) test_a_place_that_is_not_its_own(LIES[i]);
  test_a_record_in_lent_memory();
  test_words_that_change();
  unlink(starts_file);
  return 0;
}
