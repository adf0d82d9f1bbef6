// SPDX-License-Identifier: Apache-2.0
// The input is a schedule of what the two ends of a ring do. The first byte says which of them are ours:
//
//   the producer, or the consumer   the other end writes what it likes: positions, sleep flags, entries. What our end
//                                   answers follows from its own position alone, and it touches nothing but its
//                                   entries.
//   both                            no entry and no wake-up is lost, whatever the order of steps
//   the outbox                      what was posted arrives whole and in order, also what the ring had no room for
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "fuzz.h"
#include "outbox.h"

enum { WAKERS = 2, MAX_STEPS = 2000, WAIT_NS = 2000 };

static struct tsb_ring_shared shared;
static struct tsb_entry* entries;  // exactly as many as there are: a sanitizer sees what lies beside them
static int wake_fds[WAKERS];
static int watch_fd;  // of the first of them

static void open_wakers(void) {
  if (entries == NULL) entries = malloc(TSB_RING_CAPACITY * sizeof *entries);
  if (wake_fds[0] == wake_fds[1]) {
    for (int i = 0; i < WAKERS; i++) {
      wake_fds[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
      CHECK(wake_fds[i] >= 0);
    }
    watch_fd = tsb_ring_open_watch(wake_fds[0]);
    CHECK(watch_fd >= 0);
  }
  for (int i = 0; i < WAKERS; i++) {
    CHECK_INT(fcntl(wake_fds[i], F_SETFL, O_NONBLOCK), 0);
    tsb_ring_clear_wake(wake_fds[i]);
  }
  tsb_ring_clear_watch(watch_fd);
  memset(&shared, 0, sizeof shared);
}

static bool is_readable(int fd) { return poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 0) > 0; }

static struct tsb_entry numbered(uint64_t number) {
  return (struct tsb_entry){.kind = (uint32_t)number, .flags = ~(uint32_t)number, .sent_ns = number};
}

static void check_numbered(const struct tsb_entry* entry, uint64_t number) {
  struct tsb_entry expected = numbered(number);
  CHECK_INT(memcmp(entry, &expected, sizeof expected), 0);
}

// A position as an enemy chooses it: near ours, or anything.
static uint64_t hostile_position(struct fuzz_input* input, uint64_t ours) {
  uint8_t choice = fuzz_u8(input);
  if (choice < 0x80) return ours + (uint64_t)(int64_t)(int8_t)(choice - 0x40);
  if (choice < 0xc0) return ours + (choice & 1 ? TSB_RING_CAPACITY : -TSB_RING_CAPACITY) + (choice >> 1 & 3) - 1;
  return fuzz_u64(input);
}

// The flags of an eventfd and its count belong to both ends.
static void harass_waker(uint8_t choice) {
  uint64_t full = UINT64_MAX - 1;
  CHECK_INT(fcntl(wake_fds[0], F_SETFL, O_NONBLOCK), 0);
  if ((choice & 1) != 0) CHECK(write(wake_fds[0], &full, sizeof full) > 0 || errno == EAGAIN);
  if ((choice & 2) != 0) CHECK_INT(fcntl(wake_fds[0], F_SETFL, 0), 0);
}

static void harass(struct fuzz_input* input, uint64_t ours) {
  switch (fuzz_u8(input) % 5) {
    case 0: shared.head = hostile_position(input, ours); break;
    case 1: shared.tail = hostile_position(input, ours); break;
    case 2: shared.consumer_sleeps = fuzz_u64(input); break;
    case 3: shared.consumer_sleeps = fuzz_u8(input); break;
    default: fuzz_bytes(input, &entries[fuzz_u16(input) % TSB_RING_CAPACITY], sizeof *entries);
  }
}

static void run_producer(struct fuzz_input* input) {
  struct tsb_ring ring;
  uint64_t written = 0;
  tsb_ring_init(&ring, &shared, entries, wake_fds[0]);
  if ((fuzz_u8(input) & 1) != 0) ring.wake_fds[1] = wake_fds[1];
  ring.position = written = fuzz_u64(input);
  for (int step = 0; step < MAX_STEPS && input->left > 0; step++) {
    uint64_t head, ahead = written - shared.head;
    struct tsb_entry entry = numbered(written);
    switch (fuzz_u8(input) % 3) {
      case 0: {
        int status = tsb_ring_write(&ring, &entry);
        CHECK_INT(status, ahead > TSB_RING_CAPACITY ? -EPROTO : ahead == TSB_RING_CAPACITY ? -ENOSPC : 0);
        if (status == 0) check_numbered(&entries[written++ % TSB_RING_CAPACITY], entry.sent_ns);
        CHECK_INT(ring.position, written);
        break;
      }
      case 1:
        tsb_ring_publish(&ring);
        CHECK_INT(shared.tail, written);
        CHECK_INT(tsb_ring_consumed(&ring, &head), ahead > TSB_RING_CAPACITY ? -EPROTO : 0);
        break;
      default: harass(input, written);
    }
  }
}

