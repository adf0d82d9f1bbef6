// SPDX-License-Identifier: Apache-2.0
// Two real processes at the two ends of both rings, with one entry sent back for each that came: every order of working
// and sleeping, and no wake-up may be lost. A wake-up that is lost shows as a sleep that does not end.
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "region.h"
#include "ring.h"

enum { SLEEP_LIMIT_MS = 20000 };

struct pattern {
  const char* name;
  uint32_t count;
  uint32_t burst;          // entries published together, at most
  uint32_t in_flight;      // entries sent and not yet back, at most
  uint32_t host_pause_us;  // random pause before some bursts
  uint32_t echo_pause_us;  // random pause before some answers
  bool waits;
};

struct pair {
  struct tsb_region region;
  struct tsb_ring out, back;
  int wake_out, wake_back;
};

static void pause_up_to(uint32_t microseconds, uint64_t* state) {
  if (microseconds > 0 && check_random(state) % 4 == 0) usleep((useconds_t)(check_random(state) % microseconds));
}

// Waits until the ring has something.
static void wait_for(struct tsb_ring* ring, int wake_fd, bool waits, const char* who) {
  while (tsb_ring_is_empty(ring)) {
    uint64_t count;
    if (waits && tsb_ring_wait_briefly(ring)) return;
    if (!tsb_ring_prepare_sleep(ring, 0)) return;
    struct pollfd item = {.fd = wake_fd, .events = POLLIN};
    int ready = poll(&item, 1, SLEEP_LIMIT_MS);
    if (ready == 0) CHECK_FAIL("%s was not woken", who);
    tsb_ring_awake(ring);
    CHECK_INT(read(wake_fd, &count, sizeof count), sizeof count);
  }
}

static void write_entry(struct tsb_ring* ring, const struct tsb_entry* entry) {
  int status;
  while ((status = tsb_ring_write(ring, entry)) == -ENOSPC) {
    tsb_ring_publish(ring);
    usleep(50);
  }
  CHECK_INT(status, 0);
}

static struct tsb_entry entry_of(uint32_t number) {
  struct tsb_place place = {.region = number, .offset = (uint64_t)number << 20, .bytes = number};
  return (struct tsb_entry){.kind = TSB_ENTRY_EXECUTE,
                            .flags = ~number,
                            .owner = {number ^ 0xaaaa, number * 3, number ^ 0x5555, number},
                            .place = place};
}

static void echo(struct pair* pair, const struct pattern* pattern) {
  uint64_t state = 99;
  uint32_t done = 0;
  tsb_ring_prepare_sleep(&pair->out, 0);
  while (done < pattern->count) {
    struct tsb_entry entry;
    wait_for(&pair->out, pair->wake_out, pattern->waits, "the echo");
    while (tsb_ring_take(&pair->out, &entry) > 0) {
      tsb_ring_release(&pair->out);
      pause_up_to(pattern->echo_pause_us, &state);
      write_entry(&pair->back, &entry);
      done++;
    }
    tsb_ring_publish(&pair->back);
  }
}

static uint32_t take_back(struct pair* pair, uint32_t expected) {
  struct tsb_entry entry;
  int status;
  uint32_t taken = 0;
  while ((status = tsb_ring_take(&pair->back, &entry)) > 0) {
    struct tsb_entry wanted = entry_of(expected + taken);
    if (memcmp(&entry, &wanted, sizeof entry) != 0) {
      CHECK_FAIL("entry %u came back as %u", expected + taken, entry.owner.item);
    }
    tsb_ring_release(&pair->back);
    taken++;
  }
  CHECK_INT(status, 0);
  return taken;
}

static void drive(struct pair* pair, const struct pattern* pattern) {
  uint64_t state = 7;
  uint32_t sent = 0, back = 0;
  while (back < pattern->count) {
    uint32_t burst = 1 + (uint32_t)(check_random(&state) % pattern->burst);
    pause_up_to(pattern->host_pause_us, &state);
    for (uint32_t i = 0; i < burst && sent < pattern->count && sent - back < pattern->in_flight; i++) {
      struct tsb_entry entry = entry_of(sent++);
      write_entry(&pair->out, &entry);
    }
    tsb_ring_publish(&pair->out);
    back += take_back(pair, back);
    if (back < sent && (sent - back == pattern->in_flight || sent == pattern->count)) {
      wait_for(&pair->back, pair->wake_back, pattern->waits, "the host");
    }
  }
}

static void run(const struct pattern* pattern) {
  struct pair pair = {.wake_out = eventfd(0, EFD_NONBLOCK), .wake_back = eventfd(0, EFD_NONBLOCK)};
  CHECK_INT(tsb_region_create(&pair.region, 0, sizeof(struct tsb_control)), 0);
  struct tsb_control* control = (struct tsb_control*)pair.region.base;
  tsb_ring_init(&pair.out, &control->to_stub, control->to_stub_entries, pair.wake_out);
  tsb_ring_init(&pair.back, &control->to_shim, control->to_shim_entries, pair.wake_back);
  fprintf(stderr, "%s\n", pattern->name);
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    alarm(100);
    echo(&pair, pattern);
    _exit(0);
  }
  drive(&pair, pattern);
  int status;
  CHECK_INT(waitpid(child, &status, 0), child);
  CHECK_INT(status, 0);
  tsb_region_close(&pair.region);
  close(pair.wake_out);
  close(pair.wake_back);
}

int main(void) {
  static const struct pattern PATTERNS[] = {
      {"one at a time, asleep at once", 20000, 1, 1, 0, 0, false},
      {"one at a time, awake", 20000, 1, 1, 0, 0, true},
      {"full ring", 200000, 64, TSB_RING_CAPACITY * 2, 0, 0, false},
      {"bursts, awake", 100000, 300, 900, 0, 0, true},
      {"a slow host", 3000, 3, 8, 150, 0, false},
      {"a slow echo", 3000, 5, 8, 0, 150, false},
      {"both slow, awake", 3000, 4, 6, 60, 60, true},
      {"both slow, asleep at once", 3000, 2, 3, 30, 30, false},
  };
  for (size_t i = 0; i < sizeof PATTERNS / sizeof PATTERNS[0]; i++) run(&PATTERNS[i]);
  return 0;
}
