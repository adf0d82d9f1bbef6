// SPDX-License-Identifier: Apache-2.0
// A model and a stub without a process: its end of the memory is the fuzzer's.
#ifndef FUZZ_STUB_H
#define FUZZ_STUB_H

#include <sys/socket.h>

#include "calls.h"
#include "fake_triton.h"
#include "fuzz.h"
#include "model.h"

enum { FUZZ_SHIM_REGION_BYTES = 1 << 20, FUZZ_MAX_COPIED = 1 << 16 };
enum { FUZZ_REGION_BYTES = 16384, FUZZ_REGION = 5 | TSB_REGION_OF_STUB, FUZZ_ROWS = 2 };

static char fuzz_fixed_name[] = "FIXED", fuzz_any_name[] = "ANY", fuzz_text_name[] = "TEXT";
static struct tsb_io fuzz_outputs[] = {
    {.name = fuzz_fixed_name, .datatype = TRITONSERVER_TYPE_FP32, .dims_count = 1, .dims = {3}},
    {.name = fuzz_any_name, .datatype = TRITONSERVER_TYPE_FP64, .dims_count = 2, .dims = {-1, -1}},
    {.name = fuzz_text_name, .datatype = TRITONSERVER_TYPE_BYTES, .dims_count = 1, .dims = {-1}},
};
enum { FUZZ_OUTPUTS = sizeof fuzz_outputs / sizeof fuzz_outputs[0] };
static struct tsb_backend fuzz_backend;
static struct tsb_model fuzz_model = {
    .backend = &fuzz_backend, .outputs = {fuzz_outputs, FUZZ_OUTPUTS}, .settings = {.check_outputs = true}};
static struct tsb_stub* fuzz_stub;
static char fuzz_stub_name[] = "fuzzed";
static uint8_t* fuzz_memory;  // of the region that the stub made

static inline void fuzz_add_region(uint32_t id, uint64_t bytes, struct tsb_region* region) {
  CHECK_INT(tsb_region_create(region, id, bytes), 0);
  CHECK_INT(tsb_region_add(&fuzz_stub->memory.regions, region), 0);
}

static inline int fuzz_announce_nothing(void* context, const struct tsb_region* region) {
  (void)context, (void)region;
  return 0;
}

// The shim's own memory: one region, as big as all may be.
static inline void fuzz_open_memory(void) {
  struct tsb_control* control = fuzz_stub->memory.control;
  control->max_bytes = control->initial_bytes = control->growth_bytes = FUZZ_SHIM_REGION_BYTES;
  fuzz_stub->memory.max_stub_bytes = FUZZ_MAX_COPIED;
  tsb_arena_init(&fuzz_stub->memory.inbound, &fuzz_stub->memory.regions, 1, control, fuzz_announce_nothing, NULL);
}

static inline void fuzz_open_backend(void) {
  pthread_condattr_t attributes;
  pthread_condattr_init(&attributes);
  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  pthread_cond_init(&fuzz_backend.calls_changed, &attributes);
  pthread_condattr_destroy(&attributes);
  pthread_mutex_init(&fuzz_backend.calls_lock, NULL);
  pthread_mutex_init(&fuzz_backend.instances_lock, NULL);
  CHECK(tsb_calls_prepare(&fuzz_backend) == NULL);
}

// Once in a process; it is used by all inputs.
static inline void fuzz_open_stub(void) {
  int sockets[2];
  struct tsb_region region;
  if (fuzz_stub != NULL) return;
  fake_log_is_silent = true;
  fuzz_stub = calloc(1, sizeof *fuzz_stub);
  CHECK(fuzz_stub != NULL);
  fuzz_stub->process.name = fuzz_stub_name;
  fuzz_stub->references = 1;
  pthread_mutex_init(&fuzz_stub->memory.lock, NULL);
  tsb_outbox_init(&fuzz_stub->to_stub);
  CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), 0);
  tsb_stub_channel_init(&fuzz_stub->channel, &fuzz_stub->memory);
  CHECK_INT(tsb_stub_channel_open(&fuzz_stub->channel, sockets[0]), 0);
  fuzz_add_region(0, sizeof(struct tsb_control), &region);
  fuzz_stub->memory.control = (struct tsb_control*)region.base;
  fuzz_add_region(FUZZ_REGION, FUZZ_REGION_BYTES, &region);
  fuzz_memory = region.base;
  fuzz_open_memory();
  fuzz_open_backend();
}

// What a client asks for: the outputs whose bits are set, and one input whose first dimension is FUZZ_ROWS.
static inline void fuzz_ask(TRITONBACKEND_Request* request, unsigned outputs) {
  request->input_count = 1;
  request->inputs[0].dims_count = 1;
  request->inputs[0].shape[0] = FUZZ_ROWS;
  request->output_count = 0;
  for (unsigned i = 0; i < FUZZ_OUTPUTS; i++) {
    if ((outputs >> i & 1) != 0) request->outputs[request->output_count++] = fuzz_outputs[i].name;
  }
}

