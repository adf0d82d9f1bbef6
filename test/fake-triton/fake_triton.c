// SPDX-License-Identifier: Apache-2.0
// Backends, models, instances, requests and responses of the fake; errors, messages and the log are in fake_server.c.
#include "fake_triton.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct fake_faults fake_faults;

static atomic_long live_responses;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;  // of responses, releases and statistics
static pthread_cond_t released = PTHREAD_COND_INITIALIZER;

long fake_live_responses(void) { return live_responses; }

// True when this call is to fail.
static bool fails(int* fault) {
  bool now = false;
  pthread_mutex_lock(&lock);
  if (*fault != 0) {
    now = true;
    if (*fault > 0) --*fault;
  }
  pthread_mutex_unlock(&lock);
  return now;
}

static TRITONSERVER_Error* failure(const char* what) {
  return TRITONSERVER_ErrorNew(TRITONSERVER_ERROR_INTERNAL, what);
}

// --- Backend -------------------------------------------------------------------------------------------------------
TRITONSERVER_Error* TRITONBACKEND_ApiVersion(uint32_t* major, uint32_t* minor) {
  *major = TSB_TRITON_BACKEND_API_MAJOR;
  *minor = FAKE_TRITON_IS_OLD ? 13 : TSB_TRITON_BACKEND_API_MINOR;
  return NULL;
}

TRITONSERVER_Error* TRITONBACKEND_BackendName(TRITONBACKEND_Backend* backend, const char** name) {
  *name = backend->name;
  return NULL;
}

TRITONSERVER_Error* TRITONBACKEND_BackendArtifacts(TRITONBACKEND_Backend* backend, TRITONBACKEND_ArtifactType* type,
                                                   const char** location) {
  *type = TRITONBACKEND_ARTIFACT_FILESYSTEM;
  *location = backend->directory;
  return NULL;
}

TRITONSERVER_Error* TRITONBACKEND_BackendConfig(TRITONBACKEND_Backend* backend, TRITONSERVER_Message** config) {
  // The server keeps this message; a message of the fake is its text.
  *config = (TRITONSERVER_Message*)backend->config;
  return NULL;
}

TRITONSERVER_Error* TRITONBACKEND_BackendState(TRITONBACKEND_Backend* backend, void** state) {
  *state = backend->state;
  return NULL;
}

TRITONSERVER_Error* TRITONBACKEND_BackendSetState(TRITONBACKEND_Backend* backend, void* state) {
  backend->state = state;
  return NULL;
}

TRITONSERVER_Error* TRITONBACKEND_BackendAttributeAddPreferredInstanceGroup(TRITONBACKEND_BackendAttribute* attributes,
                                                                            TRITONSERVER_InstanceGroupKind kind,
                                                                            uint64_t count, const uint64_t* device_ids,
                                                                            uint64_t id_count) {
  (void)kind, (void)count, (void)device_ids, (void)id_count;
  attributes->preferred_groups++;
  return NULL;
}

#if !FAKE_TRITON_IS_OLD
TRITONSERVER_Error* TRITONBACKEND_BackendAttributeSetParallelModelInstanceLoading(
    TRITONBACKEND_BackendAttribute* attributes, bool enabled) {
  attributes->parallel_loading = enabled;
  return NULL;
}
#endif

// --- Model ---------------------------------------------------------------------------------------------------------
TRITONSERVER_Error* TRITONBACKEND_ModelBackend(TRITONBACKEND_Model* model, TRITONBACKEND_Backend** backend) {
  *backend = model->backend;
  return NULL;
}

TRITONSERVER_Error* TRITONBACKEND_ModelName(TRITONBACKEND_Model* model, const char** name) {
  *name = model->name;
  return NULL;
}

TRITONSERVER_Error* TRITONBACKEND_ModelVersion(TRITONBACKEND_Model* model, uint64_t* version) {
  *version = model->version;
  return NULL;
}

