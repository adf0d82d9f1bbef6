// SPDX-License-Identifier: Apache-2.0
// Requests of the fake Triton -> records. The bytes of one record are written by hand, on purpose: both sides of the
// protocol changing together would not be noticed otherwise.
#include "request_record.h"

#include "check.h"
#include "fake_triton.h"
#include "tsb_protocol.h"

static char input_name[] = "IN", output_name[] = "OUT", second_output_name[] = "OUT2";
static struct tsb_io input_items[] = {{.name = input_name, .datatype = 11, .dims_count = 1, .dims = {-1}}};
static struct tsb_io output_items[] = {{.name = output_name}, {.name = second_output_name}};
static struct tsb_io_table input_table = {input_items, 1}, output_table = {output_items, 2};

static TRITONBACKEND_Input tensor(const char* name, TRITONSERVER_DataType datatype, int64_t elements, const void* data,
                                  uint64_t bytes) {
  return (TRITONBACKEND_Input){.name = name,
                               .datatype = datatype,
                               .shape = {1, elements},
                               .dims_count = 2,
                               .bytes = bytes,
                               .buffer_count = 1,
                               .buffers = {data},
                               .buffer_bytes = {bytes}};
}

static void test_golden_bytes(void) {
  static const float data[] = {1.0f, -2.0f, 3.0f};
  static const uint8_t start[] = {1, 0, 0, 0};
  static char mode[] = "mode", text[] = "a", flag[] = "on";
  static TRITONBACKEND_Request request = {.id = "id-1",
                                          .correlation_id = 0x1122334455667788,
                                          .flags = 3,
                                          .timeout_us = 5,
                                          .input_count = 2,
                                          .outputs = {second_output_name},
                                          .output_count = 1,
                                          .parameter_count = 2};
  request.inputs[0] = tensor("IN", TRITONSERVER_TYPE_FP32, 3, data, 12);
  request.inputs[1] = tensor("START", TRITONSERVER_TYPE_INT32, 1, start, 4);
  request.parameters[0] = (struct fake_parameter){mode, TRITONSERVER_PARAMETER_STRING, {.text = text}};
  request.parameters[1] = (struct fake_parameter){flag, TRITONSERVER_PARAMETER_BOOL, {.boolean = true}};
  // clang-format off
  static const uint8_t EXPECTED[] = {
      // batch: 1 request, taken at 1 ns
      1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0,
      // request: record_bytes 288, flags 3
      0x20, 1, 0, 0, 3, 0, 0, 0,
      // correlation id, timeout
      0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11, FAKE_TRITON_IS_OLD ? 0 : 5, 0, 0, 0, 0, 0, 0, 0,
      // id at 208, 4 bytes; correlation at 216, 0 bytes; parameters at 224, 2; requested at 216, 1; 2 inputs; not
      // cancelled; no trace
      208, 0, 0, 0, 4, 0, 0, 0, 216, 0, 0, 0, 0, 0, 0, 0, 224, 0, 0, 0, 2, 0, 0, 0, 216, 0, 0, 0, 1, 0, 0, 0,
      2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
      // input 0: index 0, FP32, 2 dims, no inline name, place: region 9, offset 4096 + 320, 12 bytes; dims 1, 3
      0, 0, 0, 0, 11, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
      9, 0, 0, 0, 0, 0, 0, 0, 0x40, 0x11, 0, 0, 0, 0, 0, 0, 12, 0, 0, 0, 0, 0, 0, 0,
      1, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0,
      // input 1: inline name at 200 with 5 bytes, INT32, place: region 9, offset 4096 + 384, 4 bytes; dims 1, 1
      0xff, 0xff, 0xff, 0xff, 8, 0, 0, 0, 2, 0, 0, 0, 200, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0,
      9, 0, 0, 0, 0, 0, 0, 0, 0x80, 0x11, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0,
      1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0,
      // names and lists, each padded to 8: inline name, id, requested outputs (index 1)
      'S', 'T', 'A', 'R', 'T', 0, 0, 0, 'i', 'd', '-', '1', 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0,
      // parameter mode = "a": STRING, key 4 bytes, value 1 byte
      1, 0, 0, 0, 4, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 'm', 'o', 'd', 'e', 'a', 0, 0, 0,
      // parameter on = true: BOOL
      3, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 'o', 'n', 0, 0, 0, 0, 0, 0,
      // to the next multiple of 64, then the data
      0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
      0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0, 0, 0, 0x40, 0x40,
  };
  // clang-format on
  struct tsb_encoder encoder;
  tsb_encoder_init(&encoder, &input_table, &output_table);
  tsb_encoder_begin(&encoder, 1);
  CHECK(tsb_encoder_add(&encoder, &request) == NULL);
  CHECK_INT(tsb_encoder_bytes(&encoder), 448);
  uint8_t* block = calloc(1, 448);
  CHECK_INT(tsb_encoder_write(&encoder, &(struct tsb_block){.region = 9, .offset = 4096, .base = block}, true), 1);
  for (size_t i = 0; i < sizeof EXPECTED; i++) {
    if (block[i] != EXPECTED[i]) CHECK_FAIL("byte %zu is %u, expected %u", i, block[i], EXPECTED[i]);
  }
  CHECK_INT(memcmp(block + 384, start, 4), 0);
  free(block);
  tsb_encoder_free(&encoder);
}

