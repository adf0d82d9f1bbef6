// SPDX-License-Identifier: Apache-2.0
#include "open_calls.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "barrier.h"
#include "pace.h"
#include "tsb_protocol.h"

enum { FIRST_CAPACITY = 64 };

void tsb_open_calls_init(struct tsb_open_calls* calls) {
  *calls = (struct tsb_open_calls){0};
  pthread_mutex_init(&calls->lock, NULL);
}

void tsb_open_calls_destroy(struct tsb_open_calls* calls) {
  for (uint32_t i = 0; i < calls->used_answers; i++) free(calls->answers[i].blocks);
  free(calls->answers);
  free(calls->calls);
  pthread_mutex_destroy(&calls->lock);
}

// Makes room for index `index` of an array of items that begin as zeros.
static bool open_calls__reserve(void** items, uint32_t* capacity, uint32_t index, size_t item_bytes) {
  uint32_t larger = *capacity == 0 ? FIRST_CAPACITY : *capacity;
  if (index < *capacity) return true;
  while (larger <= index) larger *= 2;
  char* grown = calloc(larger, item_bytes);
  if (grown == NULL) return false;
  if (*capacity > 0) memcpy(grown, *items, *capacity * item_bytes);
  free(*items);
  *items = grown;
  *capacity = larger;
  return true;
}

static bool open_calls__is_name(const struct tsb_owner* owner) {
  return owner->table == TSB_TABLE_CALLS && owner->index < TSB_MAX_CALLS && owner->item == 0;
}

int tsb_open_calls_begin(struct tsb_open_calls* calls, const struct tsb_owner* owner, struct tsb_open_call** call) {
  int status = -ENOMEM;
  *call = NULL;
  if (!open_calls__is_name(owner)) return -EPROTO;
  pthread_mutex_lock(&calls->lock);
  if (owner->index < calls->capacity && calls->calls[owner->index] != NULL) {
    status = -EPROTO;
  } else if (open_calls__reserve((void**)&calls->calls, &calls->capacity, owner->index, sizeof(void*)) &&
             (*call = calloc(1, sizeof **call)) != NULL) {
    (*call)->owner = *owner;
    (*call)->began_ns = tsb_now_ns();
    calls->calls[owner->index] = *call;
    calls->count++;
    if (calls->batch_ns != 0) {
      calls->first_ns = tsb_pace_first_call_average(calls->first_ns, (*call)->began_ns - calls->batch_ns);
      calls->batch_ns = 0;
    }
    status = 0;
  }
  pthread_mutex_unlock(&calls->lock);
  return status;
}

void tsb_open_calls_end(struct tsb_open_calls* calls, struct tsb_open_call* call) {
  calls->calls[call->owner.index] = NULL;
  calls->count--;
  calls->copied_bytes -= call->copied_bytes;
  calls->call_ns = tsb_pace_first_average(calls->call_ns, tsb_now_ns() - call->began_ns);
}

void tsb_open_calls_note_batch(struct tsb_open_calls* calls, uint64_t now_ns) {
  if (calls->capacity == 0) return;  // it has never made a call: only this thread makes room
  pthread_mutex_lock(&calls->lock);
  // The batch before has made no call: a model that calls no more is soon not waited for.
  if (calls->batch_ns != 0 && calls->first_ns != 0) {
    calls->first_ns = tsb_pace_first_call_average(calls->first_ns, TSB_PACE_LATE_CALL_NS);
  }
  calls->batch_ns = now_ns;
  calls->waited_for_first = false;
  pthread_mutex_unlock(&calls->lock);
}

struct tsb_open_calls_expected tsb_open_calls_expect(struct tsb_open_calls* calls) {
  struct tsb_open_calls_expected expected = {0};
  if (calls->capacity == 0) return expected;  // only this thread makes room
  pthread_mutex_lock(&calls->lock);
  if (calls->count > 0) {
    expected.call_ns = calls->call_ns;
  } else if (calls->batch_ns != 0 && !calls->waited_for_first && calls->first_ns <= TSB_PACE_MAX_CALL_NS) {
    expected.first_ns = calls->first_ns;
  }
  pthread_mutex_unlock(&calls->lock);
  return expected;
}

