// SPDX-License-Identifier: Apache-2.0
#include "calls.h"

#include <errno.h>
#include <stdlib.h>

#include "barrier.h"
#include "call_answer.h"
#include "call_request.h"

TRITONSERVER_Error* tsb_calls_prepare(struct tsb_backend* backend) {
  return TRITONSERVER_ResponseAllocatorNew(&backend->allocator, tsb_call_answer_allocate, tsb_call_answer_release,
                                           NULL);
}

void tsb_calls_wait(struct tsb_backend* backend) {
  tsb_backend_wait_for_calls(backend);
  if (backend->allocator == NULL) return;
  tsb_error_log(TRITONSERVER_ResponseAllocatorDelete(backend->allocator), "TRITONSERVER_ResponseAllocatorDelete");
  backend->allocator = NULL;
}

// The call is over: the stub may use its name again from the moment in which it sees the entry. Nothing of the call is
// used afterwards.
static void calls__end(struct tsb_open_call* call, struct tsb_entry last) {
  struct tsb_stub* stub = call->stub;
  struct tsb_backend* backend = call->context;
  last.flags |= TSB_CALL_RESPONSE_FINAL;
  // Nobody reads them any more, and what the stub calls next may need their room.
  for (uint32_t i = 0; i < call->block_count; i++) {
    tsb_stub_memory_free(&stub->memory, &call->blocks[i].block, call->blocks[i].bytes);
  }
  pthread_mutex_lock(&stub->calls.lock);
  tsb_open_calls_end(&stub->calls, call);
  if (!stub->calls.is_closed) tsb_stub_post(stub, &last, 1);
  pthread_mutex_unlock(&stub->calls.lock);
  tsb_open_call_free(call);
  tsb_stub_release(stub);
  tsb_backend_count_calls(backend, -1);
}

// The server has a response, the last one or none: an end without a response.
static void calls__on_response(TRITONSERVER_InferenceResponse* response, uint32_t flags, void* userp) {
  struct tsb_open_call* call = userp;
  struct tsb_open_calls* calls = &call->stub->calls;
  bool is_last = (flags & TRITONSERVER_RESPONSE_COMPLETE_FINAL) != 0, is_over = false;
  struct tsb_entry entry = {.kind = TSB_ENTRY_CALL_RESPONSE, .owner = call->owner};
  if (response != NULL) {
    tsb_call_answer_write(call, response, &entry);
    tsb_error_log(TRITONSERVER_InferenceResponseDelete(response), "TRITONSERVER_InferenceResponseDelete");
  }
  pthread_mutex_lock(&calls->lock);
  if (is_last) {
    call->last = entry;
    call->has_last = true;
    is_over = call->is_released;
  } else if (!calls->is_closed) {
    tsb_stub_post(call->stub, &entry, 1);
  }
  pthread_mutex_unlock(&calls->lock);
  if (is_over) calls__end(call, entry);
}

static void calls__on_release(TRITONSERVER_InferenceRequest* request, uint32_t flags, void* userp) {
  struct tsb_open_call* call = userp;
  struct tsb_open_calls* calls = &call->stub->calls;
  (void)request;
  if ((flags & TRITONSERVER_REQUEST_RELEASE_ALL) == 0) return;
  pthread_mutex_lock(&calls->lock);
  call->is_released = true;
  bool is_over = call->has_last;
  struct tsb_entry last = call->last;
  pthread_mutex_unlock(&calls->lock);
  if (is_over) calls__end(call, last);
}

// A trace below that of a request, which the server owns once the call is sent. NULL: that request is not traced, or
// over.
static TRITONSERVER_InferenceTrace* calls__child_trace(struct tsb_instance* instance, const struct tsb_owner* parent) {
  TRITONSERVER_InferenceTrace *trace = NULL, *child = NULL;
  if (TRITONBACKEND_RequestTrace == NULL || TRITONSERVER_InferenceTraceSpawnChildTrace == NULL) return NULL;
  if (parent->table == 0) return NULL;  // to be no part of any
  pthread_mutex_lock(&instance->lock);
  struct tsb_batch_slot* slot = tsb_batch_answer(&instance->batches, parent, false);
  // A request that is RUNNING while the lock is held is not released, and neither is its trace.
  TRITONSERVER_Error* error =
      slot == NULL ? NULL : TRITONBACKEND_RequestTrace(slot->requests[parent->item].triton, &trace);
  if (error == NULL && trace != NULL) error = TRITONSERVER_InferenceTraceSpawnChildTrace(trace, &child);
  pthread_mutex_unlock(&instance->lock);
  tsb_error_log(error, "Tracing a call of another model");
  return child;
}

