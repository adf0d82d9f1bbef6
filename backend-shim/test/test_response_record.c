// SPDX-License-Identifier: Apache-2.0
// Response records -> responses of the fake Triton: a good one written by hand, byte by byte, and many that lie.
#include "response_record.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check.h"
#include "fake_triton.h"

enum { PAGE = 4096, REGION = 5, DATA_AT = 1024 };

static char fixed_name[] = "FIXED", any_name[] = "ANY", text_name[] = "TEXT";
static struct tsb_io outputs[] = {
    {.name = fixed_name, .datatype = TRITONSERVER_TYPE_FP32, .dims_count = 1, .dims = {3}},
    {.name = any_name, .datatype = TRITONSERVER_TYPE_FP64, .dims_count = 2, .dims = {-1, -1}},
    {.name = text_name, .datatype = TRITONSERVER_TYPE_BYTES, .dims_count = 1, .dims = {-1}},
};
static struct tsb_model model = {.outputs = {outputs, 3}, .settings = {.check_outputs = true}};
static struct tsb_stub* stub;
static char stub_name[] = "tested";
static uint8_t* memory;  // of region 5, which the stub made
static struct tsb_loans loans;
static int stub_channel;
static TRITONBACKEND_Request request = {.outputs = {fixed_name, any_name, text_name}, .output_count = 3};

static void open_stub(void) {
  int sockets[2];
  struct tsb_region region;
  stub = calloc(1, sizeof *stub);
  stub->process.name = stub_name;
  pthread_mutex_init(&stub->memory.lock, NULL);
  stub->memory.max_stub_bytes = 16 * PAGE;
  CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), 0);
  tsb_stub_channel_init(&stub->channel, &stub->memory);
  CHECK_INT(tsb_stub_channel_open(&stub->channel, sockets[0]), 0);
  stub_channel = sockets[1];
  CHECK_INT(tsb_region_create(&region, 0, PAGE), 0);  // the control region
  CHECK_INT(tsb_region_add(&stub->memory.regions, &region), 0);
  CHECK_INT(tsb_region_create(&region, REGION | TSB_REGION_OF_STUB, PAGE), 0);
  CHECK_INT(tsb_region_add(&stub->memory.regions, &region), 0);
  memory = region.base;
}

static void close_stub(void) {
  tsb_stub_memory_destroy(&stub->memory);
  tsb_stub_channel_destroy(&stub->channel);
  close(stub_channel);
  free(stub);
}

static void announce(uint32_t id, int fd) {
  struct tsb_outgoing notice = {
      .method = TSB_METHOD_REGION, .region = id, .descriptors = &fd, .descriptor_count = fd < 0 ? 0 : 1};
  CHECK_INT(tsb_channel_send(stub_channel, &notice, 1000), 0);
}

static struct tsb_place place(uint64_t bytes) {
  return (struct tsb_place){.region = REGION | TSB_REGION_OF_STUB, .offset = 0, .bytes = bytes};
}

static int send_record(const struct tsb_place* where, bool* success) {
  fake_request_clear(&request);
  struct tsb_response_source source = {
      .stub = stub, .loans = &loans, .request = 1, .send_flags = TRITONSERVER_RESPONSE_COMPLETE_FINAL};
  return tsb_response_send(&model, &source, &request, where, success);
}

// The record is impossible: nothing is sent, and the caller hears of it.
static void refuse_record(const struct tsb_place* where, const char* what) {
  bool success;
  int status = send_record(where, &success);
  if (status != -EPROTO) CHECK_FAIL("%s: the status is %d, expected -EPROTO", what, status);
  if (success || request.response_count != 0) CHECK_FAIL("%s: something was sent", what);
  if (fake_live_responses() != 0) CHECK_FAIL("%s: a response is left", what);
  if (fake_live_errors() != 0) CHECK_FAIL("%s: an error is left", what);
}

// The record is possible, but what it says does not fit: the client gets an error.
static void answer_is_error(const struct tsb_place* where, TRITONSERVER_Error_Code code, const char* part) {
  bool success;
  CHECK_INT(send_record(where, &success), 0);
  CHECK(!success);
  CHECK_INT(request.response_count, 1);
  CHECK(request.response != NULL && request.response->error != NULL);
  CHECK_INT(TRITONSERVER_ErrorCode(request.response->error), code);
  CHECK_CONTAINS(TRITONSERVER_ErrorMessage(request.response->error), part);
  fake_request_clear(&request);
  CHECK_INT(fake_live_errors(), 0);
  CHECK_INT(fake_live_responses(), 0);
}

