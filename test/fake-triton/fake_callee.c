// SPDX-License-Identifier: Apache-2.0
#include "fake_callee.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { STREAM_RESPONSES = 3, LATE_US = 3000, VERY_LATE_US = 5500000, POLL_US = 500 };

static atomic_long live, sent, cancelled, traced, held;
static atomic_bool is_held;
static _Atomic uint64_t digests;

long fake_live_calls(void) { return live; }
long fake_sent_calls(void) { return sent; }
long fake_cancelled_calls(void) { return cancelled; }
long fake_traced_calls(void) { return traced; }

void fake_hold(bool is_on) { is_held = is_on; }
long fake_held_inputs(void) { return held; }
uint64_t fake_held_digest(void) { return digests; }

uint64_t fake_digest(const void* data, uint64_t bytes) {
  const uint8_t* from = data;
  uint64_t digest = UINT64_C(0xcbf29ce484222325);
  for (uint64_t i = 0; i < bytes; i++) digest = (digest ^ from[i]) * UINT64_C(0x100000001b3);
  return digest;
}

struct TRITONSERVER_ResponseAllocator {
  TRITONSERVER_ResponseAllocatorAllocFn_t allocate;
  TRITONSERVER_ResponseAllocatorReleaseFn_t release;
};

struct callee_input {
  char* name;
  TRITONSERVER_DataType datatype;
  int64_t shape[32];
  uint64_t dims_count;
  const void* data;
  size_t bytes;
};

struct TRITONSERVER_InferenceRequest {
  char* model;
  struct callee_input inputs[FAKE_MAX_TENSORS];
  uint32_t input_count;
  atomic_bool is_cancelled;
  TRITONSERVER_ResponseAllocator* allocator;
  void* allocator_context;
  TRITONSERVER_InferenceRequestReleaseFn_t on_release;
  void* release_context;
  TRITONSERVER_InferenceResponseCompleteFn_t on_response;
  void* response_context;
};

struct callee_output {
  char name[16];
  TRITONSERVER_DataType datatype;
  int64_t shape[32];
  uint64_t dims_count;
  void *buffer, *buffer_context;
  size_t bytes;
};

struct TRITONSERVER_InferenceResponse {
  TRITONSERVER_ResponseAllocator* allocator;
  struct callee_output outputs[FAKE_MAX_TENSORS];
  uint32_t output_count;
  TRITONSERVER_Error* error;
};

// --- The callee ----------------------------------------------------------------------------------------------------
static bool is(const TRITONSERVER_InferenceRequest* request, const char* model) {
  return strncmp(request->model, model, strlen(model)) == 0;
}

static void add_output(const TRITONSERVER_InferenceRequest* request, TRITONSERVER_InferenceResponse* response,
                       const struct callee_input* input, size_t bytes) {
  struct callee_output* output = &response->outputs[response->output_count];
  TRITONSERVER_MemoryType type;
  int64_t id;
  snprintf(output->name, sizeof output->name, response->output_count == 0 ? "OUT" : "OUT%u", response->output_count);
  TRITONSERVER_Error* error =
      request->allocator->allocate(request->allocator, output->name, bytes, TRITONSERVER_MEMORY_CPU, 0,
                                   request->allocator_context, &output->buffer, &output->buffer_context, &type, &id);
  if (error != NULL) {
    if (response->error == NULL) {
      response->error = error;
    } else {
      TRITONSERVER_ErrorDelete(error);
    }
    return;
  }
  output->datatype = input->datatype;
  output->dims_count = input->dims_count;
  output->bytes = bytes;
  memcpy(output->shape, input->shape, sizeof output->shape);
  if (bytes > 0 && bytes <= input->bytes) memcpy(output->buffer, input->data, bytes);
  response->output_count++;
}

static TRITONSERVER_InferenceResponse* make_response(const TRITONSERVER_InferenceRequest* request) {
  TRITONSERVER_InferenceResponse* response = calloc(1, sizeof *response);
  live++;
  response->allocator = request->allocator;
  for (uint32_t i = 0; i < request->input_count; i++) {
    const struct callee_input* input = &request->inputs[i];
    // As many that nothing is copied where the response is never sent.
    if (is(request, "keeping")) {
      add_output(request, response, input, input->bytes + 1);
      continue;
    }
    size_t bytes = is(request, "large") ? (size_t)1 << 40 : is(request, "short") ? input->bytes - 4 : input->bytes;
    add_output(request, response, input, bytes);
  }
  return response;
}

