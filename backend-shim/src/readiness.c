// SPDX-License-Identifier: Apache-2.0
#include "readiness.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "barrier.h"
#include "log.h"
#include "payload.h"

static const char LATE[] = "The model's isReady did not answer within 5 seconds, as its process is busy.";
static_assert(TSB_READINESS_SECONDS == 5, "as LATE says");

void tsb_readiness_init(struct tsb_readiness* readiness) {
  pthread_condattr_t attributes;
  *readiness = (struct tsb_readiness){0};
  pthread_mutex_init(&readiness->lock, NULL);
  pthread_condattr_init(&attributes);
  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  pthread_cond_init(&readiness->changed, &attributes);
  pthread_condattr_destroy(&attributes);
}

void tsb_readiness_destroy(struct tsb_readiness* readiness) {
  pthread_cond_destroy(&readiness->changed);
  pthread_mutex_destroy(&readiness->lock);
}

static void readiness__end(struct tsb_readiness* readiness, enum tsb_readiness_answer answer, const char* reason) {
  pthread_mutex_lock(&readiness->lock);
  if (readiness->is_open) {
    readiness->is_open = false;
    readiness->ended++;
    readiness->answer = answer;
    snprintf(readiness->reason, sizeof readiness->reason, "%s", reason);
    pthread_cond_broadcast(&readiness->changed);
  }
  pthread_mutex_unlock(&readiness->lock);
}

// On the thread that reads the channel. 0, or -EPROTO: no correct stub answers so.
static int readiness__on_reply(void* context, const struct tsb_message* reply) {
  struct tsb_readiness* readiness = context;
  struct tsb_json_document document;
  if (!tsb_json_parse(&document, reply->payload, reply->frame.payload_bytes)) return -EPROTO;
  const struct tsb_json* ready = tsb_payload_member(document.root, TSB_KEY_CHECK_READY_REPLY_ready);
  const char* reason = tsb_json_string(tsb_payload_member(document.root, TSB_KEY_CHECK_READY_REPLY_reason), "");
  int status = ready != NULL && ready->type == TSB_JSON_BOOL ? 0 : -EPROTO;
  if (status == 0) {
    bool is_ready = tsb_json_bool(ready, false);
    // A model that answers "no" need not be told of; one that does not answer as it should must be.
    if (!is_ready && reason[0] != '\0') TSB_LOG(WARN, "Instance '%s' is not ready: %s", readiness->name, reason);
    readiness__end(readiness, is_ready ? TSB_READINESS_YES : TSB_READINESS_NO, reason);
  }
  tsb_json_free(&document);
  return status;
}

uint64_t tsb_readiness_ask(struct tsb_readiness* readiness, struct tsb_stub_channel* channel) {
  pthread_mutex_lock(&readiness->lock);
  uint64_t ticket = readiness->ended;
  bool asks = !readiness->is_open;
  if (asks) {
    readiness->is_open = true;
    readiness->is_told = false;
    readiness->asked_ns = tsb_now_ns();
  }
  pthread_mutex_unlock(&readiness->lock);
  if (!asks) return ticket;
  readiness->question = (struct tsb_stub_call){.on_reply = readiness__on_reply, .context = readiness};
  struct tsb_outgoing outgoing = {.method = TSB_METHOD_CHECK_READY};
  if (tsb_stub_channel_call_later(channel, &readiness->question, outgoing) < 0) tsb_readiness_lose(readiness);
  return ticket;
}

enum tsb_readiness_answer tsb_readiness_wait(struct tsb_readiness* readiness, uint64_t ticket, char* reason) {
  enum tsb_readiness_answer answer = TSB_READINESS_LATE;
  int status = 0;
  pthread_mutex_lock(&readiness->lock);
  // For all who wait the time counts from when the question was asked: a model that does not answer holds up nobody
  // twice.
  uint64_t end_ns = readiness->asked_ns + TSB_READINESS_SECONDS * UINT64_C(1000000000);
  struct timespec end = {.tv_sec = (time_t)(end_ns / 1000000000), .tv_nsec = (long)(end_ns % 1000000000)};
  readiness->waiting++;
  while (readiness->ended == ticket && status != ETIMEDOUT) {
    status = pthread_cond_timedwait(&readiness->changed, &readiness->lock, &end);
  }
  readiness->waiting--;
  bool is_late = readiness->ended == ticket, tells = is_late && !readiness->is_told;
  if (is_late) readiness->is_told = true;
  if (!is_late) {
    answer = readiness->answer;
    memcpy(reason, readiness->reason, sizeof readiness->reason);
  }
  pthread_mutex_unlock(&readiness->lock);
  if (is_late) snprintf(reason, sizeof readiness->reason, "%s", LATE);
  if (tells) TSB_LOG(WARN, "Instance '%s' is not ready: %s", readiness->name, reason);
  return answer;
}

void tsb_readiness_lose(struct tsb_readiness* readiness) { readiness__end(readiness, TSB_READINESS_LOST, ""); }
