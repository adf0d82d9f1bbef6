// SPDX-License-Identifier: Apache-2.0
#include "answers.h"

#include <errno.h>

#include "barrier.h"
#include "log.h"
#include "response_record.h"

struct answers_times {
  uint64_t exec_start_ns, compute_start_ns, compute_end_ns;
  uint64_t sent_ns;   // the stub wrote the answer
  uint64_t ready_ns;  // the batch was there for a model that was free
  uint64_t taken_ns;  // the event loop had it then; 0: not told
};

static void answers__release(struct tsb_instance* instance, TRITONBACKEND_Request* request, bool success,
                             const struct answers_times* times) {
  tsb_error_log(
      TRITONBACKEND_ModelInstanceReportStatistics(instance->triton, request, success, times->exec_start_ns,
                                                  times->compute_start_ns, times->compute_end_ns, tsb_now_ns()),
      "Reporting request statistics");
  tsb_error_log(TRITONBACKEND_RequestRelease(request, TRITONSERVER_REQUEST_RELEASE_ALL), "Releasing a request");
}

void tsb_answers_fail_request(struct tsb_instance* instance, TRITONBACKEND_Request* request, uint64_t exec_start_ns,
                              TRITONSERVER_Error* error) {
  struct answers_times times = {
      .exec_start_ns = exec_start_ns, .compute_start_ns = exec_start_ns, .compute_end_ns = tsb_now_ns()};
  tsb_response_send_error(instance->model, request, error);
  answers__release(instance, request, false, &times);
}

// The last request of a batch is released: its memory and its slot are free again.
static void answers__close_batch(struct tsb_instance* instance, struct tsb_stub* stub, struct tsb_batch_slot* slot,
                                 const struct answers_times* times) {
  uint64_t batch_size = slot->batch_size;
  if (tsb_stub_memory_release(&stub->memory, &slot->block, slot->block_bytes, &slot->loans) < 0) {
    TSB_LOG(ERROR, "Internal error: a block of '%s' was freed twice.", instance->name);
  }
  pthread_mutex_lock(&instance->lock);
  tsb_batch_close(&instance->batches, slot);
  pthread_cond_broadcast(&instance->changed);
  pthread_mutex_unlock(&instance->lock);
  if (batch_size == 0) return;
  tsb_error_log(
      TRITONBACKEND_ModelInstanceReportBatchStatistics(instance->triton, batch_size, times->exec_start_ns,
                                                       times->compute_start_ns, times->compute_end_ns, tsb_now_ns()),
      "Reporting batch statistics");
}

void tsb_answers_free_inputs(struct tsb_stub* stub, struct tsb_batch_slot* slot, uint32_t item) {
  struct tsb_batch_request* request = &slot->requests[item];
  if (tsb_stub_memory_free(&stub->memory, &request->data, request->data_bytes) < 0) {
    TSB_LOG(ERROR, "Internal error: a block of inputs was freed twice.");
  }
  request->data_bytes = 0;
}

// How long a batch waited in the stub while the model was at the one before.
static uint64_t answers__waited_ns(const struct tsb_instance* instance, const struct tsb_batch_slot* slot,
                                   uint64_t sent_ns) {
  if (!slot->is_executing) return slot->waited_ns;
  if (instance->concurrency != 1 || instance->model_free_ns <= slot->compute_start_ns) return 0;
  uint64_t free_ns = instance->model_free_ns < sent_ns ? instance->model_free_ns : sent_ns;
  return free_ns - slot->compute_start_ns;
}

// The times of a request, without its waits in the stub and in the ring: while the model was at the batch before, and
// while the reader was at that batch's answers. Triton then counts these waits as time in the queue, which they are.
// What is left is what the request itself took, wake-ups included. The entry's times are the stub's word, so they
// are held to what can be true.
static void answers__set_times(const struct tsb_instance* instance, const struct tsb_batch_slot* slot,
                               const struct tsb_entry* entry, struct answers_times* times) {
  uint64_t sent_ns = entry->sent_ns;
  if (sent_ns < slot->compute_start_ns) sent_ns = slot->compute_start_ns;
  if (sent_ns > times->compute_end_ns) sent_ns = times->compute_end_ns;
  uint64_t waited_ns = answers__waited_ns(instance, slot, sent_ns);
  times->ready_ns = slot->compute_start_ns + waited_ns;
  times->taken_ns = entry->value;
  if (instance->reader_free_ns > sent_ns) {
    uint64_t free_ns =
        instance->reader_free_ns < times->compute_end_ns ? instance->reader_free_ns : times->compute_end_ns;
    waited_ns += free_ns - sent_ns;
  }
  times->exec_start_ns = slot->exec_start_ns + waited_ns;
  times->compute_start_ns = slot->compute_start_ns + waited_ns;
  times->sent_ns = sent_ns;
}