static void test_golden_bytes(void) {
  // clang-format off
  static const uint8_t RECORD[] = {
      // record_bytes 152, status 0, no message, parameters at 88: 2, 1 output, reserved
      152, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 88, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0,
      // output 0 (FIXED), FP32, 1 dim; place: region 0x80000005, offset 1024, 12 bytes; dim 3
      0, 0, 0, 0, 11, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
      5, 0, 0, 0x80, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 12, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0,
      // parameter note = "hi!": STRING, padded to 8
      1, 0, 0, 0, 4, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 'n', 'o', 't', 'e', 'h', 'i', '!', 0,
      // parameter score = 0.5: DOUBLE
      4, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xe0, 0x3f, 's', 'c', 'o', 'r', 'e', 0, 0, 0,
  };
  // clang-format on
  static const float DATA[] = {1.5f, 2.5f, 3.5f};
  bool success;
  memcpy(memory, RECORD, sizeof RECORD);
  memcpy(memory + DATA_AT, DATA, sizeof DATA);
  struct tsb_place where = place(sizeof RECORD);
  if (FAKE_TRITON_IS_OLD) {
    answer_is_error(&where, TRITONSERVER_ERROR_UNSUPPORTED, "'score' is a number that is no integer");
    return;
  }
  CHECK_INT(send_record(&where, &success), 0);
  CHECK(success);
  CHECK_INT(request.response_count, 1);
  CHECK(request.response->error == NULL);
  const TRITONBACKEND_Output* output = fake_output(&request, "FIXED");
  CHECK(output != NULL);
  CHECK_INT(output->datatype, TRITONSERVER_TYPE_FP32);
  CHECK_INT(output->dims_count, 1);
  CHECK_INT(output->shape[0], 3);
  CHECK_INT(output->bytes, 12);
  CHECK_INT(memcmp(output->data, DATA, 12), 0);
  CHECK_INT(request.response->parameter_count, 2);
  CHECK_TEXT(request.response->parameters[0].name, "note");
  CHECK_TEXT(request.response->parameters[0].value.text, "hi!");
  CHECK_TEXT(request.response->parameters[1].name, "score");
  CHECK_INT(request.response->parameters[1].value.number * 2, 1);
}

// A record with one output, for the tests to spoil.
struct record {
  struct tsb_response head;
  struct tsb_tensor tensor;
  int64_t dims[TSB_MAX_DIMS];
};

static struct record* start_record(uint32_t output, uint32_t dims_count, const int64_t* dims, uint64_t bytes) {
  struct record* record = (struct record*)memory;
  memset(memory, 0, PAGE);
  record->head = (struct tsb_response){.record_bytes = sizeof *record, .output_count = 1};
  record->tensor =
      (struct tsb_tensor){.name = output,
                          .datatype = outputs[output].datatype,
                          .dims_count = dims_count,
                          .place = {.region = REGION | TSB_REGION_OF_STUB, .offset = DATA_AT, .bytes = bytes}};
  memcpy(record->dims, dims, dims_count * sizeof *dims);
  return record;
}

static struct record* good_record(void) { return start_record(0, 1, (int64_t[]){3}, 12); }

static void test_places_of_records_that_lie(void) {
  struct record* record = good_record();
  static const struct {
    const char* what;
    struct tsb_place where;
  } CASES[] = {
      {"no bytes", {REGION | TSB_REGION_OF_STUB, 0, 0, 0}},
      {"too short", {REGION | TSB_REGION_OF_STUB, 0, 0, sizeof(struct tsb_response) - 1}},
      {"too long", {REGION | TSB_REGION_OF_STUB, 0, 0, TSB_MAX_RECORD_BYTES + 1}},
      {"behind the end", {REGION | TSB_REGION_OF_STUB, 0, PAGE - 8, 64}},
      {"overflow", {REGION | TSB_REGION_OF_STUB, 0, UINT64_MAX - 8, 64}},
      {"an unknown region", {REGION, 0, 0, sizeof(struct record)}},
      {"another unknown region", {77 | TSB_REGION_OF_STUB, 0, 0, sizeof(struct record)}},
      {"the control region", {0, 0, 0, 64}},
  };
  (void)record;
  for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) refuse_record(&CASES[i].where, CASES[i].what);
  struct tsb_place odd = place(sizeof(struct record));
  memmove(memory + 3, memory, sizeof(struct record));
  odd.offset = 3;  // a record need not be aligned: it is copied out
  bool success;
  CHECK_INT(send_record(&odd, &success), 0);
  CHECK(success);
}

