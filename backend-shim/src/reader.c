// SPDX-License-Identifier: Apache-2.0
#include "reader.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "answers.h"
#include "barrier.h"
#include "calls.h"
#include "cancels.h"
#include "log.h"
#include "log_levels.h"
#include "metrics.h"
#include "time_limit.h"

enum {
  // A stub that writes without a rest holds nobody up for longer than it takes to read so many entries,
  DRAIN_ENTRIES = 256,
  // so many times. Then it is the supervisor's turn, who has other things to look after in between.
  LOOK_ROUNDS = 4,
  SERVE_ROUNDS = 64,
};

static int reader__on_response(struct tsb_instance* instance, struct tsb_stub* stub, const struct tsb_entry* entry) {
  return tsb_answers_on_response(instance, stub, entry);
}

static int reader__on_settled(struct tsb_instance* instance, struct tsb_stub* stub, const struct tsb_entry* entry) {
  return tsb_answers_on_settled(instance, stub, entry);
}

static int reader__on_call(struct tsb_instance* instance, struct tsb_stub* stub, const struct tsb_entry* entry) {
  return tsb_calls_on_call(instance, stub, entry);
}

static int reader__on_call_cancel(struct tsb_instance* instance, struct tsb_stub* stub, const struct tsb_entry* entry) {
  (void)instance;
  return tsb_calls_on_cancel(stub, entry);
}

static int reader__on_free(struct tsb_instance* instance, struct tsb_stub* stub, const struct tsb_entry* entry) {
  (void)instance;
  return tsb_calls_on_free(stub, entry);
}

static int reader__on_metric(struct tsb_instance* instance, struct tsb_stub* stub, const struct tsb_entry* entry) {
  (void)instance;
  return tsb_metrics_on_entry(stub, entry);
}

// One function for each kind that the shim receives: who adds one to tsb_entry.def is told here what is missing.
static int (*const HANDLERS[])(struct tsb_instance* instance, struct tsb_stub* stub, const struct tsb_entry* entry) = {
#define FOR_STUB(number, handler)
#define FOR_SHIM(number, handler) [number] = handler,
#define TSB_ENTRY(name, lower, number, receiver, owner, place, text) FOR_##receiver(number, reader__on_##lower)
#define TSB_ENTRY_FLAG(kind, name, bit, text)
#define TSB_TABLE(name, number, text)
#include "tsb_entry.def"
};

static int reader__dispatch(struct tsb_instance* instance, struct tsb_stub* stub, const struct tsb_entry* entry) {
  if (entry->kind >= sizeof HANDLERS / sizeof *HANDLERS || HANDLERS[entry->kind] == NULL) return -EPROTO;
  return HANDLERS[entry->kind](instance, stub, entry);
}

int tsb_reader_drain(struct tsb_instance* instance, struct tsb_stub* stub) {
  struct tsb_entry entry;
  int status = 1;
  if (stub->broken) return -EPROTO;
  for (uint32_t count = 0; status > 0 && count < DRAIN_ENTRIES; count++) {
    status = tsb_ring_take(&stub->to_shim, &entry);
    if (status <= 0) break;
    status = reader__dispatch(instance, stub, &entry);
    if (status < 0) break;
    tsb_ring_release(&stub->to_shim);
    status = 1;
  }
  if (status < 0) {
    TSB_LOG(ERROR, "Stub process '%s' wrote something that breaks the protocol; it is stopped.", instance->name);
    stub->broken = true;
    tsb_stub_process_kill(&stub->process);
  }
  return status;
}

// The supervisor knows how the stub died, and has logged its last words, once the state is not RUNNING any more.
static void reader__fail_after_death(struct tsb_instance* instance, struct tsb_stub* stub) {
  char reason[sizeof instance->reason];
  pthread_mutex_lock(&instance->lock);
  while (instance->state == TSB_INSTANCE_RUNNING) pthread_cond_wait(&instance->changed, &instance->lock);
  memcpy(reason, instance->reason, sizeof reason);
  pthread_mutex_unlock(&instance->lock);
  tsb_answers_fail_all(instance, stub, reason);
}

