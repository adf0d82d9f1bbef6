// SPDX-License-Identifier: Apache-2.0
#include "call_answer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "parameter_record.h"
#include "tensor_record.h"

// A buffer that the server has for an output. It belongs to the response until the stub views it.
// Some models delete a response that they never sent after the call is over, so it keeps the stub and not the call.
struct call_answer_buffer {
  struct tsb_stub* stub;
  struct tsb_backend* backend;
  struct tsb_viewed_block viewed;
  bool is_taken;
};

// One output of a response.
struct call_answer_output {
  struct tsb_tensor head;
  const char* name;
  const int64_t* shape;
  struct call_answer_buffer* buffer;  // NULL: it has no bytes
};

// What the record of a response is made of.
struct call_answer_content {
  struct call_answer_output* outputs;
  uint32_t output_count, parameter_count;
  TRITONSERVER_InferenceResponse* response;  // whose parameters are written; NULL with an error
  uint32_t status;
  const char* message;
  uint64_t record_bytes;
};

// A block for the calling stub. Nothing of a stub that is dead may be touched, and it may die at any time.
static int call_answer__alloc(struct tsb_stub* stub, uint64_t bytes, struct tsb_viewed_block* viewed) {
  struct tsb_open_calls* calls = &stub->calls;
  pthread_mutex_lock(&calls->lock);
  int status = calls->is_closed ? -EPIPE : tsb_stub_memory_alloc(&stub->memory, bytes, &viewed->block);
  pthread_mutex_unlock(&calls->lock);
  viewed->bytes = status == 0 ? bytes : 0;
  return status;
}

static void call_answer__free(struct tsb_stub* stub, struct tsb_viewed_block* viewed) {
  struct tsb_open_calls* calls = &stub->calls;
  pthread_mutex_lock(&calls->lock);
  if (!calls->is_closed) tsb_stub_memory_free(&stub->memory, &viewed->block, viewed->bytes);
  pthread_mutex_unlock(&calls->lock);
}

// Why there is no block for an output.
static TRITONSERVER_Error* call_answer__no_room(int status, const char* output, size_t bytes) {
  if (status == -EPIPE || status == -ECONNRESET) {
    return tsb_error_new(TRITONSERVER_ERROR_UNAVAILABLE, "The process of the model that calls has ended.");
  }
  if (status != -ENOMEM) {
    return tsb_error_new(TRITONSERVER_ERROR_UNAVAILABLE,
                         "There is no shared memory for output '%s' of %zu bytes of a called model: %s.", output, bytes,
                         tsb_error_reason(status));
  }
  return tsb_error_new(TRITONSERVER_ERROR_UNAVAILABLE,
                       "Failed to increase the shared memory pool size: output '%s' of %zu bytes does not fit into "
                       "the limit of the model that calls. Raise --backend-config=typescript,shm-max-byte-size.",
                       output, bytes);
}

TRITONSERVER_Error* tsb_call_answer_allocate(TRITONSERVER_ResponseAllocator* allocator, const char* tensor_name,
                                             size_t byte_size, TRITONSERVER_MemoryType memory_type,
                                             int64_t memory_type_id, void* userp, void** buffer, void** buffer_userp,
                                             TRITONSERVER_MemoryType* actual_memory_type,
                                             int64_t* actual_memory_type_id) {
  struct tsb_open_call* call = userp;
  (void)allocator, (void)memory_type, (void)memory_type_id;
  *actual_memory_type = TRITONSERVER_MEMORY_CPU;
  *actual_memory_type_id = 0;
  *buffer = *buffer_userp = NULL;
  if (byte_size == 0) return NULL;
  struct call_answer_buffer* made = calloc(1, sizeof *made);
  if (made == NULL) return tsb_error_new(TRITONSERVER_ERROR_INTERNAL, "Out of memory for an answer.");
  int status = call_answer__alloc(call->stub, byte_size, &made->viewed);
  if (status < 0) {
    free(made);
    return call_answer__no_room(status, tensor_name, byte_size);
  }
  made->stub = call->stub;
  made->backend = call->context;
  tsb_stub_retain(made->stub);
  tsb_backend_count_calls(made->backend, 1);
  *buffer = made->viewed.block.base;
  *buffer_userp = made;
  return NULL;
}