static void test_heads_that_lie(void) {
  struct tsb_place where = place(sizeof(struct record));
  good_record()->head.record_bytes = sizeof(struct record) + 1;
  refuse_record(&where, "record_bytes beyond the place");
  good_record()->head.record_bytes = sizeof(struct tsb_response) + 8;
  refuse_record(&where, "an output beyond the record");
  good_record()->head.record_bytes = 0;
  refuse_record(&where, "a record of no bytes");
  good_record()->head.output_count = UINT32_MAX;
  refuse_record(&where, "too many outputs");
  good_record()->head.output_count = 4;
  refuse_record(&where, "more outputs than the model has");
  good_record()->tensor.name = 3;
  refuse_record(&where, "an unknown output");
  good_record()->tensor.name = TSB_NAME_INLINE;
  refuse_record(&where, "an inline name");
  good_record()->tensor.dims_count = TSB_MAX_DIMS + 1;
  refuse_record(&where, "too many dimensions");
  good_record()->tensor.dims_count = UINT32_MAX;
  refuse_record(&where, "an overflow of dimensions");
  struct record* record = good_record();
  record->head.record_bytes = sizeof record->head + sizeof record->tensor;
  refuse_record(&where, "dimensions beyond the record");
}

// Records that are long enough for what they claim, so that only the limits themselves are in the way.
static void test_limits(void) {
  struct record* record = good_record();
  uint32_t bytes = sizeof record->head + sizeof record->tensor + 100 * sizeof(int64_t);
  struct tsb_place where = place(bytes);
  record->head.record_bytes = bytes;
  record->tensor.dims_count = 100;
  refuse_record(&where, "a hundred dimensions");

  struct tsb_region large;
  CHECK_INT(tsb_region_create(&large, 6 | TSB_REGION_OF_STUB, 2 * TSB_MAX_RECORD_BYTES), 0);
  CHECK_INT(tsb_region_add(&stub->memory.regions, &large), 0);
  struct tsb_response* head = (struct tsb_response*)large.base;
  where = (struct tsb_place){.region = large.id, .offset = 0, .bytes = TSB_MAX_RECORD_BYTES + 1};
  head->record_bytes = 64;
  head->parameters_offset = 32;
  refuse_record(&where, "a place larger than a record may be");
  bool success;
  where.bytes = TSB_MAX_RECORD_BYTES;
  CHECK_INT(send_record(&where, &success), 0);
  CHECK(success);
}

static void test_outputs_that_do_not_fit(void) {
  struct tsb_place where = place(sizeof(struct record));
  static const struct {
    const char* what;
    uint32_t output, dims_count;
    int64_t dims[4];
    uint64_t bytes;
  } CASES[] = {
      {"another size than configured", 0, 1, {4}, 16},
      {"another rank than configured", 0, 2, {1, 3}, 12},
      {"no dimensions", 0, 0, {0}, 4},
      {"too few bytes", 0, 1, {3}, 11},
      {"too many bytes", 0, 1, {3}, 16},
      {"bytes beyond the region", 1, 2, {1, 1024}, 8192},
      {"a negative dimension", 1, 2, {-1, 2}, 16},
      {"two negative dimensions", 1, 2, {-1, -2}, 16},
      {"the smallest dimension", 1, 2, {INT64_MIN, 1}, 8},
      {"elements that overflow", 1, 2, {INT64_C(1) << 40, INT64_C(1) << 40}, 0},
      {"bytes that overflow to zero", 1, 2, {INT64_C(1) << 31, INT64_C(1) << 30}, 0},
      {"bytes that overflow to eight", 1, 2, {(INT64_C(1) << 61) + 1, 1}, 8},
      {"text of a length beyond its bytes", 2, 1, {1}, 4},
      {"text without a length", 2, 1, {1}, 0},
      {"text elements that no memory holds", 2, 1, {INT64_MAX}, 8},
  };
  for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
    start_record(CASES[i].output, CASES[i].dims_count, CASES[i].dims, CASES[i].bytes);
    memory[DATA_AT] = 1;
    fprintf(stderr, "%s\n", CASES[i].what);
    answer_is_error(&where, TRITONSERVER_ERROR_INTERNAL, "do not fit together");
  }
  good_record()->tensor.datatype = TRITONSERVER_TYPE_INT32;
  answer_is_error(&where, TRITONSERVER_ERROR_INTERNAL, "with INT32");
  good_record()->tensor.datatype = 99;
  answer_is_error(&where, TRITONSERVER_ERROR_INTERNAL, "an unknown datatype");
  good_record()->tensor.place.region = 88;
  answer_is_error(&where, TRITONSERVER_ERROR_INTERNAL, "do not fit together");
  good_record()->tensor.place.region = 0;  // the control region never holds tensors
  answer_is_error(&where, TRITONSERVER_ERROR_INTERNAL, "do not fit together");
  good_record()->tensor.place.offset = UINT64_MAX;
  answer_is_error(&where, TRITONSERVER_ERROR_INTERNAL, "do not fit together");
}