// Callbacks may come before this returns, on this thread or on others, and end the call.
static TRITONSERVER_Error* calls__send(struct tsb_instance* instance, struct tsb_open_call* call,
                                       const struct tsb_owner* traced) {
  TRITONSERVER_Server* server;
  TRITONSERVER_InferenceRequest* request = call->request;
  struct tsb_stub* stub = call->stub;
  TSB_RETURN_IF_ERROR(TRITONBACKEND_ModelServer(instance->model->triton, &server));
  TSB_RETURN_IF_ERROR(TRITONSERVER_InferenceRequestSetReleaseCallback(request, calls__on_release, call));
  TSB_RETURN_IF_ERROR(TRITONSERVER_InferenceRequestSetResponseCallback(request, instance->model->backend->allocator,
                                                                       call, calls__on_response, call));
  pthread_mutex_lock(&stub->calls.lock);
  call->was_sent = true;
  pthread_mutex_unlock(&stub->calls.lock);
  // A server that refuses the request before it has taken the trace over leaks it. Nobody can tell that from a refusal
  // afterwards, when the trace is the server's to delete, and one that is deleted twice would end the server.
  TRITONSERVER_InferenceTrace* trace = calls__child_trace(instance, traced);
  TRITONSERVER_Error* error = TRITONSERVER_ServerInferAsync(server, request, trace);
  if (error == NULL) return NULL;
  pthread_mutex_lock(&stub->calls.lock);  // no callback comes: it is ours still
  call->was_sent = false;
  pthread_mutex_unlock(&stub->calls.lock);
  return error;
}

static int calls__start(struct tsb_instance* instance, struct tsb_stub* stub, const struct tsb_entry* entry,
                        struct tsb_record* record) {
  struct tsb_call head;
  TRITONSERVER_Error* error;
  struct tsb_entry answer;
  if (tsb_call_record_read(record, &head) < 0) return -EPROTO;
  struct tsb_open_call* call;
  int status = tsb_open_calls_begin(&stub->calls, &entry->owner, &call);
  if (status < 0) return status;
  call->stub = stub;
  call->context = instance->model->backend;
  tsb_stub_retain(stub);
  tsb_backend_count_calls(instance->model->backend, 1);
  status = tsb_call_request_make(instance, record, &head, call, &error);
  if (status == 0 && error == NULL) error = calls__send(instance, call, &head.trace);
  if (status == 0 && error == NULL) return 0;
  if (status < 0) error = tsb_error_new(TRITONSERVER_ERROR_INTERNAL, "The call breaks the protocol.");
  tsb_call_answer_write_error(call, error, &answer);
  calls__end(call, answer);
  return status;
}

// The server lacks the memory even to write a call down: it is over, without an answer. That is no fault of the stub's.
static int calls__lose(struct tsb_stub* stub, const struct tsb_entry* entry) {
  struct tsb_entry last = {.kind = TSB_ENTRY_CALL_RESPONSE,
                           .flags = TSB_CALL_RESPONSE_FINAL | TSB_CALL_RESPONSE_LOST,
                           .owner = entry->owner};
  tsb_stub_post(stub, &last, 1);
  return 0;
}

int tsb_calls_on_call(struct tsb_instance* instance, struct tsb_stub* stub, const struct tsb_entry* entry) {
  if (entry->flags != 0 || entry->place.bytes < sizeof(struct tsb_call) || entry->place.bytes > TSB_MAX_RECORD_BYTES) {
    return -EPROTO;
  }
  const uint8_t* shared = tsb_stub_resolve(stub, &entry->place);
  uint8_t* copy = shared == NULL ? NULL : malloc(entry->place.bytes);
  if (shared == NULL) return -EPROTO;
  if (copy == NULL) return calls__lose(stub, entry);
  tsb_copy_out(copy, shared, entry->place.bytes);
  struct tsb_record record = {.bytes = copy, .length = entry->place.bytes};
  int status = calls__start(instance, stub, entry, &record);
  free(copy);
  return status == -ENOMEM ? calls__lose(stub, entry) : status;
}

int tsb_calls_on_cancel(struct tsb_stub* stub, const struct tsb_entry* entry) {
  if (entry->flags != 0 || entry->place.bytes != 0) return -EPROTO;
  return tsb_open_calls_cancel(&stub->calls, &entry->owner);
}

int tsb_calls_on_free(struct tsb_stub* stub, const struct tsb_entry* entry) {
  struct tsb_viewed_block* blocks;
  uint32_t count;
  if (entry->flags != 0 || entry->place.bytes != 0) return -EPROTO;
  int status = tsb_open_calls_unview(&stub->calls, &entry->owner, &blocks, &count);
  if (status < 0) return status;
  for (uint32_t i = 0; i < count; i++) tsb_stub_memory_free(&stub->memory, &blocks[i].block, blocks[i].bytes);
  free(blocks);
  return 0;
}