TRITONSERVER_Error* tsb_call_answer_release(TRITONSERVER_ResponseAllocator* allocator, void* buffer, void* buffer_userp,
                                            size_t byte_size, TRITONSERVER_MemoryType memory_type,
                                            int64_t memory_type_id) {
  struct call_answer_buffer* made = buffer_userp;
  (void)allocator, (void)buffer, (void)byte_size, (void)memory_type, (void)memory_type_id;
  if (made == NULL) return NULL;
  struct tsb_backend* backend = made->backend;
  if (!made->is_taken) call_answer__free(made->stub, &made->viewed);
  tsb_stub_release(made->stub);
  free(made);
  tsb_backend_count_calls(backend, -1);
  return NULL;
}

// What does not fit would end the process that calls: its stub takes the server at its word.
static TRITONSERVER_Error* call_answer__misfit(TRITONSERVER_InferenceResponse* response,
                                               const struct call_answer_output* output) {
  const char* model;
  int64_t version;
  TSB_RETURN_IF_ERROR(TRITONSERVER_InferenceResponseModel(response, &model, &version));
  return tsb_error_new(TRITONSERVER_ERROR_INTERNAL,
                       "The called model '%s' gave output '%s' %llu bytes, which do not fit its shape and datatype.",
                       model, output->name, (unsigned long long)output->head.place.bytes);
}

static TRITONSERVER_Error* call_answer__read_output(TRITONSERVER_InferenceResponse* response, uint32_t index,
                                                    struct call_answer_output* output) {
  TRITONSERVER_DataType datatype;
  uint64_t dims_count;
  const void* base;
  size_t bytes;
  TRITONSERVER_MemoryType memory_type;
  int64_t memory_type_id;
  TSB_RETURN_IF_ERROR(TRITONSERVER_InferenceResponseOutput(response, index, &output->name, &datatype, &output->shape,
                                                           &dims_count, &base, &bytes, &memory_type, &memory_type_id,
                                                           (void**)&output->buffer));
  if (dims_count > TSB_MAX_DIMS) {
    return tsb_error_new(TRITONSERVER_ERROR_UNSUPPORTED,
                         "Output '%s' has %llu dimensions, but at most %d are supported.", output->name,
                         (unsigned long long)dims_count, TSB_MAX_DIMS);
  }
  output->head = (struct tsb_tensor){.name = TSB_NAME_INLINE, .datatype = datatype, .dims_count = (uint32_t)dims_count};
  output->head.name_bytes = (uint32_t)strlen(output->name);
  if (bytes == 0) output->buffer = NULL;
  if (output->buffer != NULL) {
    const struct tsb_viewed_block* viewed = &output->buffer->viewed;
    output->head.place = (struct tsb_place){.region = viewed->block.region,
                                            .offset = viewed->block.offset,
                                            .bytes = bytes < viewed->bytes ? bytes : viewed->bytes};
  }
  return tsb_tensor_record_fits(&output->head, output->shape) ? NULL : call_answer__misfit(response, output);
}