TRITONSERVER_Error* TRITONBACKEND_ModelRepository(TRITONBACKEND_Model* model, TRITONBACKEND_ArtifactType* type,
                                                  const char** location) {
  *type = TRITONBACKEND_ARTIFACT_FILESYSTEM;
  *location = model->repository;
  return NULL;
}

TRITONSERVER_Error* TRITONBACKEND_ModelConfig(TRITONBACKEND_Model* model, uint32_t version,
                                              TRITONSERVER_Message** config) {
  (void)version;
  return TRITONSERVER_MessageNewFromSerializedJson(config, model->config, strlen(model->config));
}

TRITONSERVER_Error* TRITONBACKEND_ModelSetConfig(TRITONBACKEND_Model* model, uint32_t version,
                                                 TRITONSERVER_Message* config) {
  const char* text;
  size_t bytes;
  (void)version;
  TRITONSERVER_MessageSerializeToJson(config, &text, &bytes);
  free(model->config);
  model->config = strndup(text, bytes);
  return NULL;
}

TRITONSERVER_Error* TRITONBACKEND_ModelAutoCompleteConfig(TRITONBACKEND_Model* model, bool* auto_complete) {
  *auto_complete = model->auto_complete;
  return NULL;
}

TRITONSERVER_Error* TRITONBACKEND_ModelState(TRITONBACKEND_Model* model, void** state) {
  *state = model->state;
  return NULL;
}

TRITONSERVER_Error* TRITONBACKEND_ModelSetState(TRITONBACKEND_Model* model, void* state) {
  model->state = state;
  return NULL;
}

// --- Instance ------------------------------------------------------------------------------------------------------
TRITONSERVER_Error* TRITONBACKEND_ModelInstanceModel(TRITONBACKEND_ModelInstance* instance,
                                                     TRITONBACKEND_Model** model) {
  *model = instance->model;
  return NULL;
}

TRITONSERVER_Error* TRITONBACKEND_ModelInstanceName(TRITONBACKEND_ModelInstance* instance, const char** name) {
  *name = instance->name;
  return NULL;
}

TRITONSERVER_Error* TRITONBACKEND_ModelInstanceKind(TRITONBACKEND_ModelInstance* instance,
                                                    TRITONSERVER_InstanceGroupKind* kind) {
  *kind = instance->kind;
  return NULL;
}

TRITONSERVER_Error* TRITONBACKEND_ModelInstanceDeviceId(TRITONBACKEND_ModelInstance* instance, int32_t* device_id) {
  *device_id = instance->device_id;
  return NULL;
}

TRITONSERVER_Error* TRITONBACKEND_ModelInstanceState(TRITONBACKEND_ModelInstance* instance, void** state) {
  *state = instance->state;
  return NULL;
}

TRITONSERVER_Error* TRITONBACKEND_ModelInstanceSetState(TRITONBACKEND_ModelInstance* instance, void* state) {
  instance->state = state;
  return NULL;
}

TRITONSERVER_Error* TRITONBACKEND_ModelInstanceReportStatistics(TRITONBACKEND_ModelInstance* instance,
                                                                TRITONBACKEND_Request* request, bool success,
                                                                uint64_t exec_start_ns, uint64_t compute_start_ns,
                                                                uint64_t compute_end_ns, uint64_t exec_end_ns) {
  (void)instance;
  pthread_mutex_lock(&lock);
  bool ordered =
      exec_start_ns <= compute_start_ns && compute_start_ns <= compute_end_ns && compute_end_ns <= exec_end_ns;
  if (success) {
    request->success_count++;
  } else {
    request->failure_count++;
  }
  pthread_mutex_unlock(&lock);
  return ordered ? NULL : failure("the times of a request are not in order");
}