static void test_bytes_tensors(void) {
  static const uint8_t GOOD[] = {2, 0, 0, 0, 'a', 'b', 0, 0, 0, 0, 1, 0, 0, 0, 'c'};
  struct tsb_place where = place(sizeof(struct record));
  bool success;
  start_record(2, 1, (int64_t[]){3}, sizeof GOOD);
  memcpy(memory + DATA_AT, GOOD, sizeof GOOD);
  CHECK_INT(send_record(&where, &success), 0);
  CHECK(success);
  for (int elements = 0; elements < 6; elements++) {
    for (size_t bytes = 0; bytes <= sizeof GOOD; bytes++) {
      if (elements == 3 && bytes == sizeof GOOD) continue;
      if (elements == 0 && bytes == 0) continue;
      if (elements == 1 && bytes == 6) continue;  // the first elements alone are good, too
      if (elements == 2 && bytes == 10) continue;
      start_record(2, 1, (int64_t[]){elements}, bytes);
      memcpy(memory + DATA_AT, GOOD, sizeof GOOD);
      answer_is_error(&where, TRITONSERVER_ERROR_INTERNAL, "do not fit together");
    }
  }
  for (int position = 0; position < 4; position++) {  // a length made large
    start_record(2, 1, (int64_t[]){3}, sizeof GOOD);
    memcpy(memory + DATA_AT, GOOD, sizeof GOOD);
    memory[DATA_AT + position] = 0xff;
    answer_is_error(&where, TRITONSERVER_ERROR_INTERNAL, "do not fit together");
  }
}

static void test_empty_tensors(void) {
  struct tsb_place where = place(sizeof(struct record));
  bool success;
  struct record* record = start_record(1, 2, (int64_t[]){0, 5}, 0);
  record->tensor.place.region = 12345;  // without bytes a place means nothing
  CHECK_INT(send_record(&where, &success), 0);
  CHECK(success);
  CHECK_INT(fake_output(&request, "ANY")->bytes, 0);
}

// Two outputs, one behind the other.
static struct tsb_place two_outputs(uint32_t first, uint32_t second) {
  struct record* record = start_record(first, 1, (int64_t[]){3}, 12);
  struct tsb_tensor* other = (struct tsb_tensor*)(record->dims + 1);
  record->head.output_count = 2;
  *other = record->tensor;
  other->name = second;
  other->datatype = outputs[second].datatype;
  *(int64_t*)(other + 1) = 3;
  memcpy(memory + DATA_AT, (uint8_t[12]){0}, 12);
  return place(sizeof(struct record));
}

// What a client did not ask for, or gets twice, makes answers that it cannot decode.
static void test_outputs_that_nobody_wants(void) {
  bool success;
  struct tsb_place where = two_outputs(0, 2);
  CHECK_INT(send_record(&where, &success), 0);
  CHECK(success);
  CHECK_INT(request.response->output_count, 2);
  where = two_outputs(0, 0);
  answer_is_error(&where, TRITONSERVER_ERROR_INTERNAL, "answered output 'FIXED' twice in one response");
  request.output_count = 2;  // without TEXT
  where = two_outputs(0, 2);
  answer_is_error(&where, TRITONSERVER_ERROR_INTERNAL, "output 'TEXT', which the request did not ask for");
  request.output_count = 0;
  good_record();
  answer_is_error(&where, TRITONSERVER_ERROR_INTERNAL, "output 'FIXED', which the request did not ask for");
  request.output_count = 3;
}

