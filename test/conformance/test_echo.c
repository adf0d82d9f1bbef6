// SPDX-License-Identifier: Apache-2.0
// test_echo WINDOW: the library against real stubs on Node: what goes in must come back, whatever its type and size.
#include <dirent.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "fake_client.h"
#include "fake_host.h"
#include "dtype.h"
#include "text.h"

enum { INPUTS = 32, TYPES = 14, MAX_REQUESTS = 1300, WAIT_MS = 60000, MIB = 1 << 20, CLIENT_BYTES = 8 * MIB };

static struct fake_host host;
static int window;
static uint64_t seed = 1234567;
static char input_names[INPUTS][8], output_names[INPUTS][8];
static TRITONBACKEND_Request* requests;  // MAX_REQUESTS of them
static struct fake_client client;
static const char* const WAYS[] = {"view", "copy", "allocate"};

// Input i has datatype 1 + i % 14.
static TRITONSERVER_DataType type_of(int index) { return (TRITONSERVER_DataType)(1 + index % TYPES); }

static void add_table(struct tsb_text* text, const char* prefix) {
  for (int i = 0; i < INPUTS; i++) {
    const char* name = tsb_dtype_name(type_of(i));
    tsb_text_printf(text, "%s{\"name\":\"%s%d\",\"data_type\":\"TYPE_%s\",\"dims\":[-1]}", i == 0 ? "" : ",", prefix, i,
                    strcmp(name, "BYTES") == 0 ? "STRING" : name);
  }
}

static void load(void) {
  struct tsb_text config = {0};
  const char* step;
  tsb_text_printf(&config, "{\"name\":\"fake_model\",\"max_batch_size\":0,\"input\":[");
  add_table(&config, "IN");
  tsb_text_printf(&config, "],\"output\":[");
  add_table(&config, "OUT");
  tsb_text_printf(&config, "],\"parameters\":{\"MAX_IN_FLIGHT_BATCHES\":{\"string_value\":\"%d\"}}}", window);
  struct fake_host_plan plan = {.options =
                                    "\"shm-default-byte-size\":\"1048576\",\"shm-growth-byte-size\":\"1\","
                                    "\"shm-max-byte-size\":\"268435456\","
                                    "\"stub-timeout-seconds\":\"300\"",  // Node may be emulated
                                .config = tsb_text_get(&config),
                                .repository = ECHO_MODEL};
  TRITONSERVER_Error* error = fake_host_load(&host, fake_library_linked(), &plan, &step);
  if (error != NULL) CHECK_FAIL("loading failed in step '%s': %s", step, TRITONSERVER_ErrorMessage(error));
  tsb_text_free(&config);
}

// --- Requests ------------------------------------------------------------------------------------------------------
static uint8_t* random_bytes(uint64_t count) {
  uint8_t* bytes = malloc(count + 8);
  for (uint64_t i = 0; i < count; i += 8) {
    uint64_t value = check_random(&seed);
    memcpy(bytes + i, &value, 8);
  }
  return bytes;
}

// Elements of random lengths in Triton's form.
static uint8_t* random_texts(int64_t elements, uint64_t* bytes) {
  uint8_t* data = malloc((size_t)elements * 36 + 1);
  uint64_t at = 0;
  for (int64_t i = 0; i < elements; i++) {
    uint32_t length = (uint32_t)(check_random(&seed) % 33);
    memcpy(data + at, &length, sizeof length);
    for (uint32_t j = 0; j < length; j++) data[at + 4 + j] = (uint8_t)check_random(&seed);
    at += 4 + length;
  }
  *bytes = at;
  return data;
}

static void add_tensor(TRITONBACKEND_Request* request, const char* name, TRITONSERVER_DataType type, int64_t elements) {
  TRITONBACKEND_Input* input = &request->inputs[request->input_count++];
  uint8_t* data;
  *input =
      (TRITONBACKEND_Input){.name = name, .datatype = type, .shape = {elements}, .dims_count = 1, .buffer_count = 1};
  if (type == TRITONSERVER_TYPE_BYTES) {
    data = random_texts(elements, &input->bytes);
  } else {
    input->bytes = (uint64_t)elements * (uint64_t)tsb_dtype_bytes(type);
    data = random_bytes(input->bytes);
    for (uint64_t i = 0; type == TRITONSERVER_TYPE_BOOL && i < input->bytes; i++) data[i] &= 1;
  }
  input->buffers[0] = data;
  input->buffer_bytes[0] = input->bytes;
  if (elements == 0) input->buffer_count = 0;  // as the server does for an empty tensor
}