TRITONSERVER_Error* TRITONBACKEND_ModelInstanceReportBatchStatistics(TRITONBACKEND_ModelInstance* instance,
                                                                     uint64_t batch_size, uint64_t exec_start_ns,
                                                                     uint64_t compute_start_ns, uint64_t compute_end_ns,
                                                                     uint64_t exec_end_ns) {
  (void)exec_start_ns, (void)compute_start_ns, (void)compute_end_ns, (void)exec_end_ns;
  pthread_mutex_lock(&lock);
  instance->batch_reports++;
  instance->batch_sizes += batch_size;
  pthread_mutex_unlock(&lock);
  return NULL;
}

// --- Request -------------------------------------------------------------------------------------------------------
TRITONSERVER_Error* TRITONBACKEND_RequestId(TRITONBACKEND_Request* request, const char** id) {
  if (fails(&fake_faults.request_id)) return failure("fake: RequestId failed");
  *id = request->id == NULL ? "" : request->id;
  return NULL;
}

TRITONSERVER_Error* TRITONBACKEND_RequestCorrelationId(TRITONBACKEND_Request* request, uint64_t* id) {
  if (request->correlation_text != NULL) return failure("the correlation id is a string");
  *id = request->correlation_id;
  return NULL;
}

TRITONSERVER_Error* TRITONBACKEND_RequestCorrelationIdString(TRITONBACKEND_Request* request, const char** id) {
  if (request->correlation_text == NULL) return failure("the correlation id is a number");
  *id = request->correlation_text;
  return NULL;
}

TRITONSERVER_Error* TRITONBACKEND_RequestFlags(TRITONBACKEND_Request* request, uint32_t* flags) {
  *flags = request->flags;
  return NULL;
}

#if !FAKE_TRITON_IS_OLD
TRITONSERVER_Error* TRITONBACKEND_InferenceRequestTimeoutMicroseconds(TRITONBACKEND_Request* request,
                                                                      uint64_t* timeout) {
  *timeout = request->timeout_us;
  return NULL;
}
#endif

TRITONSERVER_Error* TRITONBACKEND_RequestParameterCount(TRITONBACKEND_Request* request, uint32_t* count) {
  *count = request->parameter_count;
  return NULL;
}

TRITONSERVER_Error* TRITONBACKEND_RequestParameter(TRITONBACKEND_Request* request, uint32_t index, const char** key,
                                                   TRITONSERVER_ParameterType* type, const void** value) {
  if (index >= request->parameter_count) return failure("no such parameter");
  const struct fake_parameter* parameter = &request->parameters[index];
  *key = parameter->name;
  *type = parameter->type;
  *value = parameter->type == TRITONSERVER_PARAMETER_STRING ? (const void*)parameter->value.text : &parameter->value;
  return NULL;
}

TRITONSERVER_Error* TRITONBACKEND_RequestInputCount(TRITONBACKEND_Request* request, uint32_t* count) {
  *count = request->input_count;
  return NULL;
}

TRITONSERVER_Error* TRITONBACKEND_RequestInputByIndex(TRITONBACKEND_Request* request, uint32_t index,
                                                      TRITONBACKEND_Input** input) {
  if (index >= request->input_count) return failure("no such input");
  *input = &request->inputs[index];
  return NULL;
}

TRITONSERVER_Error* TRITONBACKEND_RequestOutputCount(TRITONBACKEND_Request* request, uint32_t* count) {
  *count = request->output_count;
  return NULL;
}

TRITONSERVER_Error* TRITONBACKEND_RequestOutputName(TRITONBACKEND_Request* request, uint32_t index, const char** name) {
  if (index >= request->output_count) return failure("no such output");
  *name = request->outputs[index];
  return NULL;
}

TRITONSERVER_Error* TRITONBACKEND_RequestRelease(TRITONBACKEND_Request* request, uint32_t flags) {
  bool again = flags == TRITONSERVER_REQUEST_RELEASE_RESCHEDULE;
  if (!again && flags != TRITONSERVER_REQUEST_RELEASE_ALL) return failure("released with unknown flags");
  if (again && fails(&fake_faults.request_reschedule)) return failure("fake: rescheduling failed");
  pthread_mutex_lock(&lock);
  if (again) {
    request->reschedule_count++;
  } else {
    request->release_count++;
  }
  pthread_cond_broadcast(&released);
  pthread_mutex_unlock(&lock);
  return NULL;
}