// The log hears of them, but not of each one.
static void test_a_refusal_is_logged_now_and_then(void) {
  struct tsb_place where = two_outputs(0, 0);
  stub->refused_ns = stub->refused_count = 0;
  fake_log_clear();
  for (int i = 0; i < 3; i++) answer_is_error(&where, TRITONSERVER_ERROR_INTERNAL, "twice in one response");
  CHECK(
      fake_log_has("An answer of stub process 'tested' was refused (1 since the last such line). The model answered "
                   "output 'FIXED' twice in one response."));
  CHECK_INT(fake_log_lines(), 1);
  stub->refused_ns -= UINT64_C(60000000000);
  answer_is_error(&where, TRITONSERVER_ERROR_INTERNAL, "twice in one response");
  CHECK(fake_log_has("was refused (3 since the last such line)"));
}

// More outputs than there is room for without asking for memory.
static void test_many_outputs(void) {
  enum { COUNT = 200 };
  static struct tsb_io many[COUNT];
  static char name[] = "NOT_ASKED_FOR";
  struct tsb_place where = place(sizeof(struct record));
  bool success;
  for (int i = 0; i < COUNT; i++) {
    many[i] = (struct tsb_io){.name = name, .datatype = TRITONSERVER_TYPE_FP32, .dims_count = 1, .dims = {-1}};
  }
  many[COUNT - 1].name = fixed_name;
  model.outputs = (struct tsb_io_table){many, COUNT};
  good_record()->tensor.name = COUNT - 1;
  CHECK_INT(send_record(&where, &success), 0);
  CHECK(success);
  good_record()->tensor.name = COUNT - 2;
  answer_is_error(&where, TRITONSERVER_ERROR_INTERNAL, "which the request did not ask for");
  model.outputs = (struct tsb_io_table){outputs, 3};
}

// A class that leaves the shapes of its outputs open answers with any, but for what the server takes for granted.
static void test_open_shapes(void) {
  struct tsb_place where = place(sizeof(struct record));
  bool success;
  model.has_open_shapes = true;
  start_record(0, 3, (int64_t[]){2, 1, 2}, 16);
  CHECK_INT(send_record(&where, &success), 0);
  CHECK(success);
  CHECK_INT(fake_output(&request, "FIXED")->dims_count, 3);
  start_record(0, 0, (int64_t[]){0}, 4);
  CHECK_INT(send_record(&where, &success), 0);
  CHECK(success);
  start_record(0, 2, (int64_t[]){2, 3}, 20);
  answer_is_error(&where, TRITONSERVER_ERROR_INTERNAL, "do not fit together");
  outputs[0].has_reshape = true;
  start_record(0, 2, (int64_t[]){1, 3}, 12);
  answer_is_error(&where, TRITONSERVER_ERROR_INTERNAL, "do not fit together");
  outputs[0].has_reshape = false;
  model.max_batch_size = 4;
  start_record(0, 0, (int64_t[]){0}, 4);
  answer_is_error(&where, TRITONSERVER_ERROR_INTERNAL, "do not fit together");
  model.max_batch_size = 0;
  model.has_open_shapes = false;
}

static void test_the_batch_dimension_counts(void) {
  struct tsb_place where = place(sizeof(struct record));
  bool success;
  model.max_batch_size = 4;
  request.inputs[0] = (TRITONBACKEND_Input){.name = "IN", .shape = {2, 7}, .dims_count = 2};
  request.input_count = 1;
  start_record(0, 2, (int64_t[]){1, 3}, 12);
  answer_is_error(&where, TRITONSERVER_ERROR_INTERNAL, "another first dimension than that of the request, which is 2");
  start_record(0, 2, (int64_t[]){2, 3}, 24);
  CHECK_INT(send_record(&where, &success), 0);
  CHECK(success);
  request.input_count = 0;  // nothing to compare with
  start_record(0, 2, (int64_t[]){2, 3}, 24);
  CHECK_INT(send_record(&where, &success), 0);
  CHECK(success);
  start_record(0, 1, (int64_t[]){3}, 12);
  answer_is_error(&where, TRITONSERVER_ERROR_INTERNAL, "do not fit together");
  model.max_batch_size = 0;
}

