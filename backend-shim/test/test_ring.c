// SPDX-License-Identifier: Apache-2.0
// Both ends of a ring in one process: order, room, wake-ups, and words of the other end that cannot be true.
#include "ring.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "barrier.h"
#include "check.h"

struct fixture {
  struct tsb_ring_shared shared;
  struct tsb_entry entries[TSB_RING_CAPACITY];
  struct tsb_ring producer, consumer;
  int wake_fd;
};

static struct fixture* open_ring(void) {
  struct fixture* fixture = calloc(1, sizeof *fixture);
  CHECK(fixture != NULL);
  fixture->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  tsb_ring_init(&fixture->producer, &fixture->shared, fixture->entries, fixture->wake_fd);
  tsb_ring_init(&fixture->consumer, &fixture->shared, fixture->entries, fixture->wake_fd);
  return fixture;
}

static void close_ring(struct fixture* fixture) {
  close(fixture->wake_fd);
  free(fixture);
}

static uint64_t wakeups(struct fixture* fixture) {
  uint64_t count = 0;
  return read(fixture->wake_fd, &count, sizeof count) == sizeof count ? count : 0;
}

static void test_entries_come_in_order_and_only_when_published(void) {
  struct fixture* fixture = open_ring();
  struct tsb_entry entry = {.kind = TSB_ENTRY_EXECUTE}, taken;
  for (uint32_t i = 0; i < 3; i++) {
    entry.owner.item = i;
    CHECK_INT(tsb_ring_write(&fixture->producer, &entry), 0);
  }
  CHECK_INT(tsb_ring_take(&fixture->consumer, &taken), 0);
  CHECK(tsb_ring_is_empty(&fixture->consumer));
  tsb_ring_publish(&fixture->producer);
  CHECK(!tsb_ring_is_empty(&fixture->consumer));
  for (uint32_t i = 0; i < 3; i++) {
    CHECK_INT(tsb_ring_take(&fixture->consumer, &taken), 1);
    CHECK_INT(taken.owner.item, i);
  }
  CHECK_INT(tsb_ring_take(&fixture->consumer, &taken), 0);
  close_ring(fixture);
}

static void test_a_full_ring_says_so_until_it_is_released(void) {
  struct fixture* fixture = open_ring();
  struct tsb_entry entry = {0}, taken;
  uint64_t head;
  for (uint32_t i = 0; i < TSB_RING_CAPACITY; i++) CHECK_INT(tsb_ring_write(&fixture->producer, &entry), 0);
  CHECK_INT(tsb_ring_write(&fixture->producer, &entry), -ENOSPC);
  tsb_ring_publish(&fixture->producer);
  CHECK_INT(tsb_ring_take(&fixture->consumer, &taken), 1);
  CHECK_INT(tsb_ring_write(&fixture->producer, &entry), -ENOSPC);  // taken, but not released
  tsb_ring_release(&fixture->consumer);
  CHECK_INT(tsb_ring_consumed(&fixture->producer, &head), 0);
  CHECK_INT(head, 1);
  CHECK_INT(tsb_ring_write(&fixture->producer, &entry), 0);
  CHECK_INT(tsb_ring_write(&fixture->producer, &entry), -ENOSPC);
  close_ring(fixture);
}

static void test_positions_wrap(void) {
  struct fixture* fixture = open_ring();
  struct tsb_entry entry = {0}, taken;
  // Just before the 64-bit counters themselves run over.
  fixture->producer.position = fixture->consumer.position = UINT64_MAX - 1500;
  fixture->shared.tail = fixture->shared.head = UINT64_MAX - 1500;
  for (uint32_t i = 0; i < 5000; i++) {
    entry.owner.item = i;
    CHECK_INT(tsb_ring_write(&fixture->producer, &entry), 0);
    tsb_ring_publish(&fixture->producer);
    CHECK_INT(tsb_ring_take(&fixture->consumer, &taken), 1);
    CHECK_INT(taken.owner.item, i);
    tsb_ring_release(&fixture->consumer);
  }
  close_ring(fixture);
}

static void test_an_impossible_head_is_refused(void) {
  static const uint64_t HEADS[] = {11, 1000000, UINT64_MAX - 2000, UINT64_C(1) << 63};
  struct fixture* fixture = open_ring();
  struct tsb_entry entry = {0};
  uint64_t head;
  for (int i = 0; i < 10; i++) CHECK_INT(tsb_ring_write(&fixture->producer, &entry), 0);
  for (size_t i = 0; i < sizeof HEADS / sizeof HEADS[0]; i++) {
    fixture->shared.head = HEADS[i];
    CHECK_INT(tsb_ring_consumed(&fixture->producer, &head), -EPROTO);
    CHECK_INT(tsb_ring_write(&fixture->producer, &entry), -EPROTO);
  }
  CHECK_INT(fixture->producer.position, 10);
  close_ring(fixture);
}

