// SPDX-License-Identifier: Apache-2.0
#include "answers.h"

#include <errno.h>

#include "barrier.h"
#include "log.h"
#include "response_record.h"

struct answers_times {
  uint64_t exec_start_ns, compute_start_ns, compute_end_ns;
  uint64_t sent_ns;  // the stub wrote the answer
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

// The times of a request, without its waits in the stub and in the ring: while the model was at the batch before, and
// while the reader was at that batch's answers. Triton then counts these waits as time in the queue, which they are.
// What is left is what the request itself took, wake-ups included. `sent_ns` is the stub's word, so it is held to what
// can be true.
static void answers__set_times(const struct tsb_instance* instance, const struct tsb_batch_slot* slot, uint64_t sent_ns,
                               struct answers_times* times) {
  uint64_t waited_ns = 0;
  if (sent_ns < slot->compute_start_ns) sent_ns = slot->compute_start_ns;
  if (sent_ns > times->compute_end_ns) sent_ns = times->compute_end_ns;
  if (instance->concurrency == 1 && instance->model_free_ns > slot->compute_start_ns) {
    uint64_t free_ns = instance->model_free_ns < sent_ns ? instance->model_free_ns : sent_ns;
    waited_ns += free_ns - slot->compute_start_ns;
  }
  if (instance->reader_free_ns > sent_ns) {
    uint64_t free_ns =
        instance->reader_free_ns < times->compute_end_ns ? instance->reader_free_ns : times->compute_end_ns;
    waited_ns += free_ns - sent_ns;
  }
  times->exec_start_ns = slot->exec_start_ns + waited_ns;
  times->compute_start_ns = slot->compute_start_ns + waited_ns;
  times->sent_ns = sent_ns;
}

// All requests of a batch were answered: from here on the model is free, and so is the reader soon.
static void answers__note_batch(struct tsb_instance* instance, const struct answers_times* times) {
  pthread_mutex_lock(&instance->lock);  // time_limit.c reads it on the supervisor's thread
  instance->last_answer_ns = times->compute_end_ns;
  instance->model_free_ns = times->sent_ns;
  instance->reader_free_ns = tsb_now_ns();
  pthread_mutex_unlock(&instance->lock);
  uint64_t compute_ns = times->compute_end_ns - times->compute_start_ns;
  if (instance->compute_ns == 0) instance->compute_ns = compute_ns + 1;
  instance->compute_ns = tsb_pace_average(instance->compute_ns, compute_ns);
}

int tsb_answers_on_response(struct tsb_instance* instance, struct tsb_stub* stub, const struct tsb_entry* entry) {
  struct answers_times times = {.compute_end_ns = tsb_now_ns()};
  bool success;
  if ((entry->flags & TSB_RESPONSE_FINAL) == 0) return -EPROTO;  // a request has one response
  pthread_mutex_lock(&instance->lock);
  struct tsb_batch_slot* slot = tsb_batch_answer(&instance->batches, &entry->owner);
  if (slot != NULL) answers__set_times(instance, slot, entry->sent_ns, &times);
  pthread_mutex_unlock(&instance->lock);
  if (slot == NULL) return -EPROTO;
  TRITONBACKEND_Request* request = slot->requests[entry->owner.item].triton;
  struct tsb_response_source source = {.stub = stub,
                                       .loans = &slot->loans,
                                       .request = entry->owner.item,
                                       .send_flags = TRITONSERVER_RESPONSE_COMPLETE_FINAL};
  int status = tsb_response_send(instance->model, &source, request, &entry->place, &success);
  if (status < 0) {
    tsb_response_send_error(instance->model, request,
                            tsb_instance_error_unhealthy(instance, "It wrote an answer that breaks the protocol."));
  }
  answers__release(instance, request, success, &times);
  if (tsb_batch_note_release(slot, entry->owner.item)) {
    answers__note_batch(instance, &times);
    answers__close_batch(instance, stub, slot, &times);
  }
  return status;
}

void tsb_answers_fail_all(struct tsb_instance* instance, struct tsb_stub* stub, const char* reason) {
  for (uint32_t i = 0; i < instance->batches.count; i++) {
    struct tsb_batch_slot* slot = &instance->batches.slots[i];
    if (!slot->in_use) continue;
    struct answers_times times = {.exec_start_ns = slot->exec_start_ns,
                                  .compute_start_ns = slot->compute_start_ns,
                                  .compute_end_ns = tsb_now_ns()};
    for (uint32_t j = 0; j < slot->request_count; j++) {
      if (slot->requests[j].state == TSB_REQUEST_RELEASED) continue;
      TRITONBACKEND_Request* request = slot->requests[j].triton;
      tsb_response_send_error(instance->model, request, tsb_instance_error_unhealthy(instance, reason));
      answers__release(instance, request, false, &times);
      tsb_batch_note_release(slot, j);
    }
    slot->batch_size = 0;  // a batch that failed is no batch in the statistics
    answers__close_batch(instance, stub, slot, &times);
  }
}