// Data may lie in the client's memory, if it is an input of the request that is answered.
static void test_inputs_that_are_answered(void) {
  static const float data[] = {0.5f, 1.5f, 2.5f, 3.5f};
  enum { CLIENT = 5 | TSB_REGION_OF_CLIENT };
  int fd = memfd_create("client", MFD_CLOEXEC);
  CHECK_INT(pwrite(fd, data, sizeof data, 4096), sizeof data);
  struct tsb_loan loan = {
      .region = CLIENT, .request = 1, .fd = fd, .offset = 4096, .bytes = 16, .data = (const uint8_t*)data};
  struct tsb_place where = place(sizeof(struct record));
  bool success;
  CHECK_INT(tsb_loans_add(&loans, &loan), 0);
  struct record* record = good_record();
  record->tensor.place = (struct tsb_place){.region = CLIENT, .offset = 4100, .bytes = 12};
  CHECK_INT(send_record(&where, &success), 0);
  CHECK(success);
  CHECK_INT(memcmp(fake_output(&request, "FIXED")->data, data + 1, 12), 0);
  CHECK(loans.items[0].saved == NULL);
  record->tensor.place.offset = 4104;  // beyond the input
  answer_is_error(&where, TRITONSERVER_ERROR_INTERNAL, "which do not fit together");
  record->tensor.place.offset = 4100;
  loans.items[0].request = 0;  // another request of the batch, which may be gone
  answer_is_error(&where, TRITONSERVER_ERROR_INTERNAL, "which do not fit together");
  loans.items[0].request = 1;
  CHECK_INT(ftruncate(fd, 4100), 0);
  answer_is_error(&where, TRITONSERVER_ERROR_INVALID_ARG, "a shared memory region that was cut short");
  close(fd);
  // A record is never in a client's memory.
  refuse_record(&(struct tsb_place){.region = CLIENT, .offset = 4096, .bytes = 16}, "a record in a client's memory");
  tsb_loans_free(&loans);
}

static void test_errors_of_the_model(void) {
  struct tsb_response* head = (struct tsb_response*)memory;
  struct tsb_place where = place(256);
  memset(memory, 0, PAGE);
  memcpy(memory + 64, "the model's own words", 21);
  *head = (struct tsb_response){.record_bytes = 256, .status = 4, .message_offset = 64, .message_bytes = 21};
  answer_is_error(&where, TRITONSERVER_ERROR_INVALID_ARG, "the model's own words");
  head->status = 1000;
  answer_is_error(&where, TRITONSERVER_ERROR_INTERNAL, "the model's own words");
  head->message_bytes = 193;
  answer_is_error(&where, TRITONSERVER_ERROR_INTERNAL, "out of range");
  head->message_bytes = UINT32_MAX;
  answer_is_error(&where, TRITONSERVER_ERROR_INTERNAL, "out of range");
  head->message_offset = UINT32_MAX;
  head->message_bytes = 1;
  answer_is_error(&where, TRITONSERVER_ERROR_INTERNAL, "out of range");
}

static void test_parameters_that_lie(void) {
  struct tsb_response* head = (struct tsb_response*)memory;
  struct tsb_parameter* parameter = (struct tsb_parameter*)(head + 1);
  struct tsb_place where = place(128);
  static const struct {
    const char* what;
    uint32_t offset, count, type, key_bytes, value_bytes;
  } CASES[] = {
      {"an offset beyond the record", 128, 1, TSB_PARAMETER_INT, 1, 0},
      {"the largest offset", UINT32_MAX, 1, TSB_PARAMETER_INT, 1, 0},
      {"too many", 32, UINT32_MAX, TSB_PARAMETER_INT, 1, 0},
      {"a key beyond the record", 32, 1, TSB_PARAMETER_INT, 73, 0},
      {"a value beyond the record", 32, 1, TSB_PARAMETER_STRING, 1, 72},
      {"lengths that overflow", 32, 1, TSB_PARAMETER_STRING, UINT32_MAX, UINT32_MAX},
      {"lengths that overflow to a small one", 32, 1, TSB_PARAMETER_STRING, UINT32_MAX, 2},
      {"an unknown type", 32, 1, 5, 1, 0},
      {"type zero", 32, 1, 0, 1, 0},
  };
  for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
    memset(memory, 0, PAGE);
    *head = (struct tsb_response){
        .record_bytes = 128, .parameters_offset = CASES[i].offset, .parameter_count = CASES[i].count};
    *parameter = (struct tsb_parameter){
        .type = CASES[i].type, .key_bytes = CASES[i].key_bytes, .value_bytes = CASES[i].value_bytes};
    refuse_record(&where, CASES[i].what);
  }
}

