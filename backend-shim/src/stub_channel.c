// SPDX-License-Identifier: Apache-2.0
#include "stub_channel.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "barrier.h"
#include "discard.h"
#include "error.h"
#include "log.h"

void tsb_stub_channel_init(struct tsb_stub_channel* channel, struct tsb_stub_memory* memory) {
  channel->socket = -1;
  channel->memory = memory;
  tsb_sender_init(&channel->sender, -1);
  pthread_mutex_init(&channel->lock, NULL);
}

int tsb_stub_channel_open(struct tsb_stub_channel* channel, int socket) {
  channel->socket = channel->sender.socket = socket;
  channel->shim_calls = tsb_shim_calls_new();
  if (channel->shim_calls == NULL) return -ENOMEM;
  tsb_shim_calls_open(channel->shim_calls, channel->memory->process, &channel->sender);
  return 0;
}

void tsb_stub_channel_forget_calls(struct tsb_stub_channel* channel) {
  tsb_shim_calls_close(channel->shim_calls);
  channel->shim_calls = NULL;
}

// What was sent and not read is closed with the socket, and may hold it up.
static void stub_channel__close(int socket) {
  char byte;
  shutdown(socket, SHUT_RDWR);  // nothing more comes
  if (recv(socket, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0) {
    tsb_discard(socket);
  } else {
    close(socket);
  }
}

void tsb_stub_channel_destroy(struct tsb_stub_channel* channel) {
  tsb_stub_channel_forget_calls(channel);
  if (channel->socket >= 0) stub_channel__close(channel->socket);
  tsb_sender_destroy(&channel->sender);
  pthread_mutex_destroy(&channel->lock);
}

static int stub_channel__on_region(struct tsb_stub_channel* channel, struct tsb_message* message) {
  return tsb_stub_memory_adopt(channel->memory, message);
}

static _Thread_local bool is_serving;

bool tsb_stub_channel_is_serving(void) { return is_serving; }

// All calls go to the service, whose list of methods is in shim_methods.c.
static int stub_channel__on_call(struct tsb_stub_channel* channel, struct tsb_message* message) {
  struct tsb_json_document document;
  struct tsb_shim_call* call;
  if (channel->service.serve == NULL || message->frame.payload_bytes > TSB_MAX_CALL_PAYLOAD_BYTES) return -EPROTO;
  if (!tsb_json_parse(&document, message->payload, message->frame.payload_bytes)) return -EPROTO;
  int status = document.root->type == TSB_JSON_OBJECT ? 0 : -EPROTO;
  if (status == 0) status = tsb_shim_calls_begin(channel->shim_calls, &message->frame, &call);
  if (status == 0) {
    call->stub = channel->service.stub;
    call->metrics = channel->metrics;
    is_serving = true;
    channel->service.serve(channel->service.context, call, document.root);
    is_serving = false;
  }
  tsb_json_free(&document);
  return status;
}

// One function for each method that the shim receives: who adds one to tsb_method.def is told here what is missing.
static int (*const HANDLERS[])(struct tsb_stub_channel* channel, struct tsb_message* message) = {
#define FOR_STUB_CALL(number, handler)
#define FOR_STUB_NOTICE(number, handler)
#define FOR_SHIM_CALL(number, handler) [number] = stub_channel__on_call,
#define FOR_SHIM_NOTICE(number, handler) [number] = handler,
#define FOR_BOTH_NOTICE(number, handler) [number] = handler,
#define TSB_METHOD(name, lower, number, receiver, form, text) FOR_##receiver##_##form(number, stub_channel__on_##lower)
#define TSB_METHOD_KEY(method, part, key)
#define TSB_FRAME_FLAG(name, bit, text)
#include "tsb_method.def"
};

static int stub_channel__on_reply(struct tsb_stub_channel* channel, struct tsb_message* message) {
  for (struct tsb_stub_call** at = &channel->calls; *at != NULL; at = &(*at)->next) {
    struct tsb_stub_call* call = *at;
    if (call->id != message->frame.call) continue;
    if (call->method != message->frame.method || call->replied) return -EPROTO;
    if (call->on_reply != NULL) {
      *at = call->next;
      return call->on_reply(call->context, message);
    }
    call->reply = *message;
    call->replied = true;
    tsb_shim_calls_note_step(channel->shim_calls, 0);  // what comes next was sent after it
    tsb_message_clear(message);                        // it is the call's
    return 0;
  }
  return -EPROTO;  // nobody asked
}

static int stub_channel__dispatch(struct tsb_stub_channel* channel, struct tsb_message* message) {
  uint32_t method = message->frame.method;
  bool is_reply = (message->frame.flags & TSB_FRAME_REPLY) != 0;
  // Each of them may cost a thread that closes it (discard.h), so nothing is read after the first that nobody wants.
  if (message->frame.descriptor_count > 0 && (is_reply || method != TSB_METHOD_REGION)) return -EPROTO;
  if (is_reply) return stub_channel__on_reply(channel, message);
  if (method >= sizeof HANDLERS / sizeof *HANDLERS || HANDLERS[method] == NULL) return -EPROTO;
  return HANDLERS[method](channel, message);
}

// What is there is read at once, however slowly it comes: a stub that has it come so slowly is none of ours.
enum { MAX_READ_MS = 5000 };

static int stub_channel__read(struct tsb_stub_channel* channel) {
  uint64_t end_ns = tsb_now_ns() + MAX_READ_MS * UINT64_C(1000000);
  for (;;) {
    struct tsb_message message;
    int status = tsb_channel_receive(channel->socket, &message, 0);
    if (status == -ETIMEDOUT) return 0;
    if (status == 0) return -EPIPE;
    if (status < 0) return status;
    status = stub_channel__dispatch(channel, &message);
    tsb_message_free(&message);
    if (status < 0) return status;
    if (tsb_now_ns() > end_ns) return -EPROTO;
  }
}

// Several threads may come here. The lock lasts until a frame is dealt with: a thread that finds the socket empty must
// also find the region that another one took out of it.
int tsb_stub_channel_read(struct tsb_stub_channel* channel) {
  pthread_mutex_lock(&channel->lock);
  if (channel->status == 0) {
    channel->status = stub_channel__read(channel);
    if (channel->status == -EMFILE) {
      TSB_LOG(ERROR, "Stub process '%s' is stopped, since what it sent could not be taken: %s.",
              channel->memory->process->name, tsb_error_reason(-EMFILE));
    }
  }
  int status = channel->status;
  pthread_mutex_unlock(&channel->lock);
  return status;
}

bool tsb_stub_channel_is_broken(struct tsb_stub_channel* channel) {
  pthread_mutex_lock(&channel->lock);
  bool broken = channel->status < 0;
  pthread_mutex_unlock(&channel->lock);
  return broken;
}

// The caller holds the lock. Returns the call's id.
static uint32_t stub_channel__begin(struct tsb_stub_channel* channel, struct tsb_stub_call* call, uint32_t method) {
  call->id = ++channel->last_id;
  call->method = method;
  call->replied = false;
  call->next = channel->calls;
  channel->calls = call;
  return call->id;
}

int tsb_stub_channel_call_later(struct tsb_stub_channel* channel, struct tsb_stub_call* call,
                                struct tsb_outgoing outgoing) {
  pthread_mutex_lock(&channel->lock);
  outgoing.call = stub_channel__begin(channel, call, outgoing.method);
  pthread_mutex_unlock(&channel->lock);
  int status = tsb_sender_send(&channel->sender, &outgoing);
  if (status < 0) tsb_stub_channel_end(channel, call);
  return status;
}

int tsb_stub_channel_call(struct tsb_stub_channel* channel, struct tsb_stub_call* call, struct tsb_outgoing outgoing) {
  pthread_mutex_lock(&channel->lock);
  call->on_reply = NULL;
  outgoing.call = stub_channel__begin(channel, call, outgoing.method);
  tsb_shim_calls_note_step(channel->shim_calls, call->method);
  pthread_mutex_unlock(&channel->lock);
  int status = tsb_sender_send(&channel->sender, &outgoing);
  if (status < 0) tsb_stub_channel_end(channel, call);
  return status;
}

int tsb_stub_channel_has_reply(struct tsb_stub_channel* channel, const struct tsb_stub_call* call) {
  pthread_mutex_lock(&channel->lock);
  int status = call->replied ? 1 : channel->status;
  pthread_mutex_unlock(&channel->lock);
  return status;
}

void tsb_stub_channel_end(struct tsb_stub_channel* channel, struct tsb_stub_call* call) {
  pthread_mutex_lock(&channel->lock);
  for (struct tsb_stub_call** at = &channel->calls; *at != NULL; at = &(*at)->next) {
    if (*at != call) continue;
    *at = call->next;
    break;
  }
  pthread_mutex_unlock(&channel->lock);
}
