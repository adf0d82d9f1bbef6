// SPDX-License-Identifier: Apache-2.0
// A model on Node asks the server over the control channel, from its construction to its finalize: the model itself
// checks the answers (models/asking).
#include "check.h"
#include "fake_models.h"
#include "node_model.h"

static struct fake_host host;

int main(void) {
  for (int round = 0; round < 3; round++) {
    node_model_load(&host, ASKING_MODEL);
    fake_host_unload(&host);
    CHECK(fake_log_has("asked until the end"));
    CHECK_INT(fake_live_errors(), 0);
    CHECK_INT(fake_live_messages(), 0);
    CHECK_INT(fake_live_parameters(), 0);
    fake_log_clear();
  }
  return 0;
}