static void test_calls_of_the_server_that_fail(void) {
  struct tsb_place where = place(sizeof(struct record));
  bool success;
  good_record();
  fake_faults.output_buffer = 1;
  answer_is_error(&where, TRITONSERVER_ERROR_INTERNAL, "OutputBuffer failed");
  fake_faults.output_buffer_gpu = 1;
  answer_is_error(&where, TRITONSERVER_ERROR_UNSUPPORTED, "wanted in GPU memory");
  fake_faults.response_output = 1;
  answer_is_error(&where, TRITONSERVER_ERROR_INTERNAL, "ResponseOutput failed");
  fake_faults.response_new = 1;
  CHECK_INT(send_record(&where, &success), 0);
  CHECK(!success);
  CHECK_INT(request.response_count, 0);
  fake_faults.response_send = 1;
  CHECK_INT(send_record(&where, &success), 0);
  CHECK_INT(request.response_count, 1);
  CHECK(fake_log_has("ResponseSend failed"));
  CHECK_INT(fake_live_errors(), 0);
  CHECK_INT(fake_live_responses(), 0);
}

// A region may be announced while the entry that names it is on its way: it is looked for on the channel.
static void test_a_region_is_adopted_when_it_is_named(void) {
  struct tsb_region region;
  bool success;
  CHECK_INT(tsb_region_create(&region, 9 | TSB_REGION_OF_STUB, PAGE), 0);
  announce(region.id, region.fd);
  ((struct tsb_response*)region.base)->record_bytes = 64;
  ((struct tsb_response*)region.base)->parameters_offset = 32;
  struct tsb_place where = {.region = region.id, .offset = 0, .bytes = 64};
  CHECK_INT(send_record(&where, &success), 0);
  CHECK(success);
  CHECK_INT(stub->memory.stub_bytes, PAGE);
  tsb_region_close(&region);
}

static void test_a_region_of_a_stub_that_has_died(void) {
  struct tsb_region region;
  bool success;
  CHECK_INT(tsb_region_create(&region, 21 | TSB_REGION_OF_STUB, PAGE), 0);
  announce(region.id, region.fd);
  CHECK_INT(shutdown(stub_channel, SHUT_RDWR), 0);
  ((struct tsb_response*)region.base)->record_bytes = 64;
  ((struct tsb_response*)region.base)->parameters_offset = 32;
  CHECK_INT(send_record(&(struct tsb_place){.region = region.id, .offset = 0, .bytes = 64}, &success), 0);
  CHECK(success);
  tsb_region_close(&region);
}

// Random bytes, and a good record with random changes: no crash, and one response at most.
static void test_random_records_do_no_harm(void) {
  uint64_t state = 11;
  int sent = 0;
  for (int round = 0; round < 100000; round++) {
    bool success;
    struct tsb_place where = place(64 + check_random(&state) % 960);
    struct record* record = start_record(check_random(&state) % 3, 1, (int64_t[]){3}, 12);
    record->head.parameter_count = check_random(&state) % 2;
    record->head.parameters_offset = sizeof *record - 64;
    for (uint64_t changes = check_random(&state) % 6; changes > 0; changes--) {
      uint64_t value = check_random(&state);
      uint64_t width = 1 + value % 8;
      memcpy(memory + check_random(&state) % (where.bytes - 8), &value, width);
    }
    CHECK(send_record(&where, &success) <= 0);
    CHECK(request.response_count <= 1);
    sent += request.response_count;
    fake_request_clear(&request);
    CHECK_INT(fake_live_responses(), 0);
    CHECK_INT(fake_live_errors(), 0);
  }
  CHECK(sent > 1000);
}

int main(void) {
  open_stub();
  test_golden_bytes();
  test_places_of_records_that_lie();
  test_heads_that_lie();
  test_limits();
  test_outputs_that_do_not_fit();
  test_bytes_tensors();
  test_empty_tensors();
  test_outputs_that_nobody_wants();
  test_a_refusal_is_logged_now_and_then();
  test_many_outputs();
  test_open_shapes();
  test_the_batch_dimension_counts();
  test_inputs_that_are_answered();
  test_errors_of_the_model();
  test_parameters_that_lie();
  test_calls_of_the_server_that_fail();
  test_a_region_is_adopted_when_it_is_named();
  test_random_records_do_no_harm();
  test_a_region_of_a_stub_that_has_died();  // the last one: it closes the channel
  fake_request_clear(&request);
  close_stub();
  return 0;
}