static void add_input(TRITONBACKEND_Request* request, int index, int64_t elements) {
  add_tensor(request, input_names[index], type_of(index), elements);
  request->outputs[request->output_count++] = output_names[index];
}

static void add_text(TRITONBACKEND_Request* request, const char* name, const char* value) {
  request->parameters[request->parameter_count++] =
      (struct fake_parameter){.name = (char*)name, .type = TRITONSERVER_PARAMETER_STRING, .value.text = (char*)value};
}

static bool is_clients(const void* data) {
  return client.base != NULL && (uintptr_t)data - (uintptr_t)client.base < client.bytes;
}

// Moves the data of an input to `offset` of the client's memory.
static void move_to_client(TRITONBACKEND_Input* input, uint64_t offset) {
  CHECK(offset + input->bytes <= client.bytes);
  memcpy(client.base + offset, input->buffers[0], input->bytes);
  free((void*)input->buffers[0]);
  input->buffers[0] = client.base + offset;
}

static void free_request(TRITONBACKEND_Request* request) {
  fake_request_clear(request);
  for (uint32_t i = 0; i < request->input_count; i++) {
    if (!is_clients(request->inputs[i].buffers[0])) free((void*)request->inputs[i].buffers[0]);
  }
  memset(request, 0, sizeof *request);
}

static void send(TRITONBACKEND_Request* first, uint32_t count) {
  TRITONBACKEND_Request** batch = malloc(count * sizeof *batch);
  for (uint32_t i = 0; i < count; i++) batch[i] = first + i;
  fake_host_execute(&host, batch, count);
  free(batch);
}

static void expect_echo(TRITONBACKEND_Request* request) {
  CHECK(fake_request_wait(request, WAIT_MS));
  CHECK_INT(request->response_count, 1);
  CHECK_INT(request->release_count, 1);
  if (request->response->error != NULL) CHECK_FAIL("error: %s", TRITONSERVER_ErrorMessage(request->response->error));
  CHECK_INT(request->response->output_count, request->output_count);
  for (uint32_t i = 0; i < request->output_count; i++) {
    const TRITONBACKEND_Output* output = fake_output(request, request->outputs[i]);
    const TRITONBACKEND_Input* input = &request->inputs[i];
    CHECK(output != NULL);
    CHECK_INT(output->datatype, input->datatype);
    CHECK_INT(output->dims_count, 1);
    CHECK_INT(output->shape[0], input->shape[0]);
    CHECK_INT(output->bytes, input->bytes);
    if (memcmp(output->data, input->buffers[0], input->bytes) != 0) CHECK_FAIL("the data of %s changed", output->name);
  }
}

static const struct fake_parameter* parameter_of(const TRITONBACKEND_Request* request, const char* name) {
  for (uint32_t i = 0; i < request->response->parameter_count; i++) {
    if (strcmp(request->response->parameters[i].name, name) == 0) return &request->response->parameters[i];
  }
  CHECK_FAIL("the response has no parameter '%s'", name);
}

// --- Cases ---------------------------------------------------------------------------------------------------------
static void test_types_and_sizes(void) {
  static const int64_t SIZES[] = {0, 1, 3, 64, 1000, 30000};
  for (size_t i = 0; i < sizeof SIZES / sizeof SIZES[0]; i++) {
    for (int way = 0; way < 3; way++) {
      add_text(requests, "how", WAYS[way]);
      for (int j = 0; j < TYPES; j++) add_input(requests, j, SIZES[i]);
      send(requests, 1);
      expect_echo(requests);
      free_request(requests);
    }
  }
}