// Sleeps until an answer or the stub's death. Returns whether it is dead.
static bool reader__sleep(struct tsb_stub* stub) {
  int wake_fd = stub->wake_shim_fds[TSB_WAKER_EXECUTE];
  struct pollfd items[] = {{.fd = wake_fd, .events = POLLIN}, {.fd = stub->process.pidfd, .events = POLLIN}};
  int ready = poll(items, 2, TSB_CHECK_CANCEL_MS);
  tsb_ring_awake(&stub->to_shim);
  if (items[0].revents != 0) tsb_ring_clear_wake(wake_fd);
  return ready > 0 && items[1].revents != 0;
}

// Looks whether anybody waits for the requests still, every TSB_CHECK_CANCEL_MS, also when entries come more often.
static void reader__look_at_requests(struct tsb_instance* instance, struct tsb_stub* stub, uint64_t* looked_ns) {
  uint64_t now = tsb_now_ns();
  if (now - *looked_ns < UINT64_C(1000000) * TSB_CHECK_CANCEL_MS) return;
  *looked_ns = now;
  tsb_cancels_look(instance, stub);
  tsb_time_limit_check(instance, stub);
  tsb_log_levels_tell(stub->memory.control);
}

// The stub's side need not wake the supervisor for what is in the ring: that is done here.
static void reader__wake_supervisor(struct tsb_stub* stub) {
  uint64_t one = 1;
  ssize_t written = write(stub->wake_shim_fds[TSB_WAKER_SUPERVISOR], &one, sizeof one);
  (void)written;  // a full counter wakes as well
}

// How many batches may be executing when Execute leaves.
static uint32_t reader__limit(const struct tsb_instance* instance) {
  return instance->concurrency + (instance->prefetches ? tsb_pace_prefetch(instance->compute_ns) : 0);
}

// The only thread that adds to them is the caller.
static uint32_t reader__executing(struct tsb_instance* instance) {
  pthread_mutex_lock(&instance->lock);
  uint32_t executing = instance->batches.executing_count;
  pthread_mutex_unlock(&instance->lock);
  return executing;
}

// From here on it is the supervisor's to look whether anybody waits for the requests that are open.
static void reader__hand_over(struct tsb_instance* instance) {
  pthread_mutex_lock(&instance->lock);
  if (instance->batches.open_count > 0) tsb_instance_tick(instance, TSB_TICKING_QUICKLY);
  pthread_mutex_unlock(&instance->lock);
}

bool tsb_reader_begin(struct tsb_instance* instance, struct tsb_stub* stub) {
  if (pthread_mutex_trylock(&instance->reading) != 0) return false;
  tsb_ring_awake(&stub->to_shim);  // an answer that comes from now on need not wake the supervisor
  return true;
}

static bool reader__wait_awake(struct tsb_instance* instance, struct tsb_stub* stub) {
  struct tsb_ring* ring = &stub->to_shim;
  bool is_sparse = tsb_pace_is_sparse(instance->at_once_share);
  struct tsb_open_calls_expected expected = tsb_open_calls_expect(&stub->calls);
  // What comes first of a model that calls others is the call, long before the answer.
  uint64_t call_ns = expected.call_ns > 0 ? expected.call_ns : expected.first_ns;
  uint64_t wait_ns =
      call_ns > 0 ? tsb_pace_for_call_ns(is_sparse, call_ns) : tsb_pace_for_answer_ns(is_sparse, instance->compute_ns);
  bool found = tsb_ring_wait_briefly(ring) || (wait_ns > 0 && tsb_ring_wait_yielding(ring, wait_ns));
  if (!found && expected.first_ns > 0) tsb_open_calls_note_no_first(&stub->calls);
  return found;
}

