// SPDX-License-Identifier: Apache-2.0
// The models of the fake server, as far as others ask for them.
#include <string.h>

#include "fake_triton.h"

TRITONSERVER_Error* TRITONSERVER_ServerModelIsReady(TRITONSERVER_Server* server, const char* name, int64_t version,
                                                    bool* ready) {
  (void)server;
  if (strcmp(name, "refusing") == 0) return TRITONSERVER_ErrorNew(TRITONSERVER_ERROR_UNAVAILABLE, "Server not ready");
  *ready = strcmp(name, "ready") == 0 && (version == -1 || version == 2);
  return NULL;
}