static inline uint64_t fuzz_element_bytes(TRITONSERVER_DataType datatype) {
  return datatype == TRITONSERVER_TYPE_FP32 ? 4 : datatype == TRITONSERVER_TYPE_FP64 ? 8 : 0;
}

// An output that a client was sent is what the model's configuration says, whatever the stub wrote.
static inline void fuzz_check_output(const TRITONBACKEND_Output* output) {
  const struct tsb_io* io = fuzz_outputs;
  uint32_t batch = fuzz_model.max_batch_size > 0 ? 1 : 0;
  uint64_t elements = 1, at = 0;
  while (io < fuzz_outputs + FUZZ_OUTPUTS && strcmp(io->name, output->name) != 0) io++;
  CHECK(io < fuzz_outputs + FUZZ_OUTPUTS);
  CHECK_INT(output->datatype, io->datatype);
  CHECK_INT(output->dims_count, io->dims_count + batch);
  for (uint32_t i = 0; i < output->dims_count; i++) {
    CHECK(output->shape[i] >= 0);
    int64_t expected = i < batch ? FUZZ_ROWS : io->dims[i - batch];
    if (expected >= 0) CHECK_INT(output->shape[i], expected);
    elements *= (uint64_t)output->shape[i];
  }
  if (io->datatype != TRITONSERVER_TYPE_BYTES) {
    CHECK_INT(output->bytes, elements * fuzz_element_bytes(output->datatype));
    return;
  }
  for (uint64_t i = 0; i < elements; i++) {
    uint32_t length;
    CHECK(output->bytes - at >= sizeof length);
    memcpy(&length, output->data + at, sizeof length);
    at += sizeof length;
    CHECK(output->bytes - at >= length);
    at += length;
  }
  CHECK_INT(output->bytes, at);
}

static inline bool fuzz_is_asked_for(const TRITONBACKEND_Request* request, const char* output) {
  for (uint32_t i = 0; i < request->output_count; i++) {
    if (strcmp(request->outputs[i], output) == 0) return true;
  }
  return false;
}

// What a request was answered with: an error, or outputs that it asked for and that fit, each once.
static inline void fuzz_check_response(const TRITONBACKEND_Request* request) {
  const TRITONBACKEND_Response* response = request->response;
  CHECK_INT(request->response_count, 1);
  CHECK(response != NULL);
  if (response->error != NULL) return;
  for (uint32_t i = 0; i < response->output_count; i++) {
    const TRITONBACKEND_Output* output = &response->outputs[i];
    fuzz_check_output(output);
    CHECK(fuzz_is_asked_for(request, output->name));
    CHECK(fake_output(request, output->name) == output);
  }
}

// Each of these is a record and its data as a stub writes them at the start of its region; returns its bytes.
static inline uint32_t fuzz_record_of(struct fuzz_seed* seed, uint32_t output, const int64_t* dims, uint32_t dims_count,
                                      const void* data, uint32_t bytes) {
  static const char TEXTS[] = "notehi!score";
  const struct tsb_parameter note = {.type = TSB_PARAMETER_STRING, .key_bytes = 4, .value_bytes = 3},
                             score = {.type = TSB_PARAMETER_DOUBLE, .key_bytes = 5, .value = 0x3fe0000000000000};
  struct tsb_response head = {.parameter_count = 2, .output_count = 1};
  struct tsb_tensor tensor = {.name = output,
                              .datatype = fuzz_outputs[output].datatype,
                              .dims_count = dims_count,
                              .place = {FUZZ_REGION, 0, 0, bytes}};
  head.parameters_offset = (uint32_t)(sizeof head + sizeof tensor + dims_count * sizeof *dims);
  head.record_bytes = head.parameters_offset + 2 * (uint32_t)sizeof note + 16;
  tensor.place.offset = head.record_bytes;
  fuzz_add(seed, &head, sizeof head);
  fuzz_add(seed, &tensor, sizeof tensor);
  fuzz_add(seed, dims, dims_count * sizeof *dims);
  fuzz_add(seed, &note, sizeof note);
  fuzz_add(seed, TEXTS, 7);
  fuzz_add_u8(seed, 0);
  fuzz_add(seed, &score, sizeof score);
  fuzz_add(seed, TEXTS + 7, 5);
  fuzz_add(seed, "\0\0", 3);
  fuzz_add(seed, data, bytes);
  return head.record_bytes;
}

// The message is the last thing in it: one byte more is not the record's.
static inline uint32_t fuzz_record_of_error(struct fuzz_seed* seed) {
  static const char MESSAGE[] = "The model says: 'no'";
  const uint32_t bytes = sizeof MESSAGE - 1;
  struct tsb_response head = {.status = 3, .message_offset = sizeof head, .message_bytes = bytes};
  head.record_bytes = (uint32_t)sizeof head + bytes;
  fuzz_add(seed, &head, sizeof head);
  fuzz_add(seed, MESSAGE, bytes);
  return head.record_bytes;
}

#endif