static void test_an_impossible_tail_is_refused(void) {
  static const uint64_t TAILS[] = {TSB_RING_CAPACITY + 1, 1000000, UINT64_MAX, UINT64_C(1) << 63};
  struct fixture* fixture = open_ring();
  struct tsb_entry taken;
  for (size_t i = 0; i < sizeof TAILS / sizeof TAILS[0]; i++) {
    fixture->shared.tail = TAILS[i];
    CHECK_INT(tsb_ring_take(&fixture->consumer, &taken), -EPROTO);
  }
  CHECK_INT(fixture->consumer.position, 0);
  close_ring(fixture);
}

static void test_only_a_sleeping_consumer_is_woken(void) {
  struct fixture* fixture = open_ring();
  struct tsb_entry entry = {0}, taken;
  tsb_ring_write(&fixture->producer, &entry);
  tsb_ring_publish(&fixture->producer);
  CHECK_INT(wakeups(fixture), 0);
  CHECK_INT(tsb_ring_prepare_sleep(&fixture->consumer, 0), 0);  // something is there: it must not sleep
  CHECK_INT(fixture->shared.consumer_sleeps, 0);
  CHECK_INT(tsb_ring_take(&fixture->consumer, &taken), 1);
  CHECK_INT(tsb_ring_prepare_sleep(&fixture->consumer, 0), 1);
  CHECK_INT(fixture->shared.consumer_sleeps & TSB_SLEEP_WAKER, 1);
  for (int i = 0; i < 3; i++) tsb_ring_write(&fixture->producer, &entry);
  tsb_ring_publish(&fixture->producer);
  CHECK_INT(wakeups(fixture), 1);  // one for all three
  tsb_ring_awake(&fixture->consumer);
  tsb_ring_write(&fixture->producer, &entry);
  tsb_ring_publish(&fixture->producer);
  CHECK_INT(wakeups(fixture), 0);
  close_ring(fixture);
}

// Two threads may take turns as the consumer: the one that sleeps is the one that is woken.
static void test_the_waker_that_sleeps_is_woken(void) {
  struct fixture* fixture = open_ring();
  struct tsb_entry entry = {0};
  uint64_t count = 0;
  int second = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  fixture->producer.wake_fds[1] = second;
  CHECK_INT(tsb_ring_prepare_sleep(&fixture->consumer, 1), 1);
  CHECK_INT(fixture->shared.consumer_sleeps & TSB_SLEEP_WAKER, 2);
  tsb_ring_write(&fixture->producer, &entry);
  tsb_ring_publish(&fixture->producer);
  CHECK_INT(wakeups(fixture), 0);
  CHECK_INT(read(second, &count, sizeof count), sizeof count);
  fixture->shared.consumer_sleeps = 77;  // what is no number of a waker wakes the first one
  tsb_ring_write(&fixture->producer, &entry);
  tsb_ring_publish(&fixture->producer);
  CHECK_INT(wakeups(fixture), 1);
  close(second);
  close_ring(fixture);
}

static void test_a_sleep_is_ended_once(void) {
  struct fixture* fixture = open_ring();
  struct tsb_entry entry = {0}, taken;
  for (int i = 0; i < 3; i++) {
    CHECK_INT(tsb_ring_prepare_sleep(&fixture->consumer, 0), 1);
    for (int j = 0; j < 5; j++) {  // it does not run yet
      tsb_ring_write(&fixture->producer, &entry);
      tsb_ring_publish(&fixture->producer);
    }
    CHECK_INT(wakeups(fixture), 1);
    tsb_ring_awake(&fixture->consumer);
    for (int j = 0; j < 5; j++) CHECK_INT(tsb_ring_take(&fixture->consumer, &taken), 1);
    tsb_ring_release(&fixture->consumer);
  }
  close_ring(fixture);
}

static void test_waiting_while_giving_the_core_away(void) {
  struct fixture* fixture = open_ring();
  struct tsb_entry entry = {0};
  uint64_t begin = tsb_now_ns();
  CHECK_INT(tsb_ring_wait_yielding(&fixture->consumer, 300000), 0);
  CHECK(tsb_now_ns() - begin >= 300000);
  tsb_ring_write(&fixture->producer, &entry);
  tsb_ring_publish(&fixture->producer);
  CHECK_INT(tsb_ring_wait_yielding(&fixture->consumer, UINT64_C(60000000000)), 1);
  close_ring(fixture);
}

// Instead of the system's: somebody else computes on the core, and it comes back late.
static long yield_takes_ns;
static int yields;
int sched_yield(void) {
  struct timespec time = {.tv_nsec = yield_takes_ns};
  yields++;
  if (yield_takes_ns > 0) nanosleep(&time, NULL);
  return 0;
}

static int waits_without_a_yield(struct fixture* fixture) {
  int count = 0;
  for (yields = 0; count < 100000; count++) {
    CHECK_INT(tsb_ring_wait_yielding(&fixture->consumer, 10), 0);
    if (yields > 0) break;
  }
  return count;
}