static void answers__observe(const struct tsb_instance* instance, const struct answers_times* times) {
  const struct tsb_builtin_metrics* builtin = &instance->builtin;
  uint64_t begun_ns = times->ready_ns;
  if (times->taken_ns != 0) {
    if (times->taken_ns > begun_ns) begun_ns = times->taken_ns;
    if (begun_ns > times->sent_ns) begun_ns = times->sent_ns;
    tsb_builtin_metrics_observe(builtin, TSB_BUILTIN_EVENT_LOOP_LAG, begun_ns - times->ready_ns);
  }
  tsb_builtin_metrics_observe(builtin, TSB_BUILTIN_EXECUTE, times->sent_ns - begun_ns);
  tsb_builtin_metrics_observe(builtin, TSB_BUILTIN_ROUND_TRIP, times->compute_end_ns - times->compute_start_ns);
}

// The model has settled a batch, by its last answer at the latest: from here on it is free, and so is the reader soon.
static void answers__note_batch(struct tsb_instance* instance, const struct answers_times* times) {
  pthread_mutex_lock(&instance->lock);  // time_limit.c reads it on the supervisor's thread
  instance->last_answer_ns = times->compute_end_ns;
  instance->model_free_ns = times->sent_ns;
  instance->reader_free_ns = tsb_now_ns();
  pthread_mutex_unlock(&instance->lock);
  answers__observe(instance, times);
  uint64_t compute_ns = times->compute_end_ns - times->compute_start_ns;
  instance->compute_ns = tsb_pace_first_average(instance->compute_ns, compute_ns);
}

// Whether an entry says what a correct stub may say of a request of this model.
static bool answers__is_sound(const struct tsb_model* model, const struct tsb_entry* entry) {
  bool has_record = entry->place.bytes > 0;
  switch (entry->flags) {
    case 0: return has_record && model->is_decoupled;
    case TSB_RESPONSE_FINAL: return has_record || model->is_decoupled;
    case TSB_RESPONSE_RESCHEDULE: return !has_record && model->is_iterative;
    default: return false;
  }
}

// The final flag without a response.
static void answers__send_final(TRITONBACKEND_Request* request) {
  TRITONBACKEND_ResponseFactory* factory;
  TRITONSERVER_Error* error = TRITONBACKEND_ResponseFactoryNew(&factory, request);
  if (error == NULL) {
    error = TRITONBACKEND_ResponseFactorySendFlags(factory, TRITONSERVER_RESPONSE_COMPLETE_FINAL);
    tsb_error_log(TRITONBACKEND_ResponseFactoryDelete(factory), "TRITONBACKEND_ResponseFactoryDelete");
  }
  tsb_error_log(error, "Sending the end of a stream");
}

// Gives a request back for another round. It may come again before this returns; after an error it is ours still.
static void answers__reschedule(struct tsb_instance* instance, TRITONBACKEND_Request* request,
                                const struct answers_times* times) {
  TRITONSERVER_Error* error = TRITONBACKEND_RequestRelease(request, TRITONSERVER_REQUEST_RELEASE_RESCHEDULE);
  if (error == NULL) return;
  tsb_response_send_error(instance->model, request, error);
  answers__release(instance, request, false, times);
}

// Of a stream: from here on it is with the server, whose front end brings it to the client.
static void answers__note_response(const struct tsb_instance* instance, const struct tsb_batch_slot* slot,
                                   struct tsb_batch_request* request) {
  if (request->responded) return;
  request->responded = true;
  tsb_builtin_metrics_observe(&instance->builtin, TSB_BUILTIN_FIRST_RESPONSE, tsb_now_ns() - slot->compute_start_ns);
}