static void test_many_inputs_and_names_that_are_not_in_the_table(void) {
  static char start[] = "START", other[] = "a longer name \xc3\xa4";
  for (int i = 0; i < INPUTS; i++) add_input(requests, i, i);
  add_tensor(requests, start, TRITONSERVER_TYPE_INT8, 2);
  add_tensor(requests, other, TRITONSERVER_TYPE_UINT8, 0);
  requests->output_count = INPUTS;
  ((int8_t*)requests->inputs[INPUTS].buffers[0])[0] = -7;
  ((int8_t*)requests->inputs[INPUTS].buffers[0])[1] = 8;
  send(requests, 1);
  expect_echo(requests);
  CHECK_TEXT(parameter_of(requests, "others")->value.text, "START=-7/8,a longer name \xc3\xa4=");
  free_request(requests);
}

static void test_everything_beside_the_tensors(void) {
  add_input(requests, 0, 1);
  requests->id = "request \xe2\x82\xac";
  requests->correlation_id = 9007199254740993;  // more than a double holds
  requests->flags = 3;
  requests->timeout_us = 123456789;
  add_text(requests, "text", "value \"quoted\" \xc3\xbc");
  add_text(requests, "empty", "");
  requests->parameters[requests->parameter_count++] =
      (struct fake_parameter){.name = "large", .type = TRITONSERVER_PARAMETER_INT, .value.integer = INT64_MIN};
  requests->parameters[requests->parameter_count++] =
      (struct fake_parameter){.name = "yes", .type = TRITONSERVER_PARAMETER_BOOL, .value.boolean = true};
  requests->parameters[requests->parameter_count++] =
      (struct fake_parameter){.name = "half", .type = TRITONSERVER_PARAMETER_DOUBLE, .value.number = -0.5};
  send(requests, 1);
  expect_echo(requests);
  CHECK_TEXT(parameter_of(requests, "id")->value.text, "request \xe2\x82\xac");
  CHECK_TEXT(parameter_of(requests, "correlation")->value.text, "9007199254740993");
  CHECK_INT(parameter_of(requests, "flags")->value.integer, 3);
  CHECK_INT(parameter_of(requests, "timeout")->value.integer, 123456789);
  CHECK_TEXT(parameter_of(requests, "text")->value.text, "value \"quoted\" \xc3\xbc");
  CHECK_TEXT(parameter_of(requests, "empty")->value.text, "");
  CHECK_INT(parameter_of(requests, "large")->value.integer, INT64_MIN);
  CHECK_INT(parameter_of(requests, "yes")->type, TRITONSERVER_PARAMETER_BOOL);
  CHECK(parameter_of(requests, "yes")->value.boolean);
  CHECK_INT(parameter_of(requests, "half")->type, TRITONSERVER_PARAMETER_DOUBLE);
  CHECK_INT(parameter_of(requests, "half")->value.number * 4, -2);
  free_request(requests);
  add_input(requests, 0, 1);
  requests->correlation_text = "session \xc3\xa4";
  send(requests, 1);
  expect_echo(requests);
  CHECK_TEXT(parameter_of(requests, "correlation")->value.text, "session \xc3\xa4");
  free_request(requests);
}

static void test_outputs_that_nobody_wants_are_not_sent(void) {
  for (int i = 0; i < 3; i++) add_input(requests, i, 5);
  requests->outputs[0] = output_names[1];
  requests->output_count = 1;
  send(requests, 1);
  CHECK(fake_request_wait(requests, WAIT_MS));
  CHECK(requests->response->error == NULL);
  CHECK_INT(requests->response->output_count, 1);
  CHECK_TEXT(requests->response->outputs[0].name, "OUT1");
  free_request(requests);
}

static void test_batches_of_many_requests(void) {
  static const uint32_t COUNTS[] = {1, 2, 63, 64, 65, 255, 256, 257, 300, 1023, 1024, 1025, MAX_REQUESTS};
  for (size_t i = 0; i < sizeof COUNTS / sizeof COUNTS[0]; i++) {
    for (uint32_t j = 0; j < COUNTS[i]; j++) {
      add_text(&requests[j], "how", j % 2 == 0 ? "view" : "copy");
      add_input(&requests[j], (int)(j % INPUTS), 1 + (int64_t)(j % 40));
    }
    send(requests, COUNTS[i]);
    for (uint32_t j = 0; j < COUNTS[i]; j++) {
      expect_echo(&requests[j]);
      free_request(&requests[j]);
    }
  }
}

