// SPDX-License-Identifier: Apache-2.0
// Entries to a stub: in order, none lost, from any thread, also when the ring is full for a while.
#include "outbox.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "barrier.h"
#include "check.h"

enum { WRITERS = 4, EACH = 5000 };

static struct tsb_ring_shared shared;
static struct tsb_entry entries[TSB_RING_CAPACITY];
static struct tsb_outbox outbox;
static struct tsb_ring consumer;
static int wake_fd;

static void begin(void) {
  shared = (struct tsb_ring_shared){0};
  wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  tsb_outbox_init(&outbox);
  CHECK_INT(tsb_outbox_open(&outbox, &shared, entries, wake_fd), 0);
  tsb_ring_init(&consumer, &shared, entries, -1);
}

static void end(void) {
  tsb_outbox_destroy(&outbox);
  close(wake_fd);
}

static struct tsb_entry entry_of(uint32_t writer, uint32_t number) {
  return (struct tsb_entry){.kind = TSB_ENTRY_EXECUTE, .owner = {.table = writer, .index = number}};
}

static void post(uint32_t first, uint32_t count) {
  for (uint32_t i = 0; i < count; i++) {
    struct tsb_entry entry = entry_of(0, first + i);
    CHECK_INT(tsb_outbox_post(&outbox, &entry, 1), 0);
  }
}

static uint32_t take(uint32_t first, uint32_t most) {
  struct tsb_entry entry;
  uint32_t taken = 0;
  while (taken < most && tsb_ring_take(&consumer, &entry) > 0) {
    CHECK_INT(entry.owner.index, first + taken);
    taken++;
  }
  tsb_ring_release(&consumer);
  return taken;
}

static bool ticks(int timeout_ms) {
  struct pollfd item = {.fd = outbox.timer_fd, .events = POLLIN};
  return poll(&item, 1, timeout_ms) > 0;
}

static void test_what_does_not_fit_follows_in_order(void) {
  enum { COUNT = TSB_RING_CAPACITY + 300 };
  begin();
  CHECK(!ticks(0));
  post(0, COUNT);
  CHECK_INT(outbox.count, 300);
  CHECK(ticks(10000));
  CHECK_INT(tsb_outbox_flush(&outbox), 0);  // still no room
  CHECK_INT(outbox.count, 300);
  CHECK_INT(take(0, 100), 100);
  post(COUNT, 1);  // takes its place behind those that wait
  CHECK_INT(outbox.count, 201);
  CHECK_INT(take(100, UINT32_MAX), TSB_RING_CAPACITY);
  CHECK(ticks(10000));
  CHECK_INT(tsb_outbox_flush(&outbox), 0);
  CHECK_INT(take(100 + TSB_RING_CAPACITY, UINT32_MAX), 201);
  CHECK_INT(outbox.count, 0);
  while (ticks(0)) CHECK_INT(tsb_outbox_flush(&outbox), 0);
  CHECK(!ticks(5));  // nothing waits: it is quiet
  post(COUNT + 1, 3);
  CHECK_INT(take(COUNT + 1, UINT32_MAX), 3);
  end();
}

static void test_a_consumer_that_lies(void) {
  begin();
  post(0, 3);
  tsb_store_seq_u64(&shared.head, UINT64_C(1) << 40);
  struct tsb_entry entry = entry_of(0, 3);
  CHECK_INT(tsb_outbox_post(&outbox, &entry, 1), -EPROTO);
  end();
}

static void* write_many(void* argument) {
  uint32_t writer = (uint32_t)(uintptr_t)argument;
  for (uint32_t i = 0; i < EACH; i += 5) {
    struct tsb_entry batch[5];
    for (uint32_t j = 0; j < 5; j++) batch[j] = entry_of(writer, i + j);
    CHECK_INT(tsb_outbox_post(&outbox, batch, 5), 0);
  }
  return NULL;
}

static void test_many_threads(void) {
  pthread_t threads[WRITERS];
  uint32_t next[WRITERS] = {0}, total = 0;
  begin();
  for (uintptr_t i = 0; i < WRITERS; i++) CHECK_INT(pthread_create(&threads[i], NULL, write_many, (void*)i), 0);
  while (total < WRITERS * EACH) {
    struct tsb_entry entry;
    if (ticks(0)) CHECK_INT(tsb_outbox_flush(&outbox), 0);
    if (tsb_ring_take(&consumer, &entry) <= 0) {
      usleep(100);
      continue;
    }
    tsb_ring_release(&consumer);
    CHECK(entry.owner.table < WRITERS);
    CHECK_INT(entry.owner.index, next[entry.owner.table]++);
    total++;
  }
  for (int i = 0; i < WRITERS; i++) pthread_join(threads[i], NULL);
  CHECK_INT(outbox.count, 0);
  end();
}

int main(void) {
  test_what_does_not_fit_follows_in_order();
  test_a_consumer_that_lies();
  test_many_threads();
  return 0;
}
