// SPDX-License-Identifier: Apache-2.0
// Entries on their way to a stub: the only writer of the ring to it, for any thread. What the ring has no room for
// waits here, in order, and follows as the stub takes entries.
#ifndef TSB_OUTBOX_H
#define TSB_OUTBOX_H

#include <pthread.h>

#include "ring.h"

struct tsb_outbox {
  int timer_fd;               // ticks while something waits: call tsb_outbox_flush then
  pthread_mutex_t lock;       // of all below; process-local; nothing else is locked meanwhile
  struct tsb_ring ring;       // producer
  struct tsb_entry* waiting;  // a circular queue
  uint32_t first, count, capacity;
};

void tsb_outbox_init(struct tsb_outbox* outbox);
// Takes the ring, before there is a second thread. 0 or -errno.
int tsb_outbox_open(struct tsb_outbox* outbox, struct tsb_ring_shared* shared, struct tsb_entry* entries, int wake_fd);
void tsb_outbox_destroy(struct tsb_outbox* outbox);
// Sends entries, with one wake-up at most. Never waits for the stub. 0; -EPROTO: the stub lies about what it has taken;
// -ENOMEM. After an error the stub must go: no entry may be lost.
int tsb_outbox_post(struct tsb_outbox* outbox, const struct tsb_entry* entries, uint32_t count);
// Sends what waits, as far as there is room. Returns as above.
int tsb_outbox_flush(struct tsb_outbox* outbox);
// How many entries were posted, ever, whether they wait or not, and how many of them the stub has taken. 0 or -EPROTO.
int tsb_outbox_progress(struct tsb_outbox* outbox, uint64_t* posted, uint64_t* taken);

#endif