static void test_strings_numbers_and_text_correlation(void) {
  static char integer[] = "n", number[] = "x";
  static TRITONBACKEND_Request request = {.correlation_text = "session-1", .parameter_count = 2};
  request.parameters[0] = (struct fake_parameter){integer, TRITONSERVER_PARAMETER_INT, {.integer = -3}};
  request.parameters[1] = (struct fake_parameter){number, TRITONSERVER_PARAMETER_DOUBLE, {.number = 0.5}};
  struct tsb_encoder encoder;
  tsb_encoder_init(&encoder, &input_table, &output_table);
  tsb_encoder_begin(&encoder, 1);
  CHECK(tsb_encoder_add(&encoder, &request) == NULL);
  uint8_t* block = calloc(1, tsb_encoder_bytes(&encoder));
  CHECK_INT(tsb_encoder_write(&encoder, &(struct tsb_block){.region = 1, .offset = 0, .base = block}, true),
            1);  // without inputs a request counts as one
  const struct tsb_request* head = (const struct tsb_request*)(block + sizeof(struct tsb_batch));
  CHECK_INT(head->correlation_id, 0);
  CHECK_INT(head->correlation_bytes, 9);
  CHECK_INT(memcmp((const uint8_t*)head + head->correlation_offset, "session-1", 9), 0);
  struct tsb_parameter parameter;
  memcpy(&parameter, (const uint8_t*)head + head->parameters_offset, sizeof parameter);
  CHECK_INT(parameter.type, TSB_PARAMETER_INT);
  CHECK_INT((int64_t)parameter.value, -3);
  memcpy(&parameter, (const uint8_t*)head + head->parameters_offset + sizeof parameter + 8, sizeof parameter);
  CHECK_INT(parameter.type, TSB_PARAMETER_DOUBLE);
  CHECK_INT(parameter.value, 0x3fe0000000000000);
  free(block);
  tsb_encoder_free(&encoder);
}

static void test_many_requests_and_buffers(void) {
  enum { COUNT = 300 };
  static TRITONBACKEND_Request requests[COUNT];
  static const uint8_t first[] = {1, 2, 3}, second[] = {4, 5, 6, 7, 8};
  struct tsb_encoder encoder;
  tsb_encoder_init(&encoder, &input_table, &output_table);
  tsb_encoder_begin(&encoder, 1);
  for (int i = 0; i < COUNT; i++) {
    requests[i].input_count = 1;
    requests[i].inputs[0] = tensor("IN", TRITONSERVER_TYPE_UINT8, 8, NULL, 8);
    requests[i].inputs[0].shape[0] = 2;
    requests[i].inputs[0].buffer_count = 3;
    requests[i].inputs[0].buffers[0] = first;
    requests[i].inputs[0].buffer_bytes[0] = 3;
    requests[i].inputs[0].buffers[2] = second;  // the one between is empty
    requests[i].inputs[0].buffer_bytes[2] = 5;
    CHECK(tsb_encoder_add(&encoder, &requests[i]) == NULL);
  }
  uint64_t bytes = tsb_encoder_bytes(&encoder);
  uint8_t* block = malloc(bytes);
  memset(block, 0xee, bytes);  // what was in the memory before must not matter
  CHECK_INT(tsb_encoder_write(&encoder, &(struct tsb_block){.region = 1, .offset = 0, .base = block}, true), 2 * COUNT);
  const uint8_t* record = block + sizeof(struct tsb_batch);
  for (int i = 0; i < COUNT; i++) {
    const struct tsb_request* head = (const struct tsb_request*)record;
    const struct tsb_tensor* input = (const struct tsb_tensor*)(head + 1);
    CHECK_INT(head->record_bytes % 8, 0);
    CHECK_INT(input->place.offset % TSB_DATA_ALIGNMENT, 0);
    CHECK(input->place.offset + input->place.bytes <= bytes);
    for (uint8_t j = 0; j < 8; j++) CHECK_INT(block[input->place.offset + j], j + 1);
    record += head->record_bytes;
  }
  free(block);
  tsb_encoder_begin(&encoder, 1);
  CHECK_INT(tsb_encoder_bytes(&encoder), TSB_DATA_ALIGNMENT);
  tsb_encoder_free(&encoder);
}