// The parameter at `index` as records have it. False: it is of a type that they do not know, and is left out.
static bool call_answer__parameter(TRITONSERVER_InferenceResponse* response, uint32_t index,
                                   struct tsb_parameter_value* parameter) {
  static const uint32_t TYPES[] = {TSB_PARAMETER_STRING, TSB_PARAMETER_INT, TSB_PARAMETER_BOOL, TSB_PARAMETER_DOUBLE};
  TRITONSERVER_ParameterType type;
  const void* value;
  TRITONSERVER_Error* error = TRITONSERVER_InferenceResponseParameter(response, index, &parameter->key, &type, &value);
  if (error != NULL) TRITONSERVER_ErrorDelete(error);
  if (error != NULL || type > TRITONSERVER_PARAMETER_DOUBLE) return false;
  parameter->type = TYPES[type];
  parameter->key_bytes = (uint32_t)strlen(parameter->key);
  parameter->text_bytes = 0;
  parameter->bits = 0;
  if (type == TRITONSERVER_PARAMETER_STRING) {
    parameter->text = value;
    parameter->text_bytes = (uint32_t)strlen(value);
  } else if (type == TRITONSERVER_PARAMETER_BOOL) {
    parameter->bits = *(const bool*)value;
  } else {
    memcpy(&parameter->bits, value, sizeof parameter->bits);
  }
  return true;
}

static void call_answer__measure(struct call_answer_content* content) {
  content->record_bytes = sizeof(struct tsb_answer) + sizeof(struct tsb_response);
  if (content->message != NULL) {
    content->record_bytes += tsb_record_align(strlen(content->message), 8);
    return;
  }
  for (uint32_t i = 0; i < content->output_count; i++) {
    const struct tsb_tensor* head = &content->outputs[i].head;
    content->record_bytes += tsb_tensor_record_bytes(head->dims_count) + tsb_record_align(head->name_bytes, 8);
  }
  for (uint32_t i = 0; i < content->parameter_count; i++) {
    struct tsb_parameter_value parameter;
    if (!call_answer__parameter(content->response, i, &parameter)) continue;
    content->record_bytes += tsb_parameter_record_bytes(parameter.key_bytes, parameter.text_bytes);
  }
}

// Tensors first and their names behind all of them, as in a request.
static void call_answer__fill(const struct call_answer_content* content, uint8_t* memory) {
  struct tsb_response* head = (struct tsb_response*)(memory + sizeof(struct tsb_answer));
  struct tsb_record_writer writer = {.bytes = (uint8_t*)head, .used = sizeof *head};
  *head = (struct tsb_response){.record_bytes = (uint32_t)(content->record_bytes - sizeof(struct tsb_answer)),
                                .status = content->status,
                                .output_count = content->output_count};
  if (content->message != NULL) {
    head->message_bytes = (uint32_t)strlen(content->message);
    head->message_offset = tsb_record_put(&writer, content->message, head->message_bytes);
    return;
  }
  uint64_t at = writer.used;
  for (uint32_t i = 0; i < content->output_count; i++) {
    tsb_tensor_record_write(&writer, &content->outputs[i].head, content->outputs[i].shape);
  }
  for (uint32_t i = 0; i < content->output_count; i++) {
    struct tsb_tensor* tensor = (struct tsb_tensor*)(writer.bytes + at);
    at += tsb_tensor_record_bytes(tensor->dims_count);
    tensor->name_offset = tsb_record_put(&writer, content->outputs[i].name, tensor->name_bytes);
  }
  head->parameters_offset = (uint32_t)writer.used;
  for (uint32_t i = 0; i < content->parameter_count; i++) {
    struct tsb_parameter_value parameter;
    if (!call_answer__parameter(content->response, i, &parameter)) continue;
    tsb_parameter_record_write(&writer, &parameter);
    head->parameter_count++;
  }
}

// The record and the buffers of all outputs, which the stub views from here on; NULL: no memory.
static struct tsb_viewed_block* call_answer__take(const struct call_answer_content* content, uint32_t* count) {
  struct tsb_viewed_block* blocks = calloc(1 + content->output_count, sizeof *blocks);
  if (blocks == NULL) return NULL;
  *count = 1;
  for (uint32_t i = 0; i < content->output_count; i++) {
    if (content->outputs[i].buffer != NULL) blocks[(*count)++] = content->outputs[i].buffer->viewed;
  }
  return blocks;
}