// How many waits came before each yield: yields that take long at first, and two at the end that do not.
enum { LONG_YIELDS = 9, ALL_YIELDS = LONG_YIELDS + 2 };
static void count_waits(int counts[ALL_YIELDS]) {
  struct fixture* fixture = open_ring();
  for (int i = 0; i < ALL_YIELDS; i++) {
    yield_takes_ns = i < LONG_YIELDS ? 1000000 : 0;
    counts[i] = waits_without_a_yield(fixture);
  }
  close_ring(fixture);
}

static void test_a_core_that_somebody_computes_on_is_not_waited_on(void) {
  // Each time the core was away for long, it is tried less often, up to a limit; and at once when nobody computes on it
  // any more.
  static const int EXPECTED[ALL_YIELDS] = {0, 64, 128, 256, 512, 1024, 2048, 4096, 4096, 4096, 0};
  int counts[ALL_YIELDS];
  // Somebody may compute on this core indeed, just when a yield is meant to be short; hardly every time.
  for (int tries = 0; tries < 20; tries++) {
    count_waits(counts);
    if (memcmp(counts, EXPECTED, sizeof counts) == 0) return;
  }
  for (int i = 0; i < ALL_YIELDS; i++) CHECK_INT(counts[i], EXPECTED[i]);
}

static void test_waiting_briefly_ends(void) {
  struct fixture* fixture = open_ring();
  struct tsb_entry entry = {0}, taken;
  for (int i = 0; i < 500; i++) CHECK_INT(tsb_ring_wait_briefly(&fixture->consumer), 0);
  tsb_ring_write(&fixture->producer, &entry);
  tsb_ring_publish(&fixture->producer);
  CHECK_INT(tsb_ring_wait_briefly(&fixture->consumer), 1);
  CHECK_INT(tsb_ring_take(&fixture->consumer, &taken), 1);
  close_ring(fixture);
}

// Whether the system, or what emulates one, knows a read that does not block whatever the descriptor's flags are.
static bool knows_reads_that_never_block(int empty_fd) {
  uint64_t count;
  struct iovec part = {.iov_base = &count, .iov_len = sizeof count};
  return preadv2(empty_fd, &part, 1, -1, RWF_NOWAIT) < 0 && errno == EAGAIN;
}

// The stub shares the eventfd's description and may take O_NONBLOCK away; the shim must not block all the same.
static void test_clearing_never_blocks(void) {
  int wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  uint64_t one = 1;
  CHECK(wake_fd >= 0);
  bool never = knows_reads_that_never_block(wake_fd);
  CHECK_INT(write(wake_fd, &one, sizeof one), sizeof one);
  if (never) {
    CHECK_INT(fcntl(wake_fd, F_SETFL, 0), 0);
  } else {
    printf("not tried: that clearing does not block without O_NONBLOCK, as preadv2 with RWF_NOWAIT is refused here\n");
  }
  tsb_ring_clear_wake(wake_fd);
  tsb_ring_clear_wake(wake_fd);  // nothing is there: a blocking read would end in the test's time limit
  close(wake_fd);
}

// What a consumer has of the shim's eventfd: each wake-up is seen once, and nothing that it does with the descriptor
// makes the producer's next write block.
static void test_a_watch_gives_no_access_to_the_eventfd(void) {
  int wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), watch_fd = tsb_ring_open_watch(wake_fd);
  struct pollfd watch = {.fd = watch_fd, .events = POLLIN};
  uint64_t one = 1, full = UINT64_MAX - 1;
  CHECK(watch_fd >= 0);
  CHECK_INT(poll(&watch, 1, 0), 0);
  for (int i = 0; i < 3; i++) {
    CHECK_INT(write(wake_fd, &one, sizeof one), sizeof one);
    CHECK_INT(poll(&watch, 1, 0), 1);
    tsb_ring_clear_watch(watch_fd);
    CHECK_INT(poll(&watch, 1, 0), 0);
  }
  CHECK_INT(fcntl(watch_fd, F_SETFL, 0), 0);
  CHECK_INT(write(watch_fd, &full, sizeof full), -1);
  CHECK_INT(epoll_ctl(watch_fd, EPOLL_CTL_DEL, watch_fd, NULL), -1);
  CHECK((fcntl(wake_fd, F_GETFL) & O_NONBLOCK) != 0);
  tsb_ring_clear_watch(watch_fd);  // nothing is there
  CHECK_INT(write(wake_fd, &one, sizeof one), sizeof one);
  CHECK_INT(poll(&watch, 1, 0), 1);
  close(watch_fd);
  close(wake_fd);
}

int main(void) {
  test_clearing_never_blocks();
  test_a_watch_gives_no_access_to_the_eventfd();
  test_entries_come_in_order_and_only_when_published();
  test_a_full_ring_says_so_until_it_is_released();
  test_positions_wrap();
  test_an_impossible_head_is_refused();
  test_an_impossible_tail_is_refused();
  test_only_a_sleeping_consumer_is_woken();
  test_the_waker_that_sleeps_is_woken();
  test_a_sleep_is_ended_once();
  test_waiting_while_giving_the_core_away();
  test_a_core_that_somebody_computes_on_is_not_waited_on();
  test_waiting_briefly_ends();
  return 0;
}
