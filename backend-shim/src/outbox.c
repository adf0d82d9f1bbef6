// SPDX-License-Identifier: Apache-2.0
#include "outbox.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <unistd.h>

// How soon it is looked for room again. A full ring is some 1000 entries of work ahead of the stub.
enum { RETRY_NS = 1000000 };

void tsb_outbox_init(struct tsb_outbox* outbox) {
  *outbox = (struct tsb_outbox){.timer_fd = -1};
  pthread_mutex_init(&outbox->lock, NULL);
}

int tsb_outbox_open(struct tsb_outbox* outbox, struct tsb_ring_shared* shared, struct tsb_entry* entries, int wake_fd) {
  tsb_ring_init(&outbox->ring, shared, entries, wake_fd);
  outbox->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
  return outbox->timer_fd < 0 ? -errno : 0;
}

void tsb_outbox_destroy(struct tsb_outbox* outbox) {
  if (outbox->timer_fd >= 0) close(outbox->timer_fd);
  pthread_mutex_destroy(&outbox->lock);
  free(outbox->waiting);
}

static void outbox__tick(struct tsb_outbox* outbox, long interval_ns) {
  struct timespec interval = {.tv_nsec = interval_ns};
  timerfd_settime(outbox->timer_fd, 0, &(struct itimerspec){.it_interval = interval, .it_value = interval}, NULL);
}

static int outbox__keep(struct tsb_outbox* outbox, const struct tsb_entry* entry) {
  if (outbox->count == outbox->capacity) {
    uint32_t capacity = outbox->capacity == 0 ? 64 : outbox->capacity * 2;
    struct tsb_entry* larger = malloc(capacity * sizeof *larger);
    if (larger == NULL) return -ENOMEM;
    for (uint32_t i = 0; i < outbox->count; i++) {
      larger[i] = outbox->waiting[(outbox->first + i) % outbox->capacity];
    }
    free(outbox->waiting);
    outbox->waiting = larger;
    outbox->first = 0;
    outbox->capacity = capacity;
  }
  if (outbox->count == 0) outbox__tick(outbox, RETRY_NS);
  outbox->waiting[(outbox->first + outbox->count++) % outbox->capacity] = *entry;
  return 0;
}

// Moves what waits into the ring. 0 or -EPROTO; the caller publishes.
static int outbox__move(struct tsb_outbox* outbox) {
  if (outbox->count == 0) return 0;
  while (outbox->count > 0) {
    int status = tsb_ring_write(&outbox->ring, &outbox->waiting[outbox->first]);
    if (status == -ENOSPC) return 0;
    if (status < 0) return status;
    outbox->first = (outbox->first + 1) % outbox->capacity;
    outbox->count--;
  }
  outbox__tick(outbox, 0);
  return 0;
}

int tsb_outbox_post(struct tsb_outbox* outbox, const struct tsb_entry* entries, uint32_t count) {
  pthread_mutex_lock(&outbox->lock);
  int status = outbox__move(outbox);
  for (uint32_t i = 0; i < count && status == 0; i++) {
    // What waits goes first.
    status = outbox->count > 0 ? -ENOSPC : tsb_ring_write(&outbox->ring, &entries[i]);
    if (status == -ENOSPC) status = outbox__keep(outbox, &entries[i]);
  }
  if (status == 0) tsb_ring_publish(&outbox->ring);
  pthread_mutex_unlock(&outbox->lock);
  return status;
}

int tsb_outbox_flush(struct tsb_outbox* outbox) {
  uint64_t ticks;
  ssize_t got = read(outbox->timer_fd, &ticks, sizeof ticks);
  (void)got;  // EAGAIN: another thread's post has moved all of it meanwhile
  return tsb_outbox_post(outbox, NULL, 0);
}

int tsb_outbox_progress(struct tsb_outbox* outbox, uint64_t* posted, uint64_t* taken) {
  pthread_mutex_lock(&outbox->lock);
  *posted = outbox->ring.position + outbox->count;
  int status = tsb_ring_consumed(&outbox->ring, taken);
  pthread_mutex_unlock(&outbox->lock);
  return status;
}
