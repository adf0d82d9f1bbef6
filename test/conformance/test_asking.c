// SPDX-License-Identifier: Apache-2.0
// A model on Node asks the server over the control channel, from its construction to its finalize: the model itself
// checks the answers (models/asking).
#include "check.h"
#include "fake_host.h"
#include "fake_models.h"

static struct fake_host host;

int main(void) {
  const char* step;
  struct fake_host_plan plan = {.options =
                                    "\"shm-default-byte-size\":\"1048576\",\"shm-max-byte-size\":\"8388608\","
                                    "\"stub-timeout-seconds\":\"300\"",  // Node may be emulated
                                .config = "{\"name\":\"fake_model\",\"max_batch_size\":0,\"input\":[],\"output\":[]}",
                                .repository = ASKING_MODEL};
  setenv("TRITON_TYPESCRIPT_RUNTIME", RUNTIME, 1);
  for (int round = 0; round < 3; round++) {
    TRITONSERVER_Error* error = fake_host_load(&host, fake_library_linked(), &plan, &step);
    if (error != NULL) CHECK_FAIL("loading failed in step '%s': %s", step, TRITONSERVER_ErrorMessage(error));
    fake_host_unload(&host);
    CHECK(fake_log_has("asked until the end"));
    CHECK_INT(fake_live_errors(), 0);
    CHECK_INT(fake_live_messages(), 0);
    CHECK_INT(fake_live_parameters(), 0);
    fake_log_clear();
  }
  return 0;
}
