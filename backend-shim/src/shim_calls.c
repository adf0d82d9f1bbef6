// SPDX-License-Identifier: Apache-2.0
#include "shim_calls.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "log.h"

struct tsb_shim_calls {
  pthread_mutex_t lock;  // of all below; process-local; only the sender's lock is taken under it
  struct tsb_stub_process* process;
  struct tsb_sender* sender;  // NULL: the stub is gone
  struct tsb_shim_call* open;
  uint32_t count;
  uint32_t step;
  bool is_closed;
};

struct tsb_shim_calls* tsb_shim_calls_new(void) {
  struct tsb_shim_calls* calls = calloc(1, sizeof *calls);
  if (calls != NULL) pthread_mutex_init(&calls->lock, NULL);
  return calls;
}

void tsb_shim_calls_open(struct tsb_shim_calls* calls, struct tsb_stub_process* process, struct tsb_sender* sender) {
  calls->process = process;
  calls->sender = sender;
}

// The last one to leave, the stub or a call of it, takes the table along.
static void shim_calls__unlock(struct tsb_shim_calls* calls) {
  bool is_over = calls->is_closed && calls->count == 0;
  pthread_mutex_unlock(&calls->lock);
  if (!is_over) return;
  pthread_mutex_destroy(&calls->lock);
  free(calls);
}

void tsb_shim_calls_close(struct tsb_shim_calls* calls) {
  if (calls == NULL) return;
  pthread_mutex_lock(&calls->lock);
  calls->is_closed = true;
  calls->sender = NULL;
  calls->process = NULL;
  shim_calls__unlock(calls);
}

void tsb_shim_calls_note_step(struct tsb_shim_calls* calls, uint32_t step) {
  pthread_mutex_lock(&calls->lock);
  calls->step = step;
  pthread_mutex_unlock(&calls->lock);
}

static int shim_calls__check(const struct tsb_shim_calls* calls, uint32_t id) {
  if (id == 0 || calls->sender == NULL || calls->count == TSB_MAX_SHIM_CALLS) return -EPROTO;
  for (const struct tsb_shim_call* call = calls->open; call != NULL; call = call->next) {
    if (call->id == id) return -EPROTO;
  }
  return 0;
}

int tsb_shim_calls_begin(struct tsb_shim_calls* calls, const struct tsb_frame* frame, struct tsb_shim_call** result) {
  struct tsb_shim_call* call = calloc(1, sizeof *call);
  if (call == NULL) return -ENOMEM;
  pthread_mutex_lock(&calls->lock);
  int status = shim_calls__check(calls, frame->call);
  if (status == 0) {
    *call = (struct tsb_shim_call){
        .calls = calls, .next = calls->open, .id = frame->call, .method = frame->method, .step = calls->step};
    calls->open = call;
    calls->count++;
  }
  pthread_mutex_unlock(&calls->lock);
  if (status < 0) free(call);
  *result = call;
  return status;
}

// A stub whose call stays without its reply would wait for ever.
static void shim_calls__send(struct tsb_shim_calls* calls, const struct tsb_shim_call* call,
                             const struct tsb_text* payload) {
  struct tsb_outgoing reply = {.method = call->method,
                               .flags = TSB_FRAME_REPLY,
                               .call = call->id,
                               .payload = tsb_text_get(payload),
                               .payload_bytes = payload->length};
  int status = payload->failed ? -ENOMEM : tsb_sender_send(calls->sender, &reply);
  if (status == 0 || status == -EPIPE || status == -ECONNRESET) return;
  TSB_LOG(ERROR, "Stub process '%s' is stopped, since a call of it could not be replied to: %s.", calls->process->name,
          tsb_error_reason(status));
  tsb_stub_process_kill(calls->process);
}

void tsb_shim_call_reply(struct tsb_shim_call* call, const struct tsb_text* payload) {
  struct tsb_shim_calls* calls = call->calls;
  pthread_mutex_lock(&calls->lock);
  if (calls->sender != NULL) shim_calls__send(calls, call, payload);
  struct tsb_shim_call** at = &calls->open;
  while (*at != call) at = &(*at)->next;
  *at = call->next;
  calls->count--;
  shim_calls__unlock(calls);
  free(call);
}

void tsb_shim_call_fail(struct tsb_shim_call* call, TRITONSERVER_Error* error) {
  struct tsb_text payload = {0};
  tsb_payload_add_error(&payload, error);
  TRITONSERVER_ErrorDelete(error);
  tsb_shim_call_reply(call, &payload);
  tsb_text_free(&payload);
}