static void respond(TRITONSERVER_InferenceRequest* request, bool is_last) {
  TRITONSERVER_InferenceResponse* response = make_response(request);
  request->on_response(response, is_last ? TRITONSERVER_RESPONSE_COMPLETE_FINAL : 0, request->response_context);
}

static void respond_error(TRITONSERVER_InferenceRequest* request, TRITONSERVER_Error_Code code, const char* text) {
  TRITONSERVER_InferenceResponse* response = calloc(1, sizeof *response);
  live++;
  response->allocator = request->allocator;
  response->error = TRITONSERVER_ErrorNew(code, text);
  request->on_response(response, TRITONSERVER_RESPONSE_COMPLETE_FINAL, request->response_context);
}

static void release(TRITONSERVER_InferenceRequest* request) {
  request->on_release(request, TRITONSERVER_REQUEST_RELEASE_ALL, request->release_context);
}

static void keep_response(TRITONSERVER_InferenceRequest* request) {
  TRITONSERVER_InferenceResponse* response = make_response(request);
  unsigned wait_us = is(request, "keeping_long") ? VERY_LATE_US : LATE_US;
  request->on_response(NULL, TRITONSERVER_RESPONSE_COMPLETE_FINAL, request->response_context);
  release(request);
  usleep(wait_us);
  TRITONSERVER_InferenceResponseDelete(response);
}

static void read_late(const TRITONSERVER_InferenceRequest* request) {
  while (is_held) usleep(POLL_US);
  for (uint32_t i = 0; i < request->input_count; i++) {
    digests += fake_digest(request->inputs[i].data, request->inputs[i].bytes);
    held++;
  }
}

// Nothing of the request may be used once both callbacks have come: it is deleted then.
static void* serve(void* argument) {
  TRITONSERVER_InferenceRequest* request = argument;
  if (is(request, "echo_early")) {
    release(request);
    usleep(LATE_US);
    respond(request, true);
    return NULL;
  }
  if (is(request, "keeping")) {
    keep_response(request);
    return NULL;
  }
  bool is_late = is(request, "echo_late");
  if (is(request, "stream")) {
    for (int i = 0; i < STREAM_RESPONSES; i++) respond(request, false);
    request->on_response(NULL, TRITONSERVER_RESPONSE_COMPLETE_FINAL, request->response_context);
  } else if (is(request, "nothing") || is(request, "held")) {
    if (is(request, "held")) read_late(request);
    request->on_response(NULL, TRITONSERVER_RESPONSE_COMPLETE_FINAL, request->response_context);
  } else if (is(request, "silent")) {
    while (!request->is_cancelled) usleep(POLL_US);
    respond_error(request, TRITONSERVER_ERROR_CANCELLED, "the call was cancelled");
  } else if (is(request, "failing")) {
    respond_error(request, TRITONSERVER_ERROR_UNSUPPORTED, "the callee failed");
  } else {
    respond(request, true);
  }
  if (is_late) usleep(LATE_US);
  release(request);
  return NULL;
}

TRITONSERVER_Error* TRITONSERVER_ServerInferAsync(TRITONSERVER_Server* server, TRITONSERVER_InferenceRequest* request,
                                                  TRITONSERVER_InferenceTrace* trace) {
  (void)server;
  if (is(request, "refusing")) return TRITONSERVER_ErrorNew(TRITONSERVER_ERROR_UNAVAILABLE, "the queue is full");
  sent++;
  if (trace != NULL) traced++;
  if (is(request, "echo_inline")) return serve(request), NULL;
  pthread_t thread;
  if (pthread_create(&thread, NULL, serve, request) != 0) abort();
  pthread_detach(thread);
  return NULL;
}

// --- Requests ------------------------------------------------------------------------------------------------------
TRITONSERVER_Error* TRITONBACKEND_ModelServer(TRITONBACKEND_Model* model, TRITONSERVER_Server** server) {
  *server = (TRITONSERVER_Server*)model;  // nothing is asked of it
  return NULL;
}