static int lend_second(void* context, uint32_t request, const void* data, uint64_t bytes, struct tsb_place* place) {
  int* calls = context;
  (void)data;
  if (++*calls == 2) *place = (struct tsb_place){.region = 70 + request, .offset = 9000, .bytes = bytes};
  return *calls == 3 ? -7 : 0;
}

static void test_lent_inputs_are_not_copied(void) {
  static const float data[64] = {1.0f, 2.0f};
  static TRITONBACKEND_Request request = {.id = "", .input_count = 3};
  request.inputs[0] = tensor("IN", TRITONSERVER_TYPE_FP32, 64, data, 256);
  request.inputs[1] = tensor("IN", TRITONSERVER_TYPE_FP32, 64, data, 256);
  request.inputs[2] = tensor("IN", TRITONSERVER_TYPE_FP32, 0, NULL, 0);  // nothing to lend
  struct tsb_encoder encoder;
  int calls = 0;
  tsb_encoder_init(&encoder, &input_table, &output_table);
  tsb_encoder_begin(&encoder, 1);
  CHECK(tsb_encoder_add(&encoder, &request) == NULL);
  uint64_t before = tsb_encoder_bytes(&encoder);
  CHECK_INT(tsb_encoder_lend_inputs(&encoder, lend_second, &calls), 0);
  CHECK_INT(calls, 2);
  CHECK_INT(before - tsb_encoder_bytes(&encoder), 256);
  uint8_t* block = calloc(1, tsb_encoder_bytes(&encoder));
  tsb_encoder_write(&encoder, &(struct tsb_block){.region = 1, .offset = 0, .base = block}, true);
  const struct tsb_tensor* first =
      (const struct tsb_tensor*)(block + sizeof(struct tsb_batch) + sizeof(struct tsb_request));
  const struct tsb_tensor* second = (const struct tsb_tensor*)((const uint8_t*)(first + 1) + 2 * sizeof(int64_t));
  CHECK_INT(first->place.region, 1);
  CHECK_INT(memcmp(block + first->place.offset, data, 256), 0);
  CHECK_INT(second->place.region, 70);
  CHECK_INT(second->place.offset, 9000);
  CHECK_INT(second->place.bytes, 256);
  free(block);
  CHECK_INT(tsb_encoder_lend_inputs(&encoder, lend_second, &calls), -7);
  // The next batch begins anew.
  tsb_encoder_begin(&encoder, 1);
  CHECK(tsb_encoder_add(&encoder, &request) == NULL);
  CHECK_INT(tsb_encoder_bytes(&encoder), before);
  tsb_encoder_free(&encoder);
}

