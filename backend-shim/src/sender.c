// SPDX-License-Identifier: Apache-2.0
#include "sender.h"

// The socket has room: a stub reads its channel whenever it meets a region that it does not know.
enum { SEND_TIMEOUT_MS = 10000 };

void tsb_sender_init(struct tsb_sender* sender, int socket) {
  sender->socket = socket;
  pthread_mutex_init(&sender->lock, NULL);
}

int tsb_sender_send(struct tsb_sender* sender, const struct tsb_outgoing* outgoing) {
  pthread_mutex_lock(&sender->lock);
  int status = tsb_channel_send(sender->socket, outgoing, SEND_TIMEOUT_MS);
  pthread_mutex_unlock(&sender->lock);
  return status;
}

void tsb_sender_destroy(struct tsb_sender* sender) { pthread_mutex_destroy(&sender->lock); }
