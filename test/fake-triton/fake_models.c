// SPDX-License-Identifier: Apache-2.0
// The models of the fake server, as far as others ask for them.
#include <string.h>

#include "fake_triton.h"

TRITONSERVER_Error* (*fake_ask_instance)(void);

TRITONSERVER_Error* TRITONSERVER_ServerModelIsReady(TRITONSERVER_Server* server, const char* name, int64_t version,
                                                    bool* ready) {
  (void)server;
  if (strcmp(name, "refusing") == 0) return TRITONSERVER_ErrorNew(TRITONSERVER_ERROR_UNAVAILABLE, "Server not ready");
  if (fake_ask_instance != NULL) {  // as newer servers do
    TRITONSERVER_Error* error = fake_ask_instance();
    *ready = error == NULL;
    TRITONSERVER_ErrorDelete(error);
    return NULL;
  }
  *ready = strcmp(name, "ready") == 0 && (version == -1 || version == 2);
  return NULL;
}