// Each request's inputs may go into a block of their own.
static void test_inputs_apart(void) {
  static const float data[] = {1, 2, 3};
  static TRITONBACKEND_Request requests[2] = {{.input_count = 1}, {.input_count = 1}};
  uint8_t apart[256] = {0};
  struct tsb_block own = {.region = 8, .offset = 640, .base = apart};
  struct tsb_encoder encoder;
  tsb_encoder_init(&encoder, &input_table, &output_table);
  tsb_encoder_begin(&encoder, 1);
  for (int i = 0; i < 2; i++) {
    requests[i].inputs[0] = tensor("IN", TRITONSERVER_TYPE_FP32, 3, data, 12);
    CHECK(tsb_encoder_add(&encoder, &requests[i]) == NULL);
    CHECK_INT(encoder.requests[i].data_bytes, TSB_DATA_ALIGNMENT);
  }
  uint64_t before = tsb_encoder_bytes(&encoder);
  tsb_encoder_set_apart(&encoder, 1, &own);
  CHECK_INT(before - tsb_encoder_bytes(&encoder), TSB_DATA_ALIGNMENT);
  uint8_t* block = calloc(1, tsb_encoder_bytes(&encoder));
  tsb_encoder_write(&encoder, &(struct tsb_block){.region = 1, .offset = 0, .base = block}, true);
  const struct tsb_tensor* first = (const struct tsb_tensor*)(encoder.requests[0].record + 1);
  const struct tsb_tensor* second = (const struct tsb_tensor*)(encoder.requests[1].record + 1);
  CHECK_INT(first->place.region, 1);
  CHECK_INT(memcmp(block + first->place.offset, data, 12), 0);
  CHECK_INT(second->place.region, 8);
  CHECK_INT(second->place.offset, 640);
  CHECK_INT(memcmp(apart, data, 12), 0);
  free(block);
  tsb_encoder_free(&encoder);
}

static void refuse(struct tsb_encoder* encoder, TRITONBACKEND_Request* request, TRITONSERVER_Error_Code code,
                   const char* part) {
  uint64_t before = tsb_encoder_bytes(encoder);
  uint32_t inputs = encoder->input_count;
  TRITONSERVER_Error* error = tsb_encoder_add(encoder, request);
  CHECK(error != NULL);
  CHECK_INT(TRITONSERVER_ErrorCode(error), code);
  CHECK_CONTAINS(TRITONSERVER_ErrorMessage(error), part);
  TRITONSERVER_ErrorDelete(error);
  CHECK_INT(tsb_encoder_bytes(encoder), before);
  CHECK_INT(encoder->input_count, inputs);
}

static void test_requests_that_are_refused_leave_no_trace(void) {
  static const float data[] = {1, 2, 3};
  static char key[] = "k";
  static TRITONBACKEND_Request good = {.input_count = 1}, bad;
  struct tsb_encoder encoder;
  tsb_encoder_init(&encoder, &input_table, &output_table);
  tsb_encoder_begin(&encoder, 1);
  good.inputs[0] = tensor("IN", TRITONSERVER_TYPE_FP32, 3, data, 12);
  CHECK(tsb_encoder_add(&encoder, &good) == NULL);

  bad = good;
  bad.input_count = 2;
  bad.inputs[1] = good.inputs[0];
  bad.inputs[1].dims_count = TSB_MAX_DIMS + 1;
  refuse(&encoder, &bad, TRITONSERVER_ERROR_INVALID_ARG, "has 33 dimensions, but at most 32");
  bad.inputs[1] = good.inputs[0];
  bad.inputs[1].bytes = 13;
  refuse(&encoder, &bad, TRITONSERVER_ERROR_INVALID_ARG, "should have 13 bytes of data, but has 12");
  bad.inputs[1] = good.inputs[0];
  bad.inputs[1].memory_type = TRITONSERVER_MEMORY_GPU;
  refuse(&encoder, &bad, TRITONSERVER_ERROR_UNSUPPORTED, "is in GPU memory");
  bad = good;
  bad.parameter_count = 1;
  bad.parameters[0] = (struct fake_parameter){.name = key, .type = TRITONSERVER_PARAMETER_BYTES};
  refuse(&encoder, &bad, TRITONSERVER_ERROR_UNSUPPORTED, "parameter 'k'");
  fake_faults.input_buffer = 1;
  refuse(&encoder, &good, TRITONSERVER_ERROR_INTERNAL, "InputBuffer failed");
  fake_faults.request_id = 1;
  refuse(&encoder, &good, TRITONSERVER_ERROR_INTERNAL, "RequestId failed");
  good.inputs[0].memory_type = TRITONSERVER_MEMORY_CPU_PINNED;
  CHECK(tsb_encoder_add(&encoder, &good) == NULL);
  tsb_encoder_free(&encoder);
}

