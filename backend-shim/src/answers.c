// SPDX-License-Identifier: Apache-2.0
// Reads a stub's answers and hands them to Triton. One thread at a time: see instance.h.
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "barrier.h"
#include "decode_response.h"
#include "instance.h"

enum { LONG_RUN_MS = 60000 };

struct answers_times {
  uint64_t exec_start_ns, compute_start_ns, compute_end_ns;
};

static void answers__release(struct tsb_instance* instance, TRITONBACKEND_Request* request, bool success,
                             const struct answers_times* times) {
  tsb_error_log(TRITONBACKEND_ModelInstanceReportStatistics(instance->triton, request, success, times->exec_start_ns,
                                                            times->compute_start_ns, times->compute_end_ns,
                                                            tsb_now_ns()),
                "Reporting request statistics");
  tsb_error_log(TRITONBACKEND_RequestRelease(request, TRITONSERVER_REQUEST_RELEASE_ALL), "Releasing a request");
}

void tsb_answers_fail_request(struct tsb_instance* instance, TRITONBACKEND_Request* request, uint64_t exec_start_ns,
                              TRITONSERVER_Error* error) {
  struct answers_times times = {exec_start_ns, exec_start_ns, tsb_now_ns()};
  tsb_response_send_error(request, error);
  answers__release(instance, request, false, &times);
}

// The last request of a batch is answered: its memory and its slot are free again.
static void answers__finish_batch(struct tsb_instance* instance, struct tsb_stub* stub, struct tsb_batch_slot* slot,
                                  const struct answers_times* times) {
  uint64_t batch_size = slot->batch_size;
  pthread_mutex_lock(&stub->memory_lock);
  int status = slot->block_bytes == 0 ? 0
                                      : tsb_arena_free(&stub->inbound, slot->block.region, slot->block.offset,
                                                       slot->block_bytes);
  pthread_mutex_unlock(&stub->memory_lock);
  if (status < 0) TSB_LOG(ERROR, "Internal error: a block of '%s' was freed twice.", instance->name);
  pthread_mutex_lock(&instance->lock);
  tsb_batch_release(&instance->batches, slot);
  pthread_cond_broadcast(&instance->changed);
  pthread_mutex_unlock(&instance->lock);
  if (batch_size == 0) return;
  tsb_error_log(TRITONBACKEND_ModelInstanceReportBatchStatistics(instance->triton, batch_size, times->exec_start_ns,
                                                                 times->compute_start_ns, times->compute_end_ns,
                                                                 tsb_now_ns()),
                "Reporting batch statistics");
}

// Takes one waiting request out of its batch; from here on it is this thread's alone.
static TRITONBACKEND_Request* answers__take(struct tsb_instance* instance, const struct tsb_entry* entry,
                                            struct answers_times* times) {
  pthread_mutex_lock(&instance->lock);
  TRITONBACKEND_Request* request =
      tsb_batch_request(&instance->batches, entry->batch, entry->generation, entry->request);
  if (request != NULL) {
    struct tsb_batch_slot* slot = &instance->batches.slots[entry->batch];
    slot->requests[entry->request] = NULL;
    times->exec_start_ns = slot->exec_start_ns;
    times->compute_start_ns = slot->compute_start_ns;
  }
  pthread_mutex_unlock(&instance->lock);
  return request;
}

static int answers__handle(struct tsb_instance* instance, struct tsb_stub* stub, const struct tsb_entry* entry) {
  struct answers_times times = {.compute_end_ns = tsb_now_ns()};
  bool success;
  if (entry->kind != TSB_ENTRY_RESPONSE || (entry->flags & TSB_RESPONSE_FINAL) == 0) return -EPROTO;
  TRITONBACKEND_Request* request = answers__take(instance, entry, &times);
  if (request == NULL) return -EPROTO;
  int status = tsb_response_send(instance->model, stub, request, &entry->place, &success);
  if (status < 0) {
    tsb_response_send_error(request, tsb_instance_unhealthy(instance, "It wrote an answer that breaks the protocol."));
  }
  struct tsb_batch_slot* slot = &instance->batches.slots[entry->batch];
  answers__release(instance, request, success, &times);
  // Only this thread answers requests, so only it counts them.
  if (--slot->unanswered == 0) answers__finish_batch(instance, stub, slot, &times);
  return status;
}