void tsb_open_calls_note_no_first(struct tsb_open_calls* calls) {
  pthread_mutex_lock(&calls->lock);
  calls->waited_for_first = true;
  pthread_mutex_unlock(&calls->lock);
}

bool tsb_open_calls_reserve_copy(struct tsb_open_calls* calls, struct tsb_open_call* call, uint64_t bytes,
                                 uint64_t limit) {
  pthread_mutex_lock(&calls->lock);
  bool fits = calls->copied_bytes <= limit && bytes <= limit - calls->copied_bytes;
  if (fits) {
    calls->copied_bytes += bytes;
    call->copied_bytes += bytes;
  }
  pthread_mutex_unlock(&calls->lock);
  return fits;
}

void tsb_open_call_free(struct tsb_open_call* call) {
  if (call->request != NULL) {
    tsb_error_log(TRITONSERVER_InferenceRequestDelete(call->request), "TRITONSERVER_InferenceRequestDelete");
  }
  for (uint32_t i = 0; i < call->copy_count; i++) free(call->copies[i]);
  free(call->copies);
  free(call->blocks);
  free(call->model);
  free(call);
}

static void open_calls__give_up(struct tsb_open_call* call) {
  if (!call->was_sent || TRITONSERVER_InferenceRequestCancel == NULL) return;  // then it runs to its end
  tsb_error_log(TRITONSERVER_InferenceRequestCancel(call->request), "TRITONSERVER_InferenceRequestCancel");
}

int tsb_open_calls_cancel(struct tsb_open_calls* calls, const struct tsb_owner* owner) {
  if (!open_calls__is_name(owner)) return -EPROTO;
  pthread_mutex_lock(&calls->lock);
  struct tsb_open_call* call = owner->index < calls->capacity ? calls->calls[owner->index] : NULL;
  // A call that is over meanwhile is no fault of the stub's.
  if (call != NULL && call->owner.generation == owner->generation) open_calls__give_up(call);
  pthread_mutex_unlock(&calls->lock);
  return 0;
}

void tsb_open_calls_close(struct tsb_open_calls* calls) {
  pthread_mutex_lock(&calls->lock);
  calls->is_closed = true;
  for (uint32_t i = 0; i < calls->capacity; i++) {
    if (calls->calls[i] != NULL) open_calls__give_up(calls->calls[i]);
  }
  pthread_mutex_unlock(&calls->lock);
}

int tsb_open_calls_view(struct tsb_open_calls* calls, struct tsb_viewed_block* blocks, uint32_t count,
                        struct tsb_owner* owner) {
  uint32_t index = calls->first_free == 0 ? calls->used_answers : calls->first_free - 1;
  if (!open_calls__reserve((void**)&calls->answers, &calls->answer_capacity, index, sizeof *calls->answers)) {
    return -ENOMEM;
  }
  struct tsb_viewed_answer* answer = &calls->answers[index];
  if (calls->first_free == 0) {
    calls->used_answers++;
  } else {
    calls->first_free = answer->next_free;
  }
  answer->in_use = true;
  answer->generation++;
  answer->blocks = blocks;
  answer->count = count;
  *owner = (struct tsb_owner){.table = TSB_TABLE_ANSWERS, .index = index, .generation = answer->generation};
  return 0;
}

int tsb_open_calls_unview(struct tsb_open_calls* calls, const struct tsb_owner* owner, struct tsb_viewed_block** blocks,
                          uint32_t* count) {
  int status = -EPROTO;
  pthread_mutex_lock(&calls->lock);
  struct tsb_viewed_answer* answer = owner->index < calls->used_answers ? &calls->answers[owner->index] : NULL;
  if (owner->table == TSB_TABLE_ANSWERS && owner->item == 0 && answer != NULL && answer->in_use &&
      answer->generation == owner->generation) {
    *blocks = answer->blocks;
    *count = answer->count;
    answer->blocks = NULL;
    answer->in_use = false;
    answer->next_free = calls->first_free;
    calls->first_free = owner->index + 1;
    status = 0;
  }
  pthread_mutex_unlock(&calls->lock);
  return status;
}
