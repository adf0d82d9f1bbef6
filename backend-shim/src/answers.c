// SPDX-License-Identifier: Apache-2.0
// Reads a stub's answers and hands them to Triton. One thread at a time: see instance.h.
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "barrier.h"
#include "decode_response.h"
#include "instance.h"
#include "log.h"

enum {
  LONG_RUN_MS = 60000,
  // How much work may wait in the stub behind the batch that the model is busy with. Little, because a request that
  // waits there cannot go to another instance any more, nor be overtaken by one of a higher priority.
  PREFETCH_NS = 250000,
  HURRIED_NS = 20000,
  MAX_SPIN_NS = 150000,
};

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

// The last request of a batch is answered: its memory and its slot are free again.
static void answers__finish_batch(struct tsb_instance* instance, struct tsb_stub* stub, struct tsb_batch_slot* slot,
                                  const struct answers_times* times) {
  uint64_t batch_size = slot->batch_size;
  if (tsb_stub_memory_release(&stub->memory, &slot->block, slot->block_bytes, &slot->loans) < 0)
    TSB_LOG(ERROR, "Internal error: a block of '%s' was freed twice.", instance->name);
  pthread_mutex_lock(&instance->lock);
  tsb_batch_release(&instance->batches, slot);
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

// Takes one waiting request out of its batch; from here on it is this thread's alone.
static TRITONBACKEND_Request* answers__take(struct tsb_instance* instance, const struct tsb_entry* entry,
                                            struct answers_times* times) {
  pthread_mutex_lock(&instance->lock);
  TRITONBACKEND_Request* request = tsb_batch_request(&instance->batches, &entry->owner);
  if (request != NULL) {
    struct tsb_batch_slot* slot = &instance->batches.slots[entry->owner.index];
    slot->requests[entry->owner.item] = NULL;
    answers__set_times(instance, slot, entry->sent_ns, times);
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
  struct tsb_batch_slot* slot = &instance->batches.slots[entry->owner.index];
  struct tsb_response_source source = {.stub = stub, .loans = &slot->loans, .request = entry->owner.item};
  int status = tsb_response_send(instance->model, &source, request, &entry->place, &success);
  if (status < 0) {
    tsb_response_send_error(instance->model, request,
                            tsb_instance_unhealthy(instance, "It wrote an answer that breaks the protocol."));
  }
  answers__release(instance, request, success, &times);
  // Only this thread answers requests, so only it counts them.
  if (--slot->unanswered == 0) {
    pthread_mutex_lock(&instance->lock);  // tsb_answers_check_time reads it on the supervisor's thread
    instance->last_answer_ns = times.compute_end_ns;
    instance->model_free_ns = times.sent_ns;
    instance->reader_free_ns = tsb_now_ns();
    pthread_mutex_unlock(&instance->lock);
    // A moving average: one batch that lost its processor for a moment says little about the next.
    uint64_t compute_ns = times.compute_end_ns - times.compute_start_ns;
    if (instance->recent_compute_ns == 0) instance->recent_compute_ns = compute_ns + 1;
    instance->recent_compute_ns += compute_ns / 8 - instance->recent_compute_ns / 8;
    answers__finish_batch(instance, stub, slot, &times);
  }
  return status;
}

int tsb_answers_drain(struct tsb_instance* instance, struct tsb_stub* stub) {
  struct tsb_entry entry;
  int status;
  if (stub->broken) return -EPROTO;
  while ((status = tsb_ring_take(&stub->to_shim, &entry)) > 0) {
    status = answers__handle(instance, stub, &entry);
    if (status < 0) break;
    tsb_ring_release(&stub->to_shim);
  }
  if (status < 0) {
    TSB_LOG(ERROR, "Stub process '%s' wrote something that breaks the protocol; it is stopped.", instance->name);
    stub->broken = true;
    tsb_stub_process_kill(&stub->process);
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
      TRITONBACKEND_Request* request = slot->requests[j];
      if (request == NULL) continue;
      slot->requests[j] = NULL;
      tsb_response_send_error(instance->model, request, tsb_instance_unhealthy(instance, reason));
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
    // What waited behind another batch did not run yet; see answers__set_times.
    uint64_t waited_ns = 0;
    if (instance->concurrency == 1 && instance->last_answer_ns > slot->exec_start_ns) {
      waited_ns = instance->last_answer_ns - slot->exec_start_ns;
    }
    if (slot->deadline_ns != 0 && now >= slot->deadline_ns + waited_ns && !instance->timed_out) {
      instance->timed_out = true;
      tsb_stub_process_kill(&stub->process);
    } else if (!slot->warned && now - slot->exec_start_ns > UINT64_C(1000000) * LONG_RUN_MS + waited_ns) {
      slot->warned = true;
      TSB_LOG(WARN,
              "The model's execute in '%s' has not answered for %d seconds. Set the model parameter "
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

// Sleeps until an answer or the stub's death. Returns whether it is dead.
static bool answers__sleep(struct tsb_instance* instance, struct tsb_stub* stub) {
  int wake_fd = stub->wake_shim_fds[TSB_WAKER_EXECUTE];
  struct pollfd items[] = {{.fd = wake_fd, .events = POLLIN}, {.fd = stub->process.pidfd, .events = POLLIN}};
  int ready = poll(items, 2, TSB_CHECK_TIME_MS);
  tsb_ring_awake(&stub->to_shim);
  if (items[0].revents != 0) tsb_ring_clear_wake(wake_fd);
  if (ready == 0) tsb_answers_check_time(instance, stub);
  return ready > 0 && items[1].revents != 0;
}

// Batches in flight below which Execute may leave.
static uint64_t answers__limit(const struct tsb_instance* instance) {
  bool known =
      instance->recent_compute_ns > 0;  // nothing is handed over early to a model that has not shown how fast it is
  uint64_t waiting = instance->prefetches && known ? PREFETCH_NS / instance->recent_compute_ns : 0;
  if (waiting > TSB_MAX_PREFETCH) waiting = TSB_MAX_PREFETCH;
  return instance->concurrency + waiting;
}

// The only thread that adds to them is the caller.
static uint32_t answers__in_flight(struct tsb_instance* instance) {
  pthread_mutex_lock(&instance->lock);
  uint32_t in_flight = instance->batches.in_flight;
  pthread_mutex_unlock(&instance->lock);
  return in_flight;
}

bool tsb_answers_begin(struct tsb_instance* instance, struct tsb_stub* stub) {
  if (pthread_mutex_trylock(&instance->reading) != 0) return false;
  tsb_ring_awake(&stub->to_shim);  // an answer that comes from now on need not wake the supervisor
  return true;
}

// An answer that is expected soon is worth waiting for awake: waking up takes as long as computing it. When requests
// are few at a time there is nothing else to do.
static int answers__wait_awake(struct tsb_instance* instance, struct tsb_ring* ring) {
  uint64_t expected_ns = 2 * instance->recent_compute_ns;
  bool calm = tsb_instance_is_calm(instance) && expected_ns > TSB_SPIN_NS && expected_ns <= MAX_SPIN_NS;
  return tsb_ring_spin(ring) || (calm && tsb_ring_spin_calmly(ring, expected_ns));
}

// Reads until nothing is left and the supervisor will be woken for what comes next. The caller holds `reading`.
static void answers__look_as_reader(struct tsb_instance* instance, struct tsb_stub* stub) {
  struct tsb_ring* ring = &stub->to_shim;
  tsb_store_seq_u32(&instance->look_wanted, 0);
  tsb_ring_awake(ring);
  while (tsb_answers_drain(instance, stub) == 0 && !tsb_ring_prepare_sleep(ring, TSB_WAKER_SUPERVISOR)) {
  }
}

// An answer may come after the reader has asked for the supervisor to be woken and before it has let go: the supervisor
// is woken, finds the lock taken, and goes back to sleep. It says so in look_wanted, and whoever let go looks once
// more.
static void answers__let_go(struct tsb_instance* instance, struct tsb_stub* stub) {
  for (;;) {
    pthread_mutex_unlock(&instance->reading);
    tsb_fence_seq();  // pairs with the fence in tsb_answers_look
    if (tsb_load_seq_u32(&instance->look_wanted) == 0 || pthread_mutex_trylock(&instance->reading) != 0) return;
    answers__look_as_reader(instance, stub);
  }
}

void tsb_answers_serve(struct tsb_instance* instance, struct tsb_stub* stub, bool is_reader, uint64_t exec_start_ns) {
  struct tsb_ring* ring = &stub->to_shim;
  bool dead = false, broken = false;
  if (!is_reader) pthread_mutex_lock(&instance->reading);
  // Who comes back at once has more requests waiting, and need not wait for this answer.
  bool hurried = exec_start_ns - instance->left_ns < HURRIED_NS;
  tsb_ring_awake(ring);
  instance->hurry += (hurried ? TSB_HURRY_ALL / 16 : 0) - instance->hurry / 16;
  for (;;) {
    broken = tsb_answers_drain(instance, stub) < 0;
    if (dead || broken) break;
    uint32_t in_flight = answers__in_flight(instance);
    bool leaves = in_flight < answers__limit(instance);
    bool waits = in_flight > 0 && !(leaves && hurried);
    if (waits && answers__wait_awake(instance, ring)) continue;
    if (!tsb_ring_prepare_sleep(ring, leaves ? TSB_WAKER_SUPERVISOR : TSB_WAKER_EXECUTE)) continue;
    if (leaves) break;
    dead = answers__sleep(instance, stub);  // if so, once more around: it may have answered before it died
  }
  instance->left_ns = tsb_now_ns();
  answers__let_go(instance, stub);
  if (dead || broken) answers__fail_after_death(instance, stub);
}

void tsb_answers_leave(struct tsb_instance* instance, struct tsb_stub* stub) {
  answers__look_as_reader(instance, stub);
  answers__let_go(instance, stub);
}

void tsb_answers_look(struct tsb_instance* instance, struct tsb_stub* stub) {
  tsb_ring_clear_wake(stub->wake_shim_fds[TSB_WAKER_SUPERVISOR]);
  tsb_store_seq_u32(&instance->look_wanted, 1);
  tsb_fence_seq();  // pairs with the fence in answers__let_go: it sees the wish, or this thread gets the lock
  if (pthread_mutex_trylock(&instance->reading) != 0) return;
  answers__look_as_reader(instance, stub);
  answers__let_go(instance, stub);
}