static void test_regions_grow_on_both_sides(void) {
  static const int64_t SIZES[] = {1 * MIB, 3 * MIB, 10 * MIB, 40 * MIB, 2 * MIB};
  static const char* const WAYS[] = {"copy", "allocate", "view"};
  for (int way = 0; way < 3; way++) {
    for (size_t i = 0; i < sizeof SIZES / sizeof SIZES[0]; i++) {
      add_text(requests, "how", WAYS[way]);
      add_input(requests, 1, SIZES[i]);
      send(requests, 1);
      expect_echo(requests);
      free_request(requests);
    }
  }
  // Beyond the limit: a clear error for this request, and the next one is served.
  add_input(requests, 1, (int64_t)300 * MIB);
  send(requests, 1);
  CHECK(fake_request_wait(requests, WAIT_MS));
  CHECK(requests->response->error != NULL);
  CHECK_CONTAINS(TRITONSERVER_ErrorMessage(requests->response->error),
                 "Failed to increase the shared memory pool size");
  free_request(requests);
  add_input(requests, 1, MIB);
  send(requests, 1);
  expect_echo(requests);
  free_request(requests);
}

// Batches that are answered in another order than they came.
static void test_batches_in_flight(void) {
  enum { ROUNDS = 40, BATCHES = 8, SIZE = 3 };
  static const char* const WAITS[] = {"7", "0", "3", "1", "5", "2", "0", "4"};
  for (int round = 0; round < ROUNDS; round++) {
    for (int i = 0; i < BATCHES * SIZE; i++) {
      if (i % SIZE == 0) add_text(&requests[i], "wait", WAITS[(i / SIZE + round) % BATCHES]);
      add_text(&requests[i], "how", round % 3 == 0 ? "view" : round % 3 == 1 ? "copy" : "allocate");
      add_input(&requests[i], i % TYPES, 200 + 100 * i);
    }
    for (int i = 0; i < BATCHES; i++) send(&requests[i * SIZE], SIZE);
    for (int i = 0; i < BATCHES * SIZE; i++) {
      expect_echo(&requests[i]);
      free_request(&requests[i]);
    }
  }
}

// --- Inputs in a client's memory, which the library lends where it can ------------------------------------------
static void test_types_and_sizes_in_a_clients_memory(void) {
  static const int64_t SIZES[] = {1, 2048, 16384, 20001};
  fake_client_open(&client, "types", CLIENT_BYTES);
  for (size_t i = 0; i < 2 * sizeof SIZES / sizeof SIZES[0]; i++) {
    for (int way = 0; way < 3; way++) {
      uint64_t offset = i % 2 == 0 ? 0 : 4;  // an array of eight-byte elements cannot begin at each of these
      add_text(requests, "how", WAYS[way]);
      for (int j = 0; j < TYPES; j++) {
        add_input(requests, j, SIZES[i / 2]);
        move_to_client(&requests->inputs[j], offset);
        offset += (requests->inputs[j].bytes + 63) & ~UINT64_C(63);
      }
      send(requests, 1);
      expect_echo(requests);
      free_request(requests);
    }
  }
  CHECK_INT(fake_client_mappings(&client), fake_client_is_lendable());
  fake_client_close(&client);
}

