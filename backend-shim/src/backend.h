// SPDX-License-Identifier: Apache-2.0
// State of one backend: its options and where the runtime of its stubs is. The library may serve several backends at
// once (`typescript` and TypeScript-based ones, by links of other names), so nothing of this is static.
#ifndef TSB_BACKEND_H
#define TSB_BACKEND_H

#include <pthread.h>

#include "model_waits.h"
#include "settings.h"
#include "shim_calls.h"
#include "workers.h"

struct tsb_instance;  // instance_state.h

struct tsb_backend {
  char* name;
  char* directory;           // with model.ts for a TypeScript-based backend
  char* options_json;        // the "cmdline" object of the backend configuration
  char* entry;               // the stub's main.js
  char* node;                // the Node binary, unless a model names its own
  int maps_fd;               // see mapping.h; negative: nothing is lent
  bool is_typescript_based;  // another name than "typescript": `directory` holds the model file
  struct tsb_settings settings;
  void (*serve)(void* model, struct tsb_shim_call* call, const struct tsb_json* payload);  // see shim_methods.h
  TRITONSERVER_ResponseAllocator* allocator;                                               // of calls, see calls.h
  struct tsb_workers workers;    // for what models ask of the server that takes long, see model_control.h
  struct tsb_model_waits waits;  // of these
  pthread_mutex_t calls_lock;
  pthread_cond_t calls_changed;
  uint32_t open_calls;             // of all models, and buffers of their answers that the server has; under calls_lock
  pthread_mutex_t instances_lock;  // taken before any lock of an instance
  struct tsb_instance* instances;  // all that are loaded, by next_of_backend; see tsb_instance_enlist
};

TRITONSERVER_Error* tsb_backend_new(struct tsb_backend** backend, TRITONBACKEND_Backend* triton);
void tsb_backend_delete(struct tsb_backend* backend);
// A call of another model, or a buffer for its answer, has come (1) or gone (-1): the server may call back while any is
// there.
void tsb_backend_count_calls(struct tsb_backend* backend, int change);
// Waits until none is there.
void tsb_backend_wait_for_calls(struct tsb_backend* backend);

#endif