static int call_answer__write(struct tsb_open_call* call, struct call_answer_content* content,
                              struct tsb_entry* entry) {
  uint32_t count;
  struct tsb_answer answer = {0};
  call_answer__measure(content);
  struct tsb_viewed_block* blocks = call_answer__take(content, &count);
  if (blocks == NULL) return -ENOMEM;
  int status = call_answer__alloc(call->stub, content->record_bytes, &blocks[0]);
  struct tsb_viewed_block record = blocks[0];
  if (status == 0) {
    call_answer__fill(content, record.block.base);
    // A stub may guess the name of the answer and give it back the moment that the lock is free: then neither `blocks`
    // nor the record's memory are ours any more.
    pthread_mutex_lock(&call->stub->calls.lock);
    status = tsb_open_calls_view(&call->stub->calls, blocks, count, &answer.owner);
    if (status == 0) memcpy(record.block.base, &answer, sizeof answer);
    pthread_mutex_unlock(&call->stub->calls.lock);
    if (status < 0) call_answer__free(call->stub, &record);
  }
  if (status < 0) {
    free(blocks);
    return status;
  }
  for (uint32_t i = 0; i < content->output_count; i++) {
    if (content->outputs[i].buffer != NULL) content->outputs[i].buffer->is_taken = true;
  }
  entry->place =
      (struct tsb_place){.region = record.block.region, .offset = record.block.offset, .bytes = content->record_bytes};
  return 0;
}

void tsb_call_answer_write_error(struct tsb_open_call* call, TRITONSERVER_Error* error, struct tsb_entry* entry) {
  struct call_answer_content content = {.status = tsb_error_status(TRITONSERVER_ErrorCode(error)),
                                        .message = TRITONSERVER_ErrorMessage(error)};
  *entry = (struct tsb_entry){.kind = TSB_ENTRY_CALL_RESPONSE, .owner = call->owner};
  // Without room for its record an error is lost, whatever it says, also one from before the call was sent.
  if (call_answer__write(call, &content, entry) < 0) entry->flags = TSB_CALL_RESPONSE_LOST;
  TRITONSERVER_ErrorDelete(error);
}

static TRITONSERVER_Error* call_answer__read(TRITONSERVER_InferenceResponse* response,
                                             struct call_answer_content* content) {
  TSB_RETURN_IF_ERROR(TRITONSERVER_InferenceResponseOutputCount(response, &content->output_count));
  TSB_RETURN_IF_ERROR(TRITONSERVER_InferenceResponseParameterCount(response, &content->parameter_count));
  content->outputs = calloc(content->output_count + 1, sizeof *content->outputs);
  if (content->outputs == NULL) return tsb_error_new(TRITONSERVER_ERROR_INTERNAL, "Out of memory for an answer.");
  for (uint32_t i = 0; i < content->output_count; i++) {
    TSB_RETURN_IF_ERROR(call_answer__read_output(response, i, &content->outputs[i]));
  }
  return NULL;
}

void tsb_call_answer_write(struct tsb_open_call* call, TRITONSERVER_InferenceResponse* response,
                           struct tsb_entry* entry) {
  struct call_answer_content content = {.response = response};
  TRITONSERVER_Error* failed = TRITONSERVER_InferenceResponseError(response);  // the response's own
  TRITONSERVER_Error* error = NULL;
  if (failed != NULL) {
    error = TRITONSERVER_ErrorNew(TRITONSERVER_ErrorCode(failed), TRITONSERVER_ErrorMessage(failed));
  } else {
    error = call_answer__read(response, &content);
  }
  if (error != NULL) {
    tsb_call_answer_write_error(call, error, entry);
  } else {
    *entry = (struct tsb_entry){.kind = TSB_ENTRY_CALL_RESPONSE, .owner = call->owner};
    if (call_answer__write(call, &content, entry) < 0) entry->flags = TSB_CALL_RESPONSE_LOST;
  }
  free(content.outputs);
}
