// SPDX-License-Identifier: Apache-2.0
#include "call_request.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "barrier.h"
#include "bytes_walk.h"
#include "parameter_record.h"

// What is being made, and of what.
struct call_request {
  struct tsb_instance* instance;
  const struct tsb_record* record;
  const struct tsb_call* head;
  struct tsb_open_call* call;
  uint64_t* texts_left;  // see tsb_call_record_text
  TRITONSERVER_Error** error;
};

// After an error of Triton's; the record was sound so far.
#define CALL_REQUEST_TRY(making, triton_call) \
  do {                                        \
    *(making)->error = (triton_call);         \
    if (*(making)->error != NULL) return 0;   \
  } while (0)

static int call_request__out_of_memory(const struct call_request* making) {
  *making->error = tsb_error_new(TRITONSERVER_ERROR_INTERNAL, "Out of memory while calling another model.");
  return 0;
}

// Sets what is named by a text of the record, unless it is empty.
static int call_request__set_text(const struct call_request* making, struct tsb_text_place place,
                                  TRITONSERVER_Error* (*set)(TRITONSERVER_InferenceRequest*, const char*)) {
  char* text;
  if (place.bytes == 0) return 0;
  int status = tsb_call_record_text(making->record, place, making->texts_left, &text);
  if (status == -EPROTO) return status;
  if (status < 0) return call_request__out_of_memory(making);
  *making->error = set(making->call->request, text);
  free(text);
  return 0;
}

static int call_request__head(const struct call_request* making) {
  TRITONSERVER_InferenceRequest* request = making->call->request;
  const struct tsb_call* head = making->head;
  int status = call_request__set_text(making, head->id, TRITONSERVER_InferenceRequestSetId);
  if (status < 0 || *making->error != NULL) return status;
  status = call_request__set_text(making, head->correlation, TRITONSERVER_InferenceRequestSetCorrelationIdString);
  if (status < 0 || *making->error != NULL) return status;
  if (head->correlation_id != 0) {
    CALL_REQUEST_TRY(making, TRITONSERVER_InferenceRequestSetCorrelationId(request, head->correlation_id));
  }
  if (head->flags != 0) CALL_REQUEST_TRY(making, TRITONSERVER_InferenceRequestSetFlags(request, head->flags));
  if (head->priority != 0) {
    CALL_REQUEST_TRY(making, TRITONSERVER_InferenceRequestSetPriorityUInt64(request, head->priority));
  }
  if (head->timeout_us != 0) {
    CALL_REQUEST_TRY(making, TRITONSERVER_InferenceRequestSetTimeoutMicroseconds(request, head->timeout_us));
  }
  return 0;
}

// Whether so much more may be copied for calls. A record may name the same bytes as often as it likes, so what lies in
// shared memory is no bound. False: *error says why.
static bool call_request__may_copy(const struct call_request* making, uint64_t bytes) {
  struct tsb_open_call* call = making->call;
  uint64_t limit = call->stub->memory.max_stub_bytes;
  if (tsb_open_calls_reserve_copy(&call->stub->calls, call, bytes, limit)) return true;
  *making->error = tsb_error_new(
      TRITONSERVER_ERROR_UNAVAILABLE,
      "The inputs of the open calls of one process that are copied, which are BYTES and what clients have lent, would "
      "take more than %llu bytes. Make fewer calls at a time, or raise "
      "--backend-config=typescript,shm-max-byte-size.",
      (unsigned long long)limit);
  return false;
}

// Room that the stub cannot see, which is freed with the call; NULL: there is none, and *error says why.
static void* call_request__private_room(const struct call_request* making, uint64_t bytes) {
  struct tsb_open_call* call = making->call;
  void** larger = realloc(call->copies, (call->copy_count + 1) * sizeof *larger);
  if (larger != NULL) call->copies = larger;
  void* room = larger == NULL ? NULL : malloc(bytes);
  if (room == NULL) {
    call_request__out_of_memory(making);
  } else {
    call->copies[call->copy_count++] = room;
  }
  return room;
}

// The same in the memory that the stub views, where pages have been written to before; NULL as above.
static void* call_request__shared_room(const struct call_request* making, uint64_t bytes) {
  struct tsb_open_call* call = making->call;
  struct tsb_viewed_block* larger = realloc(call->blocks, (call->block_count + 1) * sizeof *larger);
  if (larger == NULL) {
    call_request__out_of_memory(making);
    return NULL;
  }
  call->blocks = larger;
  struct tsb_viewed_block* room = &larger[call->block_count];
  room->bytes = bytes;
  int status = tsb_stub_memory_alloc(&call->stub->memory, bytes, &room->block);
  if (status == 0) {
    call->block_count++;
    return room->block.base;
  }
  *making->error = tsb_error_new(
      TRITONSERVER_ERROR_UNAVAILABLE,
      "Failed to increase the shared memory pool size: an input of %llu bytes that a client has lent cannot be copied "
      "for a call: %s. Make fewer calls at a time, or raise --backend-config=typescript,shm-max-byte-size.",
      (unsigned long long)bytes, status == -ENOMEM ? "it does not fit into the limit" : tsb_error_reason(status));
  return NULL;
}