// What the server gives for the id of a sequence is read only if it is one.
static void test_the_control_input_of_a_sequence(void) {
  static const uint8_t garbage[132] = {99};
  static TRITONBACKEND_Request request = {.correlation_id = 99, .input_count = 2};
  struct tsb_encoder encoder;
  tsb_encoder_init(&encoder, &input_table, &output_table);
  encoder.correlation_input = "CORRID";
  tsb_encoder_begin(&encoder, 1);
  request.inputs[0] = tensor("CORRID", TRITONSERVER_TYPE_BYTES, 1, garbage, sizeof garbage);
  request.inputs[1] = tensor("OTHER", TRITONSERVER_TYPE_UINT8, 3, "abc", 3);
  CHECK(tsb_encoder_add(&encoder, &request) == NULL);
  uint8_t* block = calloc(1, tsb_encoder_bytes(&encoder));
  tsb_encoder_write(&encoder, &(struct tsb_block){.region = 1, .offset = 0, .base = block}, true);
  const struct tsb_tensor* input =
      (const struct tsb_tensor*)(block + sizeof(struct tsb_batch) + sizeof(struct tsb_request));
  CHECK_INT(input->place.bytes, 6);
  CHECK_INT(memcmp(block + input->place.offset,
                   "\2\0\0\0"
                   "99",
                   6),
            0);
  CHECK_INT(memcmp(block + input->place.offset + TSB_DATA_ALIGNMENT, "abc", 3), 0);
  free(block);
  request.correlation_text = "a";
  request.inputs[0] = tensor("CORRID", TRITONSERVER_TYPE_UINT64, 1, garbage, 8);
  refuse(&encoder, &request, TRITONSERVER_ERROR_INVALID_ARG, "is a text, but the control input 'CORRID'");
  tsb_encoder_free(&encoder);
}

// The context of the request's trace, as the record of a request has it; NULL: it is not traced.
static const char* trace_of(struct tsb_encoder* encoder, const char* context, char text[64]) {
  TRITONBACKEND_Request request = {.trace = context, .id = "id"};
  tsb_encoder_begin(encoder, 1);
  CHECK(tsb_encoder_add(encoder, &request) == NULL);
  uint8_t* block = calloc(1, tsb_encoder_bytes(encoder));
  tsb_encoder_write(encoder, &(struct tsb_block){.region = 1, .offset = 0, .base = block}, true);
  const struct tsb_request* head = (const struct tsb_request*)(block + sizeof(struct tsb_batch));
  bool is_traced = head->trace_offset != 0;
  CHECK(head->trace_offset + head->trace_bytes <= head->record_bytes);
  CHECK(head->trace_bytes < 64);
  memcpy(text, (const uint8_t*)head + head->trace_offset, head->trace_bytes);
  text[head->trace_bytes] = 0;
  CHECK_INT(memcmp((const uint8_t*)head + head->id_offset, "id", 2), 0);
  free(block);
  return is_traced ? text : NULL;
}

static void test_traces(void) {
  char text[64];
  struct tsb_encoder encoder;
  tsb_encoder_init(&encoder, &input_table, &output_table);
  CHECK(trace_of(&encoder, NULL, text) == NULL);
  if (FAKE_TRITON_IS_OLD) {
    CHECK(trace_of(&encoder, "{}", text) == NULL);
  } else {
    const char* context = "{\"traceparent\":\"00-1-2-01\"}";
    CHECK(trace_of(&encoder, context, text) != NULL);
    CHECK_INT(strcmp(text, context), 0);
    CHECK(trace_of(&encoder, "", text) != NULL);  // traced, into a file
    CHECK_INT(strlen(text), 0);
    fake_faults.request_trace = 2;  // a server that was built without traces is asked once
    CHECK(trace_of(&encoder, context, text) == NULL);
    CHECK(trace_of(&encoder, context, text) == NULL);
    CHECK_INT(fake_faults.request_trace, 1);
    CHECK_INT(fake_live_errors(), 0);
    fake_faults.request_trace = 0;
  }
  tsb_encoder_free(&encoder);
}

int main(void) {
  test_golden_bytes();
  test_traces();
  test_strings_numbers_and_text_correlation();
  test_many_requests_and_buffers();
  test_lent_inputs_are_not_copied();
  test_inputs_apart();
  test_requests_that_are_refused_leave_no_trace();
  test_the_control_input_of_a_sequence();
  return 0;
}
