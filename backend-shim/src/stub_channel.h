// SPDX-License-Identifier: Apache-2.0
// The shim's end of a stub's control channel: calls of the stub by id, and a dispatcher for all that the stub sends, in
// use from the first frame to the last. What a handler does must be short: it runs on the thread that reads answers or
// on the one that supervises, so nothing in it may wait for the server (the load of a model needs a thread of its own).
#ifndef TSB_STUB_CHANNEL_H
#define TSB_STUB_CHANNEL_H

#include "shim_calls.h"
#include "stub_memory.h"

// A call that waits for its reply; stands on the stack of the thread that waits. That thread runs the loop of
// stub_events.h meanwhile, and no other one reads the channel: nobody would wake it for a reply that was taken out of
// the socket.
struct tsb_stub_call {
  uint32_t id;
  uint32_t method;
  bool replied;
  struct tsb_message reply;
  struct tsb_stub_call* next;
  // Of a call that no thread waits for: takes the reply on the thread that reads the channel, under its lock, and ends
  // the call. 0, or -EPROTO.
  int (*on_reply)(void* context, const struct tsb_message* reply);
  void* context;
};

struct tsb_stub_channel {
  int socket;
  struct tsb_sender sender;
  struct tsb_stub_memory* memory;
  struct tsb_shim_service service;    // for the calls of the stub
  struct tsb_shim_calls* shim_calls;  // those that are open
  struct tsb_metric_table* metrics;   // of the stub, for its calls
  pthread_mutex_t lock;               // of reading, and of all below; process-local; taken before the memory's lock
  int status;                         // negative: broken, nothing is read any more. -EPIPE: the stub closed it
  uint32_t last_id;
  struct tsb_stub_call* calls;
};

void tsb_stub_channel_init(struct tsb_stub_channel* channel, struct tsb_stub_memory* memory);
// Takes the socket, before there is a second thread. 0 or -ENOMEM.
int tsb_stub_channel_open(struct tsb_stub_channel* channel, int socket);
// The calls of the stub that are open get no reply any more; before its process is destroyed, and with no reader left.
void tsb_stub_channel_forget_calls(struct tsb_stub_channel* channel);
void tsb_stub_channel_destroy(struct tsb_stub_channel* channel);
// Whether nothing more can be read.
bool tsb_stub_channel_is_broken(struct tsb_stub_channel* channel);
// Deals with all frames that are there. 0, or the channel's status.
int tsb_stub_channel_read(struct tsb_stub_channel* channel);
// Sends a call; method, payload and descriptors are the caller's. 0 or negative, then there is no call to end.
int tsb_stub_channel_call(struct tsb_stub_channel* channel, struct tsb_stub_call* call, struct tsb_outgoing outgoing);
// The same for a call whose reply a function takes; the caller sets that and its context. The call stays where it is
// until then, or until the channel is destroyed.
int tsb_stub_channel_call_later(struct tsb_stub_channel* channel, struct tsb_stub_call* call,
                                struct tsb_outgoing outgoing);
// Whether this thread deals with a call of a stub at the moment, and so must not wait for another one, nor for itself.
bool tsb_stub_channel_is_serving(void);
// 1: the reply is there; 0: not yet; negative: the channel is broken and it will never come.
int tsb_stub_channel_has_reply(struct tsb_stub_channel* channel, const struct tsb_stub_call* call);
// The caller waits no more. call->reply is its own if call->replied.
void tsb_stub_channel_end(struct tsb_stub_channel* channel, struct tsb_stub_call* call);

#endif