#if !FAKE_TRITON_IS_OLD
TRITONSERVER_Error* TRITONBACKEND_RequestIsCancelled(TRITONBACKEND_Request* request, bool* is_cancelled) {
  pthread_mutex_lock(&lock);
  *is_cancelled = request->cancelled;
  pthread_mutex_unlock(&lock);
  return NULL;
}
#endif

void fake_request_cancel(TRITONBACKEND_Request* request) {
  pthread_mutex_lock(&lock);
  request->cancelled = true;
  pthread_mutex_unlock(&lock);
}

TRITONSERVER_Error* TRITONBACKEND_InputProperties(TRITONBACKEND_Input* input, const char** name,
                                                  TRITONSERVER_DataType* datatype, const int64_t** shape,
                                                  uint32_t* dims_count, uint64_t* byte_size, uint32_t* buffer_count) {
  if (name != NULL) *name = input->name;
  if (datatype != NULL) *datatype = input->datatype;
  if (shape != NULL) *shape = input->shape;
  if (dims_count != NULL) *dims_count = input->dims_count;
  if (byte_size != NULL) *byte_size = input->bytes;
  if (buffer_count != NULL) *buffer_count = input->buffer_count;
  return NULL;
}

TRITONSERVER_Error* TRITONBACKEND_InputBuffer(TRITONBACKEND_Input* input, uint32_t index, const void** buffer,
                                              uint64_t* bytes, TRITONSERVER_MemoryType* type, int64_t* type_id) {
  if (fails(&fake_faults.input_buffer)) return failure("fake: InputBuffer failed");
  if (index >= input->buffer_count) return failure("no such buffer");
  *buffer = input->buffers[index];
  *bytes = input->buffer_bytes[index];
  *type = input->memory_type;
  *type_id = 0;
  return NULL;
}

// Waits until a counter of a request has reached `count`.
static bool wait_for(const int* counter, int count, int timeout_ms) {
  struct timespec end;
  clock_gettime(CLOCK_REALTIME, &end);
  end.tv_sec += timeout_ms / 1000;
  end.tv_nsec += (timeout_ms % 1000) * 1000000L;
  if (end.tv_nsec >= 1000000000L) {
    end.tv_sec++;
    end.tv_nsec -= 1000000000L;
  }
  pthread_mutex_lock(&lock);
  int status = 0;
  while (*counter < count && status == 0) status = pthread_cond_timedwait(&released, &lock, &end);
  bool done = *counter >= count;
  pthread_mutex_unlock(&lock);
  return done;
}

bool fake_request_wait(const TRITONBACKEND_Request* request, int timeout_ms) {
  return wait_for(&request->release_count, 1, timeout_ms);
}

bool fake_request_wait_responses(const TRITONBACKEND_Request* request, int count, int timeout_ms) {
  return wait_for(&request->response_count, count, timeout_ms);
}

bool fake_request_wait_rescheduled(const TRITONBACKEND_Request* request, int count, int timeout_ms) {
  return wait_for(&request->reschedule_count, count, timeout_ms);
}

int fake_request_releases(const TRITONBACKEND_Request* request) {
  pthread_mutex_lock(&lock);
  int count = request->release_count;
  pthread_mutex_unlock(&lock);
  return count;
}

void fake_request_clear(TRITONBACKEND_Request* request) {
  if (request->response != NULL) fake_response_delete(request->response);
  request->response = NULL;
  request->response_count = request->error_count = request->final_count = request->after_final_count = 0;
  request->release_count = request->reschedule_count = request->success_count = request->failure_count = 0;
  request->cancelled = false;
}