// Only one of them has the bytes themselves, the others copies; all are right, and so is what comes after them.
static void test_the_same_bytes_at_the_same_time(void) {
  enum { ROUNDS = 30, BATCHES = 6, SIZE = 3, ELEMENTS = 20000, SHIFT = 8192 };
  static const char* const WAITS[] = {"3", "0", "2", "1", "4", "0"};
  fake_client_open(&client, "same", 3 * SHIFT + ELEMENTS);
  for (int round = 0; round < ROUNDS; round++) {
    for (uint64_t i = 0; i < client.bytes; i += 8) *(uint64_t*)(client.base + i) = check_random(&seed);
    for (int i = 0; i < BATCHES * SIZE; i++) {
      if (i % SIZE == 0) add_text(&requests[i], "wait", WAITS[(i / SIZE + round) % BATCHES]);
      add_text(&requests[i], "how", WAYS[(i + round) % 3]);
      add_input(&requests[i], 1, ELEMENTS);
      free((void*)requests[i].inputs[0].buffers[0]);
      requests[i].inputs[0].buffers[0] = client.base + i % 4 * SHIFT;  // the same, or it overlaps
    }
    for (int i = 0; i < BATCHES; i++) send(&requests[i * SIZE], SIZE);
    for (int i = 0; i < BATCHES * SIZE; i++) {
      expect_echo(&requests[i]);
      free_request(&requests[i]);
    }
  }
  fake_client_close(&client);
}

// A client that registers one region after the other under the same name; the server's mapping is often at the same
// address.
static void test_a_region_that_is_another_one_by_now(void) {
  for (int i = 0; i < 12; i++) {
    fake_client_open(&client, "again", (uint64_t)(i % 3 + 1) * MIB);
    for (int j = 0; j < 3; j++) {
      add_text(requests, "how", WAYS[j]);
      add_input(requests, 1, MIB);
      move_to_client(requests->inputs, 0);
      send(requests, 1);
      expect_echo(requests);
      free_request(requests);
    }
    fake_client_close(&client);
  }
}

// Two outputs, each where the other one's input is, or beside it by a little: neither may be read after it was written
// over.
static void test_outputs_where_inputs_are(void) {
  enum { ELEMENTS = 100000, FIRST = 0, SECOND = 1 * MIB };
  static const uint64_t SHIFTS[] = {0, 8, 4096, 90000};
  fake_client_open(&client, "over", CLIENT_BYTES);
  for (size_t i = 0; i < 3 * sizeof SHIFTS / sizeof SHIFTS[0]; i++) {
    add_text(requests, "how", WAYS[i % 3]);
    add_input(requests, 1, ELEMENTS);
    add_input(requests, 1 + TYPES, ELEMENTS);  // of the same type
    uint8_t* expected[] = {(uint8_t*)requests->inputs[0].buffers[0], (uint8_t*)requests->inputs[1].buffers[0]};
    memcpy(client.base + FIRST, expected[0], ELEMENTS);
    memcpy(client.base + SECOND, expected[1], ELEMENTS);
    requests->inputs[0].buffers[0] = client.base + FIRST;
    requests->inputs[1].buffers[0] = client.base + SECOND;
    requests->output_memory[0] = client.base + SECOND + SHIFTS[i / 3];
    requests->output_memory[1] = client.base + FIRST + SHIFTS[i / 3];
    send(requests, 1);
    CHECK(fake_request_wait(requests, WAIT_MS));
    CHECK_INT(requests->success_count, 1);
    for (int j = 0; j < 2; j++) {
      CHECK_INT(memcmp(requests->output_memory[j], expected[j], ELEMENTS), 0);
      free(expected[j]);
    }
    free_request(requests);
  }
  fake_client_close(&client);
}

// What is missing fails the request that needs it; once the file is whole again, so are the answers.
static void test_a_region_that_is_cut_short(void) {
  enum { ELEMENTS = 100000 };
  if (!fake_client_is_lendable()) return;  // a copy of what is missing ends the server, whatever the backend
  fake_client_open(&client, "short", MIB);
  for (int i = 0; i < 6; i++) {
    for (int whole = 1; whole >= 0; whole--) {
      CHECK_INT(ftruncate(client.fd, MIB), 0);
      add_text(requests, "how", WAYS[i % 3]);
      add_input(requests, 1, ELEMENTS);
      // Not twice the same bytes in a row: those of the last batch may be lent for a moment longer, and would be
      // copied.
      move_to_client(requests->inputs, whole == 1 ? 0 : MIB / 2);
      if (whole == 0) CHECK_INT(ftruncate(client.fd, 8192), 0);
      send(requests, 1);
      CHECK(fake_request_wait(requests, WAIT_MS));
      if (whole == 1) {
        expect_echo(requests);
      } else {
        CHECK(requests->response->error != NULL);
        CHECK_CONTAINS(TRITONSERVER_ErrorMessage(requests->response->error), "cut short");
      }
      free_request(requests);
    }
  }
  fake_client_close(&client);
}

