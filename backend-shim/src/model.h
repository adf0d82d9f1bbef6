// SPDX-License-Identifier: Apache-2.0
// State of one version of one model: its configuration, and the stub that read its file first.
#ifndef TSB_MODEL_H
#define TSB_MODEL_H

#include "backend.h"
#include "io_table.h"
#include "placement.h"
#include "stub.h"

struct tsb_model {
  TRITONBACKEND_Model* triton;
  struct tsb_backend* backend;
  char* name;
  uint64_t version;
  char* directory;    // of the model; its version folder is below
  char* config_json;  // complete
  int64_t max_batch_size;
  bool one_instance;        // the configuration asks for a single one
  bool may_prefetch;        // nothing is lost when the instance takes a batch before it has answered the one before
  bool caches;              // the server keeps its responses (response_cache)
  bool has_open_shapes;     // its class says that outputs may have other shapes than those of the configuration
  char* correlation_input;  // the control input that carries the id of a sequence, see correlation.h; NULL: none
  bool is_decoupled;        // any number of responses for each request, instead of one
  bool is_iterative;        // a request may be handed back to the scheduler, to come again (iterative_sequence)
  struct tsb_settings settings;
  struct tsb_shim_service service;  // for the calls of its stubs
  struct tsb_io_table inputs, outputs;
  pthread_mutex_t first_stub_lock;
  struct tsb_stub* first_stub;  // loaded the model file and completed the configuration; the first instance takes it
  struct tsb_placement first_stub_placement;
};

TRITONSERVER_Error* tsb_model_new(struct tsb_model** model, TRITONBACKEND_Model* triton);
void tsb_model_delete(struct tsb_model* model);

// For which instance a stub is.
struct tsb_model_stub_plan {
  const char* name;
  const char* visible_devices;  // CUDA_VISIBLE_DEVICES, NULL: as the server's
  int stop_fd;                  // see stub.h
};

// A stub with the model file loaded. Reuses the first one where that is possible. The process may run where the calling
// thread may: the server has pinned that of an instance.
TRITONSERVER_Error* tsb_model_take_stub(struct tsb_model* model, const struct tsb_model_stub_plan* plan,
                                        struct tsb_stub** stub);

#endif