// --- Response ------------------------------------------------------------------------------------------------------
TRITONSERVER_Error* TRITONBACKEND_ResponseNew(TRITONBACKEND_Response** response, TRITONBACKEND_Request* request) {
  if (fails(&fake_faults.response_new)) return failure("fake: ResponseNew failed");
  *response = calloc(1, sizeof **response);
  (*response)->request = request;
  live_responses++;
  return NULL;
}

void fake_response_delete(TRITONBACKEND_Response* response) {
  for (uint32_t i = 0; i < response->output_count; i++) {
    free(response->outputs[i].name);
    if (!response->outputs[i].is_test_memory) free(response->outputs[i].data);
  }
  for (uint32_t i = 0; i < response->parameter_count; i++) {
    free(response->parameters[i].name);
    if (response->parameters[i].type == TRITONSERVER_PARAMETER_STRING) free(response->parameters[i].value.text);
  }
  if (response->error != NULL) TRITONSERVER_ErrorDelete(response->error);
  free(response);
  live_responses--;
}

TRITONSERVER_Error* TRITONBACKEND_ResponseDelete(TRITONBACKEND_Response* response) {
  fake_response_delete(response);
  return NULL;
}

TRITONSERVER_Error* TRITONBACKEND_ResponseOutput(TRITONBACKEND_Response* response, TRITONBACKEND_Output** output,
                                                 const char* name, TRITONSERVER_DataType datatype, const int64_t* shape,
                                                 uint32_t dims_count) {
  if (fails(&fake_faults.response_output)) return failure("fake: ResponseOutput failed");
  if (response->output_count == FAKE_MAX_TENSORS || dims_count > FAKE_MAX_DIMS) return failure("fake: too many");
  TRITONBACKEND_Output* added = &response->outputs[response->output_count++];
  added->request = response->request;
  added->name = strdup(name);
  added->datatype = datatype;
  added->dims_count = dims_count;
  if (dims_count > 0) memcpy(added->shape, shape, dims_count * sizeof *shape);
  *output = added;
  return NULL;
}

static uint8_t* test_memory(const TRITONBACKEND_Output* output) {
  const TRITONBACKEND_Request* request = output->request;
  for (uint32_t i = 0; i < request->output_count; i++) {
    if (strcmp(request->outputs[i], output->name) == 0) return request->output_memory[i];
  }
  return NULL;
}

TRITONSERVER_Error* TRITONBACKEND_OutputBuffer(TRITONBACKEND_Output* output, void** buffer, uint64_t bytes,
                                               TRITONSERVER_MemoryType* type, int64_t* type_id) {
  if (fails(&fake_faults.output_buffer)) return failure("fake: OutputBuffer failed");
  if (fails(&fake_faults.output_buffer_gpu)) {
    *type = TRITONSERVER_MEMORY_GPU;
    *buffer = NULL;  // nothing that the CPU may touch
    return NULL;
  }
  output->data = test_memory(output);
  output->is_test_memory = output->data != NULL;
  // Exactly as large as asked for: a sanitizer sees a write behind it.
  if (output->data == NULL) output->data = malloc(bytes == 0 ? 1 : bytes);
  output->bytes = bytes;
  *buffer = bytes == 0 ? NULL : output->data;
  *type = TRITONSERVER_MEMORY_CPU;
  *type_id = 0;
  return NULL;
}

static TRITONSERVER_Error* add_parameter(TRITONBACKEND_Response* response, const char* name,
                                         struct fake_parameter parameter) {
  bool failed = fails(&fake_faults.response_parameter);
  if (failed || response->parameter_count == FAKE_MAX_PARAMETERS) {
    if (parameter.type == TRITONSERVER_PARAMETER_STRING) free(parameter.value.text);
    return failure("fake: ResponseSetParameter failed");
  }
  parameter.name = strdup(name);
  response->parameters[response->parameter_count++] = parameter;
  return NULL;
}

