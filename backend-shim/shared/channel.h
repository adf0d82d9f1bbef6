// SPDX-License-Identifier: Apache-2.0
// The control channel: frames of JSON text and descriptors on a stream socket. Rare messages only; the request path
// goes through the rings.
#ifndef TSB_CHANNEL_H
#define TSB_CHANNEL_H

#include "tsb_protocol.h"

enum { TSB_CHANNEL_MAX_DESCRIPTORS = 4 };

struct tsb_message {
  struct tsb_frame frame;
  char* payload;  // frame.payload_bytes of text and a terminating zero; malloc'ed
  int descriptors[TSB_CHANNEL_MAX_DESCRIPTORS];
};

// A frame to be sent. What is left out is zero: a notice without payload, region and descriptors.
struct tsb_outgoing {
  uint32_t method;
  uint32_t flags;
  uint32_t call;
  uint32_t region;
  const char* payload;
  uint64_t payload_bytes;
  const int* descriptors;
  uint32_t descriptor_count;
};

// Sends a whole frame, waiting up to timeout_ms in all for room (-1: for ever). 0 or -errno (-EPIPE: the peer is gone).
// One thread at a time, or frames would be mixed.
int tsb_channel_send(int socket, const struct tsb_outgoing* outgoing, int timeout_ms);
// Receives a whole frame. 1: *message is filled, free it with tsb_message_free; 0: the peer closed the channel, maybe
// in the middle of a frame; -ETIMEDOUT: nothing came in timeout_ms; -EPROTO: what came is no frame.
int tsb_channel_receive(int socket, struct tsb_message* message, int timeout_ms);
// A message of nothing: no descriptors, no payload.
void tsb_message_clear(struct tsb_message* message);
// Closes the descriptors that were not taken (set a taken one to -1) and frees the payload.
void tsb_message_free(struct tsb_message* message);

#endif