TRITONSERVER_Error* TRITONSERVER_InferenceRequestNew(TRITONSERVER_InferenceRequest** request,
                                                     TRITONSERVER_Server* server, const char* model_name,
                                                     int64_t model_version) {
  static const char* const MODELS[] = {"echo",     "stream", "nothing", "silent",  "failing",
                                       "refusing", "large",  "short",   "keeping", "held"};
  (void)server, (void)model_version;
  for (size_t i = 0; i < sizeof MODELS / sizeof MODELS[0]; i++) {
    if (strncmp(model_name, MODELS[i], strlen(MODELS[i])) != 0) continue;
    *request = calloc(1, sizeof **request);
    (*request)->model = strdup(model_name);
    live++;
    return NULL;
  }
  return TRITONSERVER_ErrorNew(TRITONSERVER_ERROR_NOT_FOUND, "Request for unknown model: it is not found");
}

TRITONSERVER_Error* TRITONSERVER_InferenceRequestDelete(TRITONSERVER_InferenceRequest* request) {
  for (uint32_t i = 0; i < request->input_count; i++) free(request->inputs[i].name);
  free(request->model);
  free(request);
  live--;
  return NULL;
}

TRITONSERVER_Error* TRITONSERVER_InferenceRequestAddInput(TRITONSERVER_InferenceRequest* request, const char* name,
                                                          TRITONSERVER_DataType datatype, const int64_t* shape,
                                                          uint64_t dims_count) {
  if (request->input_count == FAKE_MAX_TENSORS)
    return TRITONSERVER_ErrorNew(TRITONSERVER_ERROR_INVALID_ARG, "too many");
  struct callee_input* input = &request->inputs[request->input_count++];
  *input = (struct callee_input){.name = strdup(name), .datatype = datatype, .dims_count = dims_count};
  memcpy(input->shape, shape, dims_count * sizeof *shape);
  return NULL;
}

TRITONSERVER_Error* TRITONSERVER_InferenceRequestAppendInputData(TRITONSERVER_InferenceRequest* request,
                                                                 const char* name, const void* base, size_t bytes,
                                                                 TRITONSERVER_MemoryType type, int64_t id) {
  (void)name, (void)type, (void)id;
  request->inputs[request->input_count - 1].data = base;
  request->inputs[request->input_count - 1].bytes = bytes;
  return NULL;
}

TRITONSERVER_Error* TRITONSERVER_InferenceRequestSetReleaseCallback(TRITONSERVER_InferenceRequest* request,
                                                                    TRITONSERVER_InferenceRequestReleaseFn_t function,
                                                                    void* context) {
  request->on_release = function;
  request->release_context = context;
  return NULL;
}

TRITONSERVER_Error* TRITONSERVER_InferenceRequestSetResponseCallback(
    TRITONSERVER_InferenceRequest* request, TRITONSERVER_ResponseAllocator* allocator, void* allocator_context,
    TRITONSERVER_InferenceResponseCompleteFn_t function, void* context) {
  request->allocator = allocator;
  request->allocator_context = allocator_context;
  request->on_response = function;
  request->response_context = context;
  return NULL;
}

#if !FAKE_TRITON_IS_OLD
TRITONSERVER_Error* TRITONSERVER_InferenceRequestCancel(TRITONSERVER_InferenceRequest* request) {
  if (!atomic_exchange(&request->is_cancelled, true)) cancelled++;
  return NULL;
}
#endif

// What is set and never looked at.
#define SETTER(name, ...)                                                                                        \
  TRITONSERVER_Error* TRITONSERVER_InferenceRequest##name(TRITONSERVER_InferenceRequest* request, __VA_ARGS__) { \
    (void)request;                                                                                               \
    return NULL;                                                                                                 \
  }
#pragma GCC diagnostic ignored "-Wunused-parameter"
SETTER(SetId, const char* id)
SETTER(SetFlags, uint32_t flags)
SETTER(SetCorrelationId, uint64_t id)
SETTER(SetCorrelationIdString, const char* id)
SETTER(SetPriorityUInt64, uint64_t priority)
SETTER(SetTimeoutMicroseconds, uint64_t timeout)
SETTER(AddRequestedOutput, const char* name)
SETTER(SetStringParameter, const char* key, const char* value)
SETTER(SetIntParameter, const char* key, int64_t value)
SETTER(SetBoolParameter, const char* key, bool value)
#if !FAKE_TRITON_IS_OLD
SETTER(SetDoubleParameter, const char* key, double value)
#endif