TRITONSERVER_Error* TRITONBACKEND_ResponseSetStringParameter(TRITONBACKEND_Response* response, const char* name,
                                                             const char* value) {
  struct fake_parameter parameter = {.type = TRITONSERVER_PARAMETER_STRING, .value.text = strdup(value)};
  return add_parameter(response, name, parameter);
}

TRITONSERVER_Error* TRITONBACKEND_ResponseSetIntParameter(TRITONBACKEND_Response* response, const char* name,
                                                          int64_t value) {
  struct fake_parameter parameter = {.type = TRITONSERVER_PARAMETER_INT, .value.integer = value};
  return add_parameter(response, name, parameter);
}

TRITONSERVER_Error* TRITONBACKEND_ResponseSetBoolParameter(TRITONBACKEND_Response* response, const char* name,
                                                           bool value) {
  struct fake_parameter parameter = {.type = TRITONSERVER_PARAMETER_BOOL, .value.boolean = value};
  return add_parameter(response, name, parameter);
}

#if !FAKE_TRITON_IS_OLD
TRITONSERVER_Error* TRITONBACKEND_ResponseSetDoubleParameter(TRITONBACKEND_Response* response, const char* name,
                                                             double value) {
  struct fake_parameter parameter = {.type = TRITONSERVER_PARAMETER_DOUBLE, .value.number = value};
  return add_parameter(response, name, parameter);
}
#endif

// The caller holds the lock.
static void note_flags(TRITONBACKEND_Request* request, uint32_t flags) {
  if (request->final_count > 0) request->after_final_count++;
  if (flags == TRITONSERVER_RESPONSE_COMPLETE_FINAL) request->final_count++;
  pthread_cond_broadcast(&released);
}

TRITONSERVER_Error* TRITONBACKEND_ResponseSend(TRITONBACKEND_Response* response, uint32_t flags,
                                               TRITONSERVER_Error* error) {
  TRITONBACKEND_Request* request = response->request;
  // As the server does: a response that was handed over is gone, also when it could not be sent; the error is copied.
  if (fails(&fake_faults.response_send)) {
    fake_response_delete(response);
    pthread_mutex_lock(&lock);
    request->response_count++;
    pthread_mutex_unlock(&lock);
    return failure("fake: ResponseSend failed");
  }
  if (error != NULL) {
    response->error = TRITONSERVER_ErrorNew(TRITONSERVER_ErrorCode(error), TRITONSERVER_ErrorMessage(error));
  }
  pthread_mutex_lock(&lock);
  bool first = request->response == NULL;
  if (first) request->response = response;
  request->response_count++;
  if (response->error != NULL) request->error_count++;
  note_flags(request, flags);
  pthread_mutex_unlock(&lock);
  if (!first) fake_response_delete(response);
  return NULL;
}

struct TRITONBACKEND_ResponseFactory {
  TRITONBACKEND_Request* request;
};

TRITONSERVER_Error* TRITONBACKEND_ResponseFactoryNew(TRITONBACKEND_ResponseFactory** factory,
                                                     TRITONBACKEND_Request* request) {
  *factory = calloc(1, sizeof **factory);
  (*factory)->request = request;
  live_responses++;
  return NULL;
}

TRITONSERVER_Error* TRITONBACKEND_ResponseFactoryDelete(TRITONBACKEND_ResponseFactory* factory) {
  free(factory);
  live_responses--;
  return NULL;
}

TRITONSERVER_Error* TRITONBACKEND_ResponseFactorySendFlags(TRITONBACKEND_ResponseFactory* factory, uint32_t flags) {
  pthread_mutex_lock(&lock);
  note_flags(factory->request, flags);
  pthread_mutex_unlock(&lock);
  return NULL;
}

const TRITONBACKEND_Output* fake_output(const TRITONBACKEND_Request* request, const char* name) {
  if (request->response == NULL) return NULL;
  for (uint32_t i = 0; i < request->response->output_count; i++) {
    if (strcmp(request->response->outputs[i].name, name) == 0) return &request->response->outputs[i];
  }
  return NULL;
}
