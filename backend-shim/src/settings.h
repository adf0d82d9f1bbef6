// SPDX-License-Identifier: Apache-2.0
// What users set: `--backend-config=<backend>,KEY=VALUE` for all models, `parameters` of config.pbtxt for one.
#ifndef TSB_SETTINGS_H
#define TSB_SETTINGS_H

#include "json.h"
#include "error.h"

struct tsb_settings {
  int64_t shm_default_bytes;
  int64_t shm_growth_bytes;
  int64_t shm_max_bytes;
  int64_t shm_warm_bytes;
  int64_t stub_timeout_ms;        // from the start of the process to the end of the handshake
  int64_t initialize_timeout_ms;  // load and initialize; 0: none
  int64_t execute_timeout_ms;     // one batch; 0: none
  int64_t max_in_flight_batches;
  int64_t max_open_requests;  // of one instance
  int64_t heap_limit_mb;      // 0: Node's own
  int64_t restart_backoff_ms;
  bool map_client_memory;
  bool restart;
  bool metrics;             // the built-in ones
  bool expose_errors;       // may a client read what a model threw that is no TritonError?
  bool check_outputs;       // shapes of outputs, and whether all are there
  bool allow_node_path;     // may a model name its own Node binary?
  bool protect_memory;      // hide the memory of the server and of stubs from other processes of the same user
  char* node_path;          // NULL: found by backend.c
  char* environment;        // names that a stub gets besides the usual ones, see environment.h; NULL: none
  char* allow_environment;  // names that a model may ask for, besides those; NULL: none. Of the backend only
};

void tsb_settings_defaults(struct tsb_settings* settings);
// Reads the "cmdline" object of TRITONBACKEND_BackendConfig over what is there already.
TRITONSERVER_Error* tsb_settings_read_backend(struct tsb_settings* settings, const struct tsb_json* cmdline);
// Reads "parameters" of a model configuration over a copy of the backend's settings.
TRITONSERVER_Error* tsb_settings_read_model(struct tsb_settings* settings, const struct tsb_settings* backend,
                                            const struct tsb_json* config);
// Warns in the log of names in either that look like ours and are not. `model` is its name.
void tsb_settings_warn_backend(const struct tsb_json* cmdline);
void tsb_settings_warn_model(const char* model, const struct tsb_json* config);
void tsb_settings_free(struct tsb_settings* settings);

#endif
