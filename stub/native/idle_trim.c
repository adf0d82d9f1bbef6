// SPDX-License-Identifier: Apache-2.0
#include "idle_trim.h"

#include <malloc.h>

// Long, since touching memory again that was given back costs more than the trim itself.
enum { IDLE_MS = 10000 };

static void idle_trim__run(uv_work_t* work) {
  (void)work;
  malloc_trim(0);  // on a thread of the pool: it takes tens of milliseconds where there is much to give back
}

static void idle_trim__done(uv_work_t* work, int status) {
  struct tsb_idle_trim* trim = work->data;
  (void)status;
  trim->trimming = 0;
}

static void idle_trim__on_timer(uv_timer_t* timer) {
  struct tsb_idle_trim* trim = timer->data;
  uint64_t idle_ms = uv_now(timer->loop) - trim->last_work_ms;
  if (idle_ms < IDLE_MS) {
    uv_timer_start(timer, idle_trim__on_timer, IDLE_MS - idle_ms, 0);
    return;
  }
  enum tsb_idle idle = trim->before(trim->context);
  if (idle != TSB_IDLE_NOTHING) uv_timer_start(timer, idle_trim__on_timer, IDLE_MS, 0);
  if (idle != TSB_IDLE_WORK && !trim->trimming) {
    trim->trimming = uv_queue_work(timer->loop, &trim->work, idle_trim__run, idle_trim__done) == 0;
  }
}

int tsb_idle_trim_init(struct tsb_idle_trim* trim, uv_loop_t* loop, enum tsb_idle (*before)(void* context),
                       void* context) {
  trim->trimming = 0;
  trim->before = before;
  trim->context = context;
  trim->timer.data = trim->work.data = trim;
  int status = uv_timer_init(loop, &trim->timer);
  if (status == 0) uv_unref((uv_handle_t*)&trim->timer);
  return status;
}

void tsb_idle_trim_note_work(struct tsb_idle_trim* trim) {
  trim->last_work_ms = uv_now(trim->timer.loop);
  if (!uv_is_active((uv_handle_t*)&trim->timer)) uv_timer_start(&trim->timer, idle_trim__on_timer, IDLE_MS, 0);
}
