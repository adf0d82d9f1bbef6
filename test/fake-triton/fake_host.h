// SPDX-License-Identifier: Apache-2.0
// A fake host: goes the way of a server through the library's entry points with one model of one instance.
#ifndef FAKE_HOST_H
#define FAKE_HOST_H

#include "fake_triton.h"

// The library's entry points, linked into the program or found in the loaded library.
struct fake_library {
  TRITONSERVER_Error* (*initialize)(TRITONBACKEND_Backend*);
  TRITONSERVER_Error* (*finalize)(TRITONBACKEND_Backend*);
  TRITONSERVER_Error* (*get_backend_attribute)(TRITONBACKEND_Backend*, TRITONBACKEND_BackendAttribute*);
  TRITONSERVER_Error* (*model_initialize)(TRITONBACKEND_Model*);
  TRITONSERVER_Error* (*model_finalize)(TRITONBACKEND_Model*);
  TRITONSERVER_Error* (*instance_initialize)(TRITONBACKEND_ModelInstance*);
  TRITONSERVER_Error* (*instance_finalize)(TRITONBACKEND_ModelInstance*);
  TRITONSERVER_Error* (*instance_execute)(TRITONBACKEND_ModelInstance*, TRITONBACKEND_Request**, uint32_t);
  TRITONSERVER_Error* (*instance_ready)(TRITONBACKEND_ModelInstance*);
};

static inline struct fake_library fake_library_linked(void) {
  return (struct fake_library){TRITONBACKEND_Initialize,
                               TRITONBACKEND_Finalize,
                               TRITONBACKEND_GetBackendAttribute,
                               TRITONBACKEND_ModelInitialize,
                               TRITONBACKEND_ModelFinalize,
                               TRITONBACKEND_ModelInstanceInitialize,
                               TRITONBACKEND_ModelInstanceFinalize,
                               TRITONBACKEND_ModelInstanceExecute,
                               TRITONBACKEND_ModelInstanceReady};
}

struct fake_host_plan {
  const char* options;            // members of the backend's "cmdline" object, "" for none
  const char* config;             // the model's configuration, JSON
  const char* repository;         // the model's folder
  const char* backend_name;       // NULL: "typescript"
  const char* backend_directory;  // NULL: "/"
  bool auto_complete;
  TRITONSERVER_InstanceGroupKind kind;  // 0: CPU
  int32_t device_id;
  bool pinned;  // the instance is initialized by a thread that may run on one processor only
};

struct fake_host {
  struct fake_library library;
  TRITONBACKEND_Backend backend;
  TRITONBACKEND_Model model;
  TRITONBACKEND_ModelInstance instance;
  int descriptors_before;
  long errors_before, messages_before;
};

// Goes through backend, model and instance. NULL, or the first error (with the name of the step in *step); what was
// initialized before is finalized then.
TRITONSERVER_Error* fake_host_load(struct fake_host* host, struct fake_library library,
                                   const struct fake_host_plan* plan, const char** step);
// Hands a batch over; the requests are answered now or later, as the library likes.
void fake_host_execute(struct fake_host* host, TRITONBACKEND_Request** requests, uint32_t count);
void fake_host_unload(struct fake_host* host);
// After unload (or a failed load): no child process, no descriptor, no error, message or response is left. A sentence
// says what is; NULL: nothing.
const char* fake_host_leftover(const struct fake_host* host);

// Bytes of a file, 0 without one.
long fake_host_file_bytes(const char* path);
int fake_open_descriptors(void);
bool fake_has_children(void);
// Ids of the child processes; returns how many there are.
int fake_children(int* pids, int capacity);
// True once the log has `part`; waits for it.
bool fake_log_wait(const char* part, int timeout_ms);

#endif
