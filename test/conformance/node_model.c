// SPDX-License-Identifier: Apache-2.0
#include "node_model.h"

#include <stdlib.h>

#include "check.h"

void node_model_load(struct fake_host* host, const char* folder) {
  const char* step;
  struct fake_host_plan plan = {.options =
                                    "\"shm-default-byte-size\":\"1048576\",\"shm-max-byte-size\":\"8388608\","
                                    "\"stub-timeout-seconds\":\"300\"",  // Node may be emulated
                                .config = "{\"name\":\"fake_model\",\"max_batch_size\":0,\"input\":[],\"output\":[]}",
                                .repository = folder};
  setenv("TRITON_TYPESCRIPT_RUNTIME", RUNTIME, 1);
  TRITONSERVER_Error* error = fake_host_load(host, fake_library_linked(), &plan, &step);
  if (error != NULL) CHECK_FAIL("loading failed in step '%s': %s", step, TRITONSERVER_ErrorMessage(error));
}