static void run_consumer(struct fuzz_input* input) {
  struct tsb_ring ring;
  struct tsb_entry entry;
  uint64_t taken;
  tsb_ring_init(&ring, &shared, entries, -1);
  ring.position = taken = fuzz_u64(input);
  for (int step = 0; step < MAX_STEPS && input->left > 0; step++) {
    uint64_t behind = shared.tail - taken;
    switch (fuzz_u8(input) % 10) {
      case 0: {
        struct tsb_entry expected = entries[taken % TSB_RING_CAPACITY];
        int status = tsb_ring_take(&ring, &entry);
        CHECK_INT(status, behind == 0 ? 0 : behind > TSB_RING_CAPACITY ? -EPROTO : 1);
        if (status == 1) {
          taken++;
          CHECK_INT(memcmp(&entry, &expected, sizeof entry), 0);
        }
        CHECK_INT(ring.position, taken);
        break;
      }
      case 1:
        tsb_ring_release(&ring);
        CHECK_INT(shared.head, taken);
        break;
      case 2: {
        int may_sleep = tsb_ring_prepare_sleep(&ring, step % WAKERS);
        CHECK_INT(may_sleep, behind == 0);
        CHECK_INT(may_sleep, shared.consumer_sleeps != 0);
        break;
      }
      case 3:
        tsb_ring_awake(&ring);
        CHECK_INT(shared.consumer_sleeps, 0);
        break;
      case 4: CHECK_INT(tsb_ring_is_empty(&ring), behind == 0); break;
      case 5: CHECK_INT(tsb_ring_wait_briefly(&ring), behind != 0); break;
      case 6: CHECK_INT(tsb_ring_wait_yielding(&ring, WAIT_NS), behind != 0); break;
      case 7:
        tsb_ring_clear_wake(wake_fds[0]);
        CHECK(!is_readable(wake_fds[0]));
        break;
      case 8: harass_waker(fuzz_u8(input)); break;
      default: harass(input, taken);
    }
  }
}

// Our two ends, and who of the two threads that take turns as the consumer sleeps.
struct pair {
  struct tsb_ring producer, consumer;
  uint64_t written, published, taken;
  int sleeper;    // -1: the consumer is awake
  bool is_watch;  // the consumer has a watch in the place of its first eventfd, as a stub has
};

static bool is_woken(const struct pair* pair) {
  return pair->sleeper >= 0 && is_readable(pair->is_watch ? watch_fd : wake_fds[pair->sleeper]);
}

static void check_pair(const struct pair* pair) {
  if (pair->sleeper >= 0 && pair->published > pair->taken && !is_woken(pair)) {
    CHECK_FAIL("%llu entries are there, and the consumer sleeps", (unsigned long long)(pair->published - pair->taken));
  }
}

static void take_some(struct pair* pair, unsigned count) {
  struct tsb_entry entry;
  while (count-- > 0) {
    int status = tsb_ring_take(&pair->consumer, &entry);
    CHECK_INT(status, pair->published > pair->taken);
    if (status == 0) return;
    check_numbered(&entry, pair->taken++);
  }
}

static void wake_up(struct pair* pair) {
  if (pair->is_watch) {
    tsb_ring_clear_watch(watch_fd);
  } else if (pair->sleeper >= 0) {
    tsb_ring_clear_wake(wake_fds[pair->sleeper]);
  }
  tsb_ring_awake(&pair->consumer);
  pair->sleeper = -1;
}

static void run_pair(struct fuzz_input* input) {
  struct pair pair = {.sleeper = -1, .is_watch = (fuzz_u8(input) & 1) != 0};
  int wakers = pair.is_watch ? 1 : WAKERS;
  tsb_ring_init(&pair.producer, &shared, entries, wake_fds[0]);
  tsb_ring_init(&pair.consumer, &shared, entries, -1);
  if (!pair.is_watch) pair.producer.wake_fds[1] = wake_fds[1];
  for (int step = 0; step < MAX_STEPS && input->left > 0; step++) {
    uint8_t choice = fuzz_u8(input), count = choice >> 3;
    switch (choice % 8) {
      case 0:
      case 1:
        for (unsigned i = 0; i < (choice % 8 == 0 ? count : count * 32u); i++) {
          struct tsb_entry entry = numbered(pair.written);
          if (tsb_ring_write(&pair.producer, &entry) == 0) pair.written++;
        }
        break;
      case 2:
        tsb_ring_publish(&pair.producer);
        pair.published = pair.written;
        break;
      case 3:
        if (pair.sleeper < 0) take_some(&pair, count + 1u);
        break;
      case 4: tsb_ring_release(&pair.consumer); break;
      case 5:
        if (pair.sleeper < 0 && tsb_ring_prepare_sleep(&pair.consumer, count % wakers)) pair.sleeper = count % wakers;
        break;
      case 6:
        if (is_woken(&pair)) wake_up(&pair);
        break;
      default:  // the other thread takes over, and leaves the sleeper's eventfd as it is
        tsb_ring_awake(&pair.consumer);
        pair.sleeper = -1;
    }
    check_pair(&pair);
  }
  wake_up(&pair);
  tsb_ring_publish(&pair.producer);
  pair.published = pair.written;
  take_some(&pair, 2 * TSB_RING_CAPACITY);
  CHECK_INT(pair.taken, pair.written);
}

