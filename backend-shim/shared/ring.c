// SPDX-License-Identifier: Apache-2.0
#include "ring.h"

#include <errno.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/uio.h>
#include <unistd.h>

#include "barrier.h"

enum { LOOKS_PER_CLOCK_READ = 32 };

void tsb_ring_init(struct tsb_ring* ring, struct tsb_ring_shared* shared, struct tsb_entry* entries, int wake_fd) {
  *ring =
      (struct tsb_ring){.shared = shared, .entries = entries, .mask = TSB_RING_CAPACITY - 1, .wake_fds = {wake_fd, -1}};
}

int tsb_ring_open_watch(int wake_fd) {
  int watch_fd = epoll_create1(EPOLL_CLOEXEC);
  if (watch_fd < 0) return -errno;
  // Nobody reads the eventfd: each write to it is one event, whatever its count is by now.
  struct epoll_event event = {.events = EPOLLIN | EPOLLET};
  if (epoll_ctl(watch_fd, EPOLL_CTL_ADD, wake_fd, &event) == 0) return watch_fd;
  int status = -errno;
  close(watch_fd);
  return status;
}

void tsb_ring_clear_watch(int watch_fd) {
  struct epoll_event event;
  int count = epoll_wait(watch_fd, &event, 1, 0);
  (void)count;  // 0: woken by somebody else
}

int tsb_ring_consumed(const struct tsb_ring* ring, uint64_t* head) {
  // Pairs with the release store in tsb_ring_release: what the consumer read is done being read.
  uint64_t seen = tsb_load_acquire_u64(&ring->shared->head);
  if (ring->position - seen > (uint64_t)ring->mask + 1) return -EPROTO;
  *head = seen;
  return 0;
}

int tsb_ring_write(struct tsb_ring* ring, const struct tsb_entry* entry) {
  uint64_t head;
  int status = tsb_ring_consumed(ring, &head);
  if (status < 0) return status;
  if (ring->position - head > ring->mask) return -ENOSPC;
  ring->entries[ring->position & ring->mask] = *entry;
  ring->position++;
  return 0;
}

void tsb_ring_publish(struct tsb_ring* ring) {
  // Store tail, then load consumer_sleeps; the consumer stores consumer_sleeps, then loads tail. In one total order at
  // least one of the two sees the other's store, so no wake-up is lost.
  tsb_store_seq_u64(&ring->shared->tail, ring->position);
  uint64_t sleeps = tsb_load_seq_u64(&ring->shared->consumer_sleeps);
  // Of one sleep it is woken once, however much is published until it runs: it then reads all of it.
  if (sleeps == 0 || sleeps == ring->sleeps) return;
  ring->sleeps = sleeps;
  uint64_t one = 1;
  uint32_t waker = (sleeps & TSB_SLEEP_WAKER) == 2 && ring->wake_fds[1] >= 0 ? 1 : 0;
  ssize_t written = write(ring->wake_fds[waker], &one, sizeof one);
  (void)written;  // only fails when the counter is full, and then the consumer is awake for certain
}

int tsb_ring_take(struct tsb_ring* ring, struct tsb_entry* entry) {
  // Pairs with the store of tail in tsb_ring_publish: the entry and what it points at are visible.
  uint64_t tail = tsb_load_acquire_u64(&ring->shared->tail);
  if (tail == ring->position) return 0;
  if (tail - ring->position > (uint64_t)ring->mask + 1) return -EPROTO;
  tsb_copy_out(entry, &ring->entries[ring->position & ring->mask], sizeof *entry);
  ring->position++;
  return 1;
}

void tsb_ring_release(struct tsb_ring* ring) { tsb_store_release_u64(&ring->shared->head, ring->position); }

int tsb_ring_is_empty(const struct tsb_ring* ring) {
  return tsb_load_acquire_u64(&ring->shared->tail) == ring->position;
}

// Looks for less than a microsecond.
static int ring__look(const struct tsb_ring* ring) {
  for (int i = 0; i < LOOKS_PER_CLOCK_READ; i++) {
    if (!tsb_ring_is_empty(ring)) return 1;
    tsb_cpu_relax();
  }
  return 0;
}

int tsb_ring_wait_briefly(struct tsb_ring* ring) {
  if (!tsb_ring_is_empty(ring)) return 1;
  if (!tsb_pace_may_wait(&ring->brief)) return 0;
  int found = 0;
  uint64_t end = tsb_now_ns() + TSB_PACE_BRIEF_NS;
  do {
    found = ring__look(ring);
  } while (!found && tsb_now_ns() < end);
  tsb_pace_note_brief(&ring->brief, found);
  return found;
}

int tsb_ring_wait_yielding(struct tsb_ring* ring, uint64_t wait_ns) {
  if (!tsb_ring_is_empty(ring)) return 1;
  if (!tsb_pace_may_wait(&ring->yielding)) return 0;
  uint64_t now = tsb_now_ns(), end = now + wait_ns;
  while (now < end) {
    if (ring__look(ring)) {
      tsb_pace_note_found(&ring->yielding);
      return 1;
    }
    // The producer may have been woken on this very core: let it run. Where nobody waits for the core this returns at
    // once.
    uint64_t before = tsb_now_ns();
    sched_yield();
    now = tsb_now_ns();
    if (now - before < TSB_PACE_LOST_CORE_NS) continue;
    tsb_pace_note_lost_core(&ring->yielding);
    break;
  }
  return !tsb_ring_is_empty(ring);
}

int tsb_ring_prepare_sleep(struct tsb_ring* ring, int waker) {
  ring->sleeps += TSB_SLEEP_WAKER + 1;
  tsb_store_seq_u64(&ring->shared->consumer_sleeps, ring->sleeps | ((uint64_t)waker + 1));
  if (tsb_load_seq_u64(&ring->shared->tail) == ring->position) return 1;  // see tsb_ring_publish
  tsb_store_seq_u64(&ring->shared->consumer_sleeps, 0);
  return 0;
}

void tsb_ring_awake(struct tsb_ring* ring) { tsb_store_seq_u64(&ring->shared->consumer_sleeps, 0); }

void tsb_ring_clear_wake(int wake_fd) {
  uint64_t count;
  struct iovec part = {.iov_base = &count, .iov_len = sizeof count};
  // O_NONBLOCK belongs to the description that both processes share, so the other one could take it away. RWF_NOWAIT is
  // this call's own; where the system does not know it for eventfds, O_NONBLOCK must do.
  ssize_t got = preadv2(wake_fd, &part, 1, -1, RWF_NOWAIT);
  if (got < 0 && (errno == EOPNOTSUPP || errno == ENOSYS || errno == EINVAL)) got = read(wake_fd, &count, sizeof count);
  (void)got;  // EAGAIN: an earlier read took the count
}
