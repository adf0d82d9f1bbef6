// SPDX-License-Identifier: Apache-2.0
// Gives memory that native libraries have freed back to the system when the model has been idle for a while. glibc
// keeps it otherwise: after one large picture, an ONNX Runtime process holds some 400 MB that it does not use.
#ifndef TSB_IDLE_TRIM_H
#define TSB_IDLE_TRIM_H

#include <uv.h>

// What the model is at when it has had no work for a while.
enum tsb_idle {
  TSB_IDLE_NOTHING,
  TSB_IDLE_OPEN,  // it may leave garbage still, without any more work
  TSB_IDLE_WORK,
};

struct tsb_idle_trim {
  // Runs while there was work since the last trim, or requests are open; does not keep the loop alive.
  uv_timer_t timer;
  uv_work_t work;
  uint64_t last_work_ms;
  int trimming;
  // Called first: JavaScript lets go of what it does not use, unless the model is at work.
  enum tsb_idle (*before)(void* context);
  void* context;
};

int tsb_idle_trim_init(struct tsb_idle_trim* trim, uv_loop_t* loop, enum tsb_idle (*before)(void* context),
                       void* context);
// The model has work. Cheap: to be called for each batch.
void tsb_idle_trim_note_work(struct tsb_idle_trim* trim);

#endif