// Does with a request what an entry says. 0, or -EPROTO: the record is impossible, and nothing was sent.
static int answers__do(struct tsb_instance* instance, struct tsb_stub* stub, struct tsb_batch_slot* slot,
                       const struct tsb_entry* entry, const struct answers_times* times) {
  struct tsb_batch_request* request = &slot->requests[entry->owner.item];
  if (entry->flags == TSB_RESPONSE_RESCHEDULE) {
    answers__reschedule(instance, request->triton, times);
    return 0;
  }
  bool is_final = entry->flags == TSB_RESPONSE_FINAL;
  int status = 0;
  if (entry->place.bytes == 0) {
    answers__send_final(request->triton);
  } else {
    struct tsb_response_source source = {.stub = stub,
                                         .loans = &slot->loans,
                                         .request = entry->owner.item,
                                         .send_flags = is_final ? TRITONSERVER_RESPONSE_COMPLETE_FINAL : 0};
    bool success;
    status = tsb_response_send(instance->model, &source, request->triton, &entry->place, &success);
    if (!success) request->failed = true;
    if (instance->model->is_decoupled) answers__note_response(instance, slot, request);
  }
  if (!is_final) return status;
  if (status < 0) {
    tsb_response_send_error(instance->model, request->triton,
                            tsb_instance_error_unhealthy(instance, "It wrote an answer that breaks the protocol."));
  }
  answers__release(instance, request->triton, !request->failed, times);
  return status;
}

int tsb_answers_on_response(struct tsb_instance* instance, struct tsb_stub* stub, const struct tsb_entry* entry) {
  struct answers_times times = {.compute_end_ns = tsb_now_ns()};
  if (!answers__is_sound(instance->model, entry)) return -EPROTO;
  bool ends = entry->flags != 0;
  pthread_mutex_lock(&instance->lock);
  struct tsb_batch_slot* slot = tsb_batch_answer(&instance->batches, &entry->owner, ends);
  if (slot != NULL && ends) {
    answers__set_times(instance, slot, entry, &times);
    pthread_cond_broadcast(&instance->changed);
  }
  pthread_mutex_unlock(&instance->lock);
  if (slot == NULL) return -EPROTO;
  int status = answers__do(instance, stub, slot, entry, &times);
  if (!ends) return status;
  tsb_answers_free_inputs(stub, slot, entry->owner.item);
  if (tsb_batch_note_release(slot)) {
    if (slot->is_executing) answers__note_batch(instance, &times);
    answers__close_batch(instance, stub, slot, &times);
  }
  return status;
}

int tsb_answers_on_settled(struct tsb_instance* instance, struct tsb_stub* stub, const struct tsb_entry* entry) {
  struct answers_times times = {.compute_end_ns = tsb_now_ns()};
  if (entry->flags != 0 || entry->place.bytes != 0) return -EPROTO;
  pthread_mutex_lock(&instance->lock);
  struct tsb_batch_slot* slot = tsb_batch_executing(&instance->batches, &entry->owner);
  if (slot != NULL) {
    answers__set_times(instance, slot, entry, &times);
    slot->waited_ns = answers__waited_ns(instance, slot, times.sent_ns);
    tsb_batch_settle(&instance->batches, slot);
    pthread_cond_broadcast(&instance->changed);
  }
  pthread_mutex_unlock(&instance->lock);
  if (slot == NULL) return -EPROTO;
  // What the model writes into inputs that are open still must not show in those of the next batches.
  tsb_stub_memory_share(&stub->memory, true);
  answers__note_batch(instance, &times);
  return 0;
}

void tsb_answers_fail_all(struct tsb_instance* instance, struct tsb_stub* stub, const char* reason) {
  for (uint32_t i = 0; i < instance->batches.used_count; i++) {
    struct tsb_batch_slot* slot = &instance->batches.slots[i];
    if (!slot->in_use) continue;
    struct answers_times times = {.exec_start_ns = slot->exec_start_ns,
                                  .compute_start_ns = slot->compute_start_ns,
                                  .compute_end_ns = tsb_now_ns()};
    for (uint32_t j = 0; j < slot->request_count; j++) {
      if (slot->requests[j].state == TSB_REQUEST_ANSWERED) continue;  // and released, as nobody reads answers now
      TRITONBACKEND_Request* request = slot->requests[j].triton;
      pthread_mutex_lock(&instance->lock);
      tsb_batch_take(&instance->batches, slot, j);
      pthread_mutex_unlock(&instance->lock);
      tsb_response_send_error(instance->model, request, tsb_instance_error_unhealthy(instance, reason));
      answers__release(instance, request, false, &times);
      tsb_answers_free_inputs(stub, slot, j);
      tsb_batch_note_release(slot);
    }
    slot->batch_size = 0;  // a batch that failed is no batch in the statistics
    answers__close_batch(instance, stub, slot, &times);
  }
}
