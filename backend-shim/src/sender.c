// SPDX-License-Identifier: Apache-2.0
#include "sender.h"

#include "barrier.h"

// The socket has room: a stub reads its channel whenever it meets a region that it does not know.
enum { SEND_TIMEOUT_MS = 10000 };

void tsb_sender_init(struct tsb_sender* sender, int socket) {
  sender->socket = socket;
  pthread_mutex_init(&sender->lock, NULL);
}

uint64_t tsb_sender_deadline_ns(void) { return tsb_now_ns() + SEND_TIMEOUT_MS * UINT64_C(1000000); }

int tsb_sender_send(struct tsb_sender* sender, const struct tsb_outgoing* outgoing) {
  return tsb_sender_send_by(sender, outgoing, tsb_sender_deadline_ns());
}

int tsb_sender_send_by(struct tsb_sender* sender, const struct tsb_outgoing* outgoing, uint64_t deadline_ns) {
  pthread_mutex_lock(&sender->lock);
  uint64_t now = tsb_now_ns();
  int left_ms = deadline_ns > now ? (int)((deadline_ns - now + 999999) / 1000000) : 0;
  int status = tsb_channel_send(sender->socket, outgoing, left_ms);
  pthread_mutex_unlock(&sender->lock);
  return status;
}

void tsb_sender_destroy(struct tsb_sender* sender) { pthread_mutex_destroy(&sender->lock); }