// The one child that runs main.js.
static pid_t stub_process(void) {
  char path[64];
  pid_t pid = 0;
  DIR* tasks = opendir("/proc/self/task");
  for (struct dirent* task; pid == 0 && (task = readdir(tasks)) != NULL;) {
    snprintf(path, sizeof path, "/proc/self/task/%.20s/children", task->d_name);
    FILE* children = fopen(path, "r");
    if (children == NULL) continue;
    if (fscanf(children, "%d", &pid) != 1) pid = 0;
    fclose(children);
  }
  closedir(tasks);
  return pid;
}

static void* kill_soon(void* argument) {
  usleep(200000);
  kill(*(pid_t*)argument, SIGKILL);
  return NULL;
}

// Node dies while it has a batch: the client hears how, and the next batch goes to a new process.
static void test_a_killed_process_is_replaced(void) {
  pthread_t killer;
  pid_t pid = stub_process();
  CHECK(pid > 0);
  CHECK_INT(pthread_create(&killer, NULL, kill_soon, &pid), 0);
  add_text(requests, "wait", "30000");
  add_input(requests, 3, 10);
  send(requests, 1);
  CHECK(fake_request_wait(requests, WAIT_MS));
  pthread_join(killer, NULL);
  CHECK(requests->response->error != NULL);
  CHECK_CONTAINS(TRITONSERVER_ErrorMessage(requests->response->error), "It was killed by signal 9 (Killed).");
  free_request(requests);
  // A batch waits for the new process. In an emulator that may take too long to start: then it is to be sent again.
  const int again = getenv("TESTS_ARE_EMULATED") != NULL ? 20 : 0;
  for (int round = 0;; round++) {
    add_input(requests, 3, 10);
    send(requests, 1);
    CHECK(fake_request_wait(requests, WAIT_MS));
    TRITONSERVER_Error* error = requests->response->error;
    if (error == NULL || round == again || strstr(TRITONSERVER_ErrorMessage(error), "send the request again") == NULL)
      break;
    free_request(requests);
  }
  expect_echo(requests);
  free_request(requests);
  CHECK(stub_process() != pid);
}

static bool readable(const char* path) {
  struct stat info;
  return stat(path, &info) == 0;
}

int main(int count, char** arguments) {
  if (count != 2) CHECK_FAIL("usage: %s WINDOW", arguments[0]);
  if (!readable(RUNTIME "/dist/stub/src/runtime/main.js") ||
      (!readable(RUNTIME "/build/lib/triton_typescript_stub.node") && !readable(RUNTIME "/prebuilds"))) {
    printf("Skipped: the runtime in " RUNTIME " is not built (npm run setup).\n");
    return CHECK_SKIPPED;
  }
  window = atoi(arguments[1]);
  setenv("TRITON_TYPESCRIPT_RUNTIME", RUNTIME, 1);
  requests = calloc(MAX_REQUESTS, sizeof *requests);
  for (int i = 0; i < INPUTS; i++) {
    snprintf(input_names[i], sizeof input_names[i], "IN%d", i);
    snprintf(output_names[i], sizeof output_names[i], "OUT%d", i);
  }
  load();
  test_types_and_sizes();
  test_many_inputs_and_names_that_are_not_in_the_table();
  test_everything_beside_the_tensors();
  test_outputs_that_nobody_wants_are_not_sent();
  test_batches_of_many_requests();
  test_regions_grow_on_both_sides();
  test_batches_in_flight();
  test_types_and_sizes_in_a_clients_memory();
  test_the_same_bytes_at_the_same_time();
  test_a_region_that_is_another_one_by_now();
  test_outputs_where_inputs_are();
  test_a_region_that_is_cut_short();
  test_a_killed_process_is_replaced();
  fake_host_unload(&host);
  free(requests);
  const char* left = fake_host_leftover(&host);
  if (left != NULL) CHECK_FAIL("%s", left);
  CHECK_INT(fake_live_responses(), 0);
  return 0;
}