// What lies in memory of a client is lent to a request that is being executed, or NULL.
static const struct tsb_loan* call_request__find_loan(const struct call_request* making,
                                                      const struct tsb_place* place) {
  struct tsb_instance* instance = making->instance;
  pthread_mutex_lock(&instance->lock);
  struct tsb_batch_slot* slot = tsb_batch_answer(&instance->batches, &making->head->parent, false);
  pthread_mutex_unlock(&instance->lock);
  // Only the caller, who reads entries, ends requests and with them their loans.
  return slot == NULL ? NULL : tsb_client_memory_find(&slot->loans, making->head->parent.item, place);
}

static void call_request__copy_loan(const struct call_request* making, const struct tsb_loan* loan,
                                    const struct tsb_place* place, void* room) {
  if (tsb_client_memory_copy(loan, place, room) == 0) return;
  *making->error = tsb_error_new(
      TRITONSERVER_ERROR_INVALID_ARG,
      "An input of a call lies in a shared memory region that was cut short while the request was served. Keep the "
      "region at its size until it is unregistered.");
}

// Where the server reads the data of an input; *data is NULL if there is none.
static int call_request__find_data(const struct call_request* making, const struct tsb_tensor* tensor,
                                   const int64_t* dims, const void** data) {
  const struct tsb_place* place = &tensor->place;
  bool is_lent = tsb_client_memory_has(place), is_bytes = tensor->datatype == TRITONSERVER_TYPE_BYTES;
  *data = NULL;
  if (place->bytes == 0) return 0;
  const struct tsb_loan* loan = is_lent ? call_request__find_loan(making, place) : NULL;
  const void* shared = is_lent ? NULL : tsb_stub_resolve(making->call->stub, place);
  if (loan == NULL && shared == NULL) return -EPROTO;
  if (loan == NULL && !is_bytes) {
    *data = shared;
    return 0;
  }
  if (!call_request__may_copy(making, place->bytes)) return 0;
  // Of BYTES the lengths must stay as they were checked.
  void* room =
      is_bytes ? call_request__private_room(making, place->bytes) : call_request__shared_room(making, place->bytes);
  if (room == NULL) return 0;
  *data = room;
  if (loan != NULL) {
    call_request__copy_loan(making, loan, place, room);
    if (*making->error != NULL) return 0;
  } else {
    tsb_copy_out(room, shared, place->bytes);
  }
  struct tsb_bytes_walk walk;
  if (!is_bytes) return 0;
  tsb_bytes_walk_begin(&walk, dims, tensor->dims_count);
  tsb_bytes_walk_buffer(&walk, room, place->bytes);
  if (tsb_bytes_walk_complete(&walk) && walk.used_bytes == place->bytes) return 0;
  *making->error = tsb_error_new(TRITONSERVER_ERROR_INTERNAL,
                                 "The elements of a BYTES input of a call do not fit its %llu bytes of data.",
                                 (unsigned long long)place->bytes);
  return 0;
}

static int call_request__add_input(const struct call_request* making, const char* name, const struct tsb_tensor* tensor,
                                   const int64_t* dims) {
  TRITONSERVER_InferenceRequest* request = making->call->request;
  const void* data;
  int status = call_request__find_data(making, tensor, dims, &data);
  if (status < 0 || *making->error != NULL) return status;
  CALL_REQUEST_TRY(making, TRITONSERVER_InferenceRequestAddInput(request, name, (TRITONSERVER_DataType)tensor->datatype,
                                                                 dims, tensor->dims_count));
  CALL_REQUEST_TRY(making, TRITONSERVER_InferenceRequestAppendInputData(request, name, data, tensor->place.bytes,
                                                                        TRITONSERVER_MEMORY_CPU, 0));
  return 0;
}