static void run_outbox(struct fuzz_input* input) {
  static struct tsb_entry batch[256];
  struct pair pair = {.sleeper = -1};
  struct tsb_outbox outbox;
  uint64_t posted = 0;
  int status = 0;
  tsb_outbox_init(&outbox);
  CHECK_INT(tsb_outbox_open(&outbox, &shared, entries, wake_fds[0]), 0);
  tsb_ring_init(&pair.consumer, &shared, entries, -1);
  for (int step = 0; step < MAX_STEPS && input->left > 0 && status == 0; step++) {
    uint8_t choice = fuzz_u8(input), count = choice >> 2;
    switch (choice % 4) {
      case 0:
        for (unsigned i = 0; i < count * 4u; i++) batch[i] = numbered(posted++);
        status = tsb_outbox_post(&outbox, batch, count * 4u);
        break;
      case 1: status = tsb_outbox_flush(&outbox); break;
      case 2:
        pair.published = shared.tail;
        take_some(&pair, count * 8u);
        tsb_ring_release(&pair.consumer);
        break;
      default:
        if (count == 63) {  // a consumer that lies
          shared.head = hostile_position(input, outbox.ring.position);
          status = tsb_outbox_flush(&outbox);
          if (status == 0) status = 1;  // what it has lied about is lost to it
        }
    }
    CHECK(status >= 0 || status == -EPROTO);
  }
  while (status == 0 && pair.taken < posted) {
    CHECK_INT(tsb_outbox_flush(&outbox), 0);
    CHECK(shared.tail > pair.taken);
    pair.published = shared.tail;
    take_some(&pair, 2 * TSB_RING_CAPACITY);
    tsb_ring_release(&pair.consumer);
  }
  tsb_outbox_destroy(&outbox);
}

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static void (*const RUNS[])(struct fuzz_input* input) = {run_producer, run_consumer, run_pair, run_outbox};
  struct fuzz_input input = {data, size};
  open_wakers();
  RUNS[fuzz_u8(&input) % 4](&input);
  return 0;
}

void fuzz_seeds(fuzz_take take) {
  static const uint8_t SEEDS[][44] = {
      // The producer: two eventfds, position 0; writes, a sleeper, publishes, positions that lie.
      {0, 1, 0, 0, 0,    0, 0, 0, 0,    0, 0, 0, 2, 3,    2, 1, 2, 3,
       1, 1, 2, 0, 0x3f, 0, 2, 0, 0x90, 1, 0, 2, 0, 0xc0, 9, 9, 9},
      // The consumer: takes nothing, entries come, one is taken, all else is looked at.
      {1,    0, 0, 0, 0, 0, 0, 0, 0, 0, 9, 4, 7, 0, 1, 0, 0, 0,    9, 1,
       0x42, 4, 0, 2, 0, 1, 2, 3, 4, 8, 3, 7, 8, 2, 7, 9, 1, 0x91, 0},
      // Both, with a watch and without: write 3, publish, take, release, sleep, write, publish, wake up; the other
      // thread takes over.
      {2, 0, 24, 2, 27, 4, 5, 8, 2, 6, 0x0b, 4, 13, 8, 2, 7, 3, 5, 6, 0xf9, 2, 0xf9, 2, 0xfb, 4},
      {2, 1, 24, 2, 27, 4, 5, 8, 2, 6, 0x0b, 4, 13, 8, 2, 7, 3, 5, 6, 0xf9, 2, 0xf9, 2, 0xfb, 4},
      // The outbox: more than the ring holds, some are taken, flush.
      {3, 0xfc, 0xfc, 0xfc, 0xfc, 0xfc, 0xfc, 1, 0xfe, 1, 0xfe, 0x10, 0xfe, 1, 0xff, 0x41},
  };
  for (size_t i = 0; i < sizeof SEEDS / sizeof SEEDS[0]; i++) take(SEEDS[i], sizeof SEEDS[i]);
}