// Reads, until nothing is left or for a while; the supervisor will be woken for what comes next, or is. The caller
// holds `reading`.
static void reader__look_as_reader(struct tsb_instance* instance, struct tsb_stub* stub) {
  struct tsb_ring* ring = &stub->to_shim;
  tsb_store_seq_u32(&instance->look_wanted, 0);
  tsb_ring_awake(ring);
  for (uint32_t round = 0; round < LOOK_ROUNDS; round++) {
    int status = tsb_reader_drain(instance, stub);
    if (status < 0 || (status == 0 && tsb_ring_prepare_sleep(ring, TSB_WAKER_SUPERVISOR))) return;
  }
  reader__wake_supervisor(stub);
}

// An answer may come after the reader has asked for the supervisor to be woken and before it has let go: the supervisor
// is woken, finds the lock taken, and goes back to sleep. It says so in look_wanted, and whoever let go looks once
// more.
static void reader__let_go(struct tsb_instance* instance, struct tsb_stub* stub) {
  for (;;) {
    pthread_mutex_unlock(&instance->reading);
    tsb_fence_seq();  // pairs with the fence in tsb_reader_look
    if (tsb_load_seq_u32(&instance->look_wanted) == 0 || pthread_mutex_trylock(&instance->reading) != 0) return;
    reader__look_as_reader(instance, stub);
  }
}

void tsb_reader_serve(struct tsb_instance* instance, struct tsb_stub* stub, bool is_reader, uint64_t exec_start_ns) {
  struct tsb_ring* ring = &stub->to_shim;
  bool dead = false, broken = false;
  uint64_t looked_ns = exec_start_ns;
  if (!is_reader) pthread_mutex_lock(&instance->reading);
  // Who comes back at once has more requests waiting, and need not wait for this answer.
  bool at_once = exec_start_ns - instance->left_ns < TSB_PACE_AT_ONCE_NS;
  tsb_ring_awake(ring);
  tsb_open_calls_note_batch(&stub->calls, exec_start_ns);
  instance->at_once_share = tsb_pace_share(instance->at_once_share, at_once);
  for (uint32_t rounds = 0;;) {
    int status = tsb_reader_drain(instance, stub);
    broken = status < 0;
    if (broken || (dead && status == 0)) break;
    reader__look_at_requests(instance, stub, &looked_ns);
    uint32_t executing = reader__executing(instance);
    bool leaves = executing < reader__limit(instance);
    if (leaves && ++rounds > SERVE_ROUNDS) {
      reader__wake_supervisor(stub);
      break;
    }
    bool waits = executing > 0 && !(leaves && at_once);
    if (status > 0 || (waits && reader__wait_awake(instance, stub))) continue;
    if (!tsb_ring_prepare_sleep(ring, leaves ? TSB_WAKER_SUPERVISOR : TSB_WAKER_EXECUTE)) continue;
    if (leaves) break;
    dead = reader__sleep(stub);  // if so, once more around: it may have answered before it died
  }
  instance->left_ns = tsb_now_ns();
  reader__hand_over(instance);
  reader__let_go(instance, stub);
  if (dead || broken) reader__fail_after_death(instance, stub);
}

void tsb_reader_leave(struct tsb_instance* instance, struct tsb_stub* stub) {
  reader__look_as_reader(instance, stub);
  reader__let_go(instance, stub);
}

void tsb_reader_look(struct tsb_instance* instance, struct tsb_stub* stub) {
  tsb_ring_clear_wake(stub->wake_shim_fds[TSB_WAKER_SUPERVISOR]);
  tsb_store_seq_u32(&instance->look_wanted, 1);
  tsb_fence_seq();  // pairs with the fence in reader__let_go: it sees the wish, or this thread gets the lock
  if (pthread_mutex_trylock(&instance->reading) != 0) return;
  reader__look_as_reader(instance, stub);
  reader__let_go(instance, stub);
}