static int call_request__inputs(const struct call_request* making) {
  uint64_t at = sizeof *making->head;
  for (uint32_t i = 0; i < making->head->input_count; i++) {
    struct tsb_tensor tensor;
    int64_t dims[TSB_MAX_DIMS];
    char* name;
    if (tsb_tensor_record_read(making->record, &at, &tensor, dims) < 0 || tensor.name != TSB_NAME_INLINE ||
        !tsb_tensor_record_fits(&tensor, dims)) {
      return -EPROTO;
    }
    struct tsb_text_place place = {tensor.name_offset, tensor.name_bytes};
    int status = tsb_call_record_text(making->record, place, making->texts_left, &name);
    if (status == -ENOMEM) return call_request__out_of_memory(making);
    if (status == 0) status = call_request__add_input(making, name, &tensor, dims);
    free(name);
    if (status < 0 || *making->error != NULL) return status;
  }
  return 0;
}

static int call_request__outputs(const struct call_request* making) {
  for (uint32_t i = 0; i < making->head->requested_count; i++) {
    char* name;
    int status = tsb_call_record_requested(making->record, making->head, i, making->texts_left, &name);
    if (status == -ENOMEM) return call_request__out_of_memory(making);
    if (status < 0) return status;
    *making->error = TRITONSERVER_InferenceRequestAddRequestedOutput(making->call->request, name);
    free(name);
    if (*making->error != NULL) return 0;
  }
  return 0;
}

static TRITONSERVER_Error* call_request__set_parameter(TRITONSERVER_InferenceRequest* request, const char* key,
                                                       const char* text, const struct tsb_parameter_value* value) {
  switch (value->type) {
    case TSB_PARAMETER_STRING: return TRITONSERVER_InferenceRequestSetStringParameter(request, key, text);
    case TSB_PARAMETER_INT: return TRITONSERVER_InferenceRequestSetIntParameter(request, key, value->integer);
    case TSB_PARAMETER_BOOL: return TRITONSERVER_InferenceRequestSetBoolParameter(request, key, value->bits != 0);
    default: break;
  }
  if (TRITONSERVER_InferenceRequestSetDoubleParameter != NULL) {
    return TRITONSERVER_InferenceRequestSetDoubleParameter(request, key, value->number);
  }
  return tsb_error_new(
      TRITONSERVER_ERROR_UNSUPPORTED,
      "Request parameter '%s' is a number that is no integer, which this server cannot take: that needs "
      "Triton 24.02 or newer.",
      key);
}

static int call_request__parameters(const struct call_request* making) {
  uint64_t at = making->head->parameters_offset;
  for (uint32_t i = 0; i < making->head->parameter_count; i++) {
    struct tsb_parameter_value value;
    if (tsb_parameter_record_read(making->record, &at, &value) < 0) return -EPROTO;
    char* key = strndup(value.key, value.key_bytes);
    char* text = strndup(value.text_bytes == 0 ? "" : value.text, value.text_bytes);
    *making->error = key == NULL || text == NULL
                         ? tsb_error_new(TRITONSERVER_ERROR_INTERNAL, "Out of memory while calling another model.")
                         : call_request__set_parameter(making->call->request, key, text, &value);
    free(key);
    free(text);
    if (*making->error != NULL) return 0;
  }
  return 0;
}

// Models that were ported match on these words.
static TRITONSERVER_Error* call_request__name_the_call(TRITONSERVER_Error* core) {
  TRITONSERVER_Error* error =
      tsb_error_new(TRITONSERVER_ErrorCode(core), "Error when running inference: %s", TRITONSERVER_ErrorMessage(core));
  TRITONSERVER_ErrorDelete(core);
  return error;
}

int tsb_call_request_make(struct tsb_instance* instance, const struct tsb_record* record, const struct tsb_call* head,
                          struct tsb_open_call* call, TRITONSERVER_Error** error) {
  static int (*const PARTS[])(const struct call_request*) = {call_request__head, call_request__inputs,
                                                             call_request__outputs, call_request__parameters};
  uint64_t texts_left = record->length;
  const struct call_request making = {instance, record, head, call, &texts_left, error};
  TRITONSERVER_Server* server;
  *error = NULL;
  call->parent = head->parent;
  call->model_version = head->model_version;
  int status = tsb_call_record_text(record, head->model, &texts_left, &call->model);
  if (status == -ENOMEM) return call_request__out_of_memory(&making);
  if (status < 0) return status;
  *error = TRITONBACKEND_ModelServer(instance->model->triton, &server);
  if (*error == NULL) {
    TRITONSERVER_Error* core =
        TRITONSERVER_InferenceRequestNew(&call->request, server, call->model, head->model_version);
    if (core != NULL) *error = call_request__name_the_call(core);
  }
  for (size_t i = 0; i < sizeof PARTS / sizeof PARTS[0] && status == 0 && *error == NULL; i++) {
    status = PARTS[i](&making);
  }
  if (status < 0 && *error != NULL) {
    TRITONSERVER_ErrorDelete(*error);
    *error = NULL;
  }
  return status;
}