// A trace is the request that is traced, and so is what is spawned of it: nobody deletes it.
#if !FAKE_TRITON_IS_OLD
TRITONSERVER_Error* TRITONBACKEND_RequestTrace(TRITONBACKEND_Request* request, TRITONSERVER_InferenceTrace** trace) {
  if (fake_faults.request_trace > 0) {
    fake_faults.request_trace--;
    return TRITONSERVER_ErrorNew(TRITONSERVER_ERROR_UNSUPPORTED, "fake: there are no traces");
  }
  *trace = request->trace == NULL ? NULL : (TRITONSERVER_InferenceTrace*)request;
  return NULL;
}

TRITONSERVER_Error* TRITONSERVER_InferenceTraceContext(TRITONSERVER_InferenceTrace* trace, const char** context) {
  *context = ((TRITONBACKEND_Request*)trace)->trace;
  return NULL;
}

TRITONSERVER_Error* TRITONSERVER_InferenceTraceSpawnChildTrace(TRITONSERVER_InferenceTrace* trace,
                                                               TRITONSERVER_InferenceTrace** child) {
  *child = trace;
  return NULL;
}
#endif

// --- Responses -----------------------------------------------------------------------------------------------------
TRITONSERVER_Error* TRITONSERVER_ResponseAllocatorNew(TRITONSERVER_ResponseAllocator** allocator,
                                                      TRITONSERVER_ResponseAllocatorAllocFn_t allocate,
                                                      TRITONSERVER_ResponseAllocatorReleaseFn_t release_function,
                                                      TRITONSERVER_ResponseAllocatorStartFn_t start) {
  (void)start;
  *allocator = calloc(1, sizeof **allocator);
  **allocator = (struct TRITONSERVER_ResponseAllocator){allocate, release_function};
  live++;
  return NULL;
}

TRITONSERVER_Error* TRITONSERVER_ResponseAllocatorDelete(TRITONSERVER_ResponseAllocator* allocator) {
  free(allocator);
  live--;
  return NULL;
}

TRITONSERVER_Error* TRITONSERVER_InferenceResponseError(TRITONSERVER_InferenceResponse* response) {
  return response->error;
}

TRITONSERVER_Error* TRITONSERVER_InferenceResponseModel(TRITONSERVER_InferenceResponse* response, const char** name,
                                                        int64_t* version) {
  (void)response;
  *name = "callee";
  *version = 1;
  return NULL;
}

TRITONSERVER_Error* TRITONSERVER_InferenceResponseOutputCount(TRITONSERVER_InferenceResponse* response,
                                                              uint32_t* count) {
  *count = response->output_count;
  return NULL;
}

TRITONSERVER_Error* TRITONSERVER_InferenceResponseOutput(TRITONSERVER_InferenceResponse* response, uint32_t index,
                                                         const char** name, TRITONSERVER_DataType* datatype,
                                                         const int64_t** shape, uint64_t* dims_count, const void** base,
                                                         size_t* bytes, TRITONSERVER_MemoryType* type, int64_t* id,
                                                         void** context) {
  const struct callee_output* output = &response->outputs[index];
  *name = output->name;
  *datatype = output->datatype;
  *shape = output->shape;
  *dims_count = output->dims_count;
  *base = output->buffer;
  *bytes = output->bytes;
  *type = TRITONSERVER_MEMORY_CPU;
  *id = 0;
  *context = output->buffer_context;
  return NULL;
}

TRITONSERVER_Error* TRITONSERVER_InferenceResponseParameterCount(TRITONSERVER_InferenceResponse* response,
                                                                 uint32_t* count) {
  *count = response->error == NULL ? 1 : 0;
  return NULL;
}

TRITONSERVER_Error* TRITONSERVER_InferenceResponseParameter(TRITONSERVER_InferenceResponse* response, uint32_t index,
                                                            const char** name, TRITONSERVER_ParameterType* type,
                                                            const void** value) {
  static const char text[] = "callee";
  (void)response, (void)index;
  *name = "who";
  *type = TRITONSERVER_PARAMETER_STRING;
  *value = text;
  return NULL;
}

TRITONSERVER_Error* TRITONSERVER_InferenceResponseDelete(TRITONSERVER_InferenceResponse* response) {
  live--;  // first: the host may look once the last buffer is released
  for (uint32_t i = 0; i < response->output_count; i++) {
    const struct callee_output* output = &response->outputs[i];
    if (output->buffer == NULL) continue;  // as in the server
    response->allocator->release(response->allocator, output->buffer, output->buffer_context, output->bytes,
                                 TRITONSERVER_MEMORY_CPU, 0);
  }
  if (response->error != NULL) TRITONSERVER_ErrorDelete(response->error);
  free(response);
  return NULL;
}
