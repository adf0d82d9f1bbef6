// SPDX-License-Identifier: Apache-2.0
// One end of a single-producer single-consumer ring of entries, with sleep and wake.
// Each end keeps its own position in private memory: what the other process writes is only ever compared, never
// trusted.
#ifndef TSB_RING_H
#define TSB_RING_H

#include "pace.h"
#include "tsb_protocol.h"

struct tsb_ring {
  struct tsb_ring_shared* shared;
  struct tsb_entry* entries;
  uint32_t mask;
  // Eventfds that the producer writes; the second is -1 unless two threads take turns as the consumer (the shim's
  // side). The one to the stub is the shim's alone, see tsb_ring_open_watch.
  int wake_fds[2];
  uint64_t position;  // producer: entries written (published or not); consumer: entries taken
  // consumer: how often it has slept; producer: the value of consumer_sleeps that it wrote an eventfd for
  uint64_t sleeps;
  struct tsb_pace_patience brief, yielding;  // consumer: of its two ways to wait awake
};

// A consumer needs no wake_fd.
void tsb_ring_init(struct tsb_ring* ring, struct tsb_ring_shared* shared, struct tsb_entry* entries, int wake_fd);

// A watch: what a consumer polls in the place of an eventfd that stays with the producer. A write to an eventfd blocks
// when whoever shares it has made it blocking and full, and no flag of the call prevents that; a watch gives no access
// to it. Returns a descriptor for the consumer, or -errno.
int tsb_ring_open_watch(int wake_fd);
// Consumer: takes what its watch has to say. Never blocks.
void tsb_ring_clear_watch(int watch_fd);

// Producer. Entries are written first and published together, so that a batch costs one wake-up at most.
// -ENOSPC: full now; -EPROTO: the consumer's head is impossible.
int tsb_ring_write(struct tsb_ring* ring, const struct tsb_entry* entry);
void tsb_ring_publish(struct tsb_ring* ring);
// Producer: how far the consumer is. Returns -EPROTO when that is impossible.
int tsb_ring_consumed(const struct tsb_ring* ring, uint64_t* head);

// Consumer. 1: *entry is a private copy, now call tsb_ring_release once its place has been read; 0: empty;
// -EPROTO: the producer's tail is impossible.
int tsb_ring_take(struct tsb_ring* ring, struct tsb_entry* entry);
void tsb_ring_release(struct tsb_ring* ring);  // all that was taken so far belongs to the producer again
int tsb_ring_is_empty(const struct tsb_ring* ring);

// Consumer: waits awake for a moment (TSB_PACE_BRIEF_NS). Returns 1 when there is something to take.
int tsb_ring_wait_briefly(struct tsb_ring* ring);
// Consumer: waits awake for so long, and gives the core away meanwhile to whoever wants it: for one that has nothing
// else to do than to wait. Where somebody wants the core for long it is better to sleep, as one that is woken up comes
// before one that waits awake; then most calls return at once. Returns as above.
int tsb_ring_wait_yielding(struct tsb_ring* ring, uint64_t wait_ns);
// Consumer: asks to be woken through wake_fds[waker]. Returns 1 when it may sleep, 0 when something came in the
// meantime (then do not sleep).
int tsb_ring_prepare_sleep(struct tsb_ring* ring, int waker);
void tsb_ring_awake(struct tsb_ring* ring);
// Consumer: takes the count of its eventfd. Never blocks, whatever the other process made of the descriptor's flags.
void tsb_ring_clear_wake(int wake_fd);

#endif