int tsb_answers_drain(struct tsb_instance* instance, struct tsb_stub* stub) {
  struct tsb_entry entry;
  int status;
  while ((status = tsb_ring_take(&stub->to_shim, &entry)) > 0) {
    status = answers__handle(instance, stub, &entry);
    if (status < 0) break;
    tsb_ring_release(&stub->to_shim);
  }
  if (status < 0) {
    TSB_LOG(ERROR, "Stub process '%s' wrote something that breaks the protocol; it is stopped.", instance->name);
    tsb_stub_kill(stub);
  }
  return status;
}

void tsb_answers_fail_all(struct tsb_instance* instance, struct tsb_stub* stub, const char* reason) {
  for (uint32_t i = 0; i < instance->batches.count; i++) {
    struct tsb_batch_slot* slot = &instance->batches.slots[i];
    if (!slot->in_use) continue;
    struct answers_times times = {slot->exec_start_ns, slot->compute_start_ns, tsb_now_ns()};
    for (uint32_t j = 0; j < slot->request_count; j++) {
      TRITONBACKEND_Request* request = slot->requests[j];
      if (request == NULL) continue;
      slot->requests[j] = NULL;
      tsb_response_send_error(request, tsb_instance_unhealthy(instance, reason));
      answers__release(instance, request, false, &times);
    }
    slot->batch_size = 0;  // a batch that failed is no batch in the statistics
    answers__finish_batch(instance, stub, slot, &times);
  }
}

void tsb_answers_check_time(struct tsb_instance* instance, struct tsb_stub* stub) {
  uint64_t now = tsb_now_ns();
  pthread_mutex_lock(&instance->lock);
  for (uint32_t i = 0; i < instance->batches.count; i++) {
    struct tsb_batch_slot* slot = &instance->batches.slots[i];
    if (!slot->in_use) continue;
    if (slot->deadline_ns != 0 && now >= slot->deadline_ns && !instance->timed_out) {
      instance->timed_out = true;
      tsb_stub_kill(stub);
    } else if (!slot->warned && now - slot->exec_start_ns > UINT64_C(1000000) * LONG_RUN_MS) {
      slot->warned = true;
      TSB_LOG(WARN, "The model's execute in '%s' has not answered for %d seconds. Set the model parameter "
                    "EXECUTE_TIMEOUT_SECONDS to give such a batch up.",
              instance->name, LONG_RUN_MS / 1000);
    }
  }
  pthread_mutex_unlock(&instance->lock);
}

// The supervisor knows how the stub died, and has logged its last words, once the state is not RUNNING any more.
static void answers__fail_after_death(struct tsb_instance* instance, struct tsb_stub* stub) {
  char reason[sizeof instance->reason];
  pthread_mutex_lock(&instance->lock);
  while (instance->state == TSB_INSTANCE_RUNNING) pthread_cond_wait(&instance->changed, &instance->lock);
  memcpy(reason, instance->reason, sizeof reason);
  pthread_mutex_unlock(&instance->lock);
  tsb_answers_fail_all(instance, stub, reason);
}

static int answers__timeout_ms(const struct tsb_batch_slot* slot) {
  if (slot->deadline_ns == 0) return slot->warned ? -1 : LONG_RUN_MS + 1000;
  uint64_t now = tsb_now_ns();
  uint64_t left_ms = now >= slot->deadline_ns ? 0 : (slot->deadline_ns - now) / 1000000 + 1;
  return left_ms > LONG_RUN_MS ? LONG_RUN_MS : (int)left_ms;
}

void tsb_answers_wait(struct tsb_instance* instance, struct tsb_stub* stub, struct tsb_batch_slot* slot) {
  struct tsb_ring* ring = &stub->to_shim;
  bool dead = false;
  for (;;) {
    bool broken = tsb_answers_drain(instance, stub) < 0;
    if (!slot->in_use) return;
    if (dead || broken) break;
    if (tsb_ring_spin(ring) || !tsb_ring_prepare_sleep(ring)) continue;
    struct pollfd items[] = {{.fd = stub->wake_shim_fd, .events = POLLIN}, {.fd = stub->pidfd, .events = POLLIN}};
    int ready = poll(items, 2, answers__timeout_ms(slot));
    tsb_ring_awake(ring);
    if (items[0].revents != 0) {
      uint64_t count;
      ssize_t got = read(stub->wake_shim_fd, &count, sizeof count);
      (void)got;  // EAGAIN: an earlier read took the count
    }
    if (ready == 0) tsb_answers_check_time(instance, stub);
    dead = ready > 0 && items[1].revents != 0;  // once more around: it may have answered before it died
  }
  answers__fail_after_death(instance, stub);
}
