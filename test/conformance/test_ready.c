// SPDX-License-Identifier: Apache-2.0
// A model on Node is asked whether it is ready, by the entry point that newer servers call (models/ready).
#include "check.h"
#include "node_model.h"

static struct fake_host host;

static TRITONSERVER_Error* ask(void) { return host.library.instance_ready(&host.instance); }

// NULL: it is ready.
static void expect(const char* says) {
  TRITONSERVER_Error* error = ask();
  CHECK_INT(error == NULL, says == NULL);
  if (error == NULL) return;
  CHECK_CONTAINS(TRITONSERVER_ErrorMessage(error), says);
  TRITONSERVER_ErrorDelete(error);
}

int main(void) {
  static const char NO[] = "The model's isReady says that instance 'fake_model_0' is not ready.";
  node_model_load(&host, READY_MODEL);
  expect(NULL);
  expect(NO);
  expect(NULL);
  expect(NO);
  expect("Instance 'fake_model_0' is not ready: The model's isReady failed: Error: no database");
  expect("The model's isReady must give true or false, but gave a string.");
  expect(NULL);
  // The model asks the server for itself meanwhile, on the thread that is to read its answer.
  fake_ask_instance = ask;
  expect(NULL);
  CHECK(fake_log_has("W Instance 'fake_model_0' is not ready: The model's isReady failed: Error: no database"));
  fake_host_unload(&host);
  CHECK_INT(fake_live_errors(), 0);
  return 0;
}
