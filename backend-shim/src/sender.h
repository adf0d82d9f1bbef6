// SPDX-License-Identifier: Apache-2.0
// The sending side of a stub's control channel, for any thread: frames go out whole, one after the other.
#ifndef TSB_SENDER_H
#define TSB_SENDER_H

#include <pthread.h>

#include "channel.h"

struct tsb_sender {
  int socket;            // the channel's
  pthread_mutex_t lock;  // held while a frame is sent; nothing else is locked meanwhile
};

void tsb_sender_init(struct tsb_sender* sender, int socket);
// 0 or -errno. After an error the frame may have gone out in part: no later one can mend that, so the stub must go.
int tsb_sender_send(struct tsb_sender* sender, const struct tsb_outgoing* outgoing);
// Several frames of one thread share a deadline: each waits for room until then, or not at all.
uint64_t tsb_sender_deadline_ns(void);
int tsb_sender_send_by(struct tsb_sender* sender, const struct tsb_outgoing* outgoing, uint64_t deadline_ns);
void tsb_sender_destroy(struct tsb_sender* sender);

#endif
