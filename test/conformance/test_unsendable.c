// SPDX-License-Identifier: Apache-2.0
// A call that a model on Node makes goes to the server by itself when JavaScript returns (models/calling). Where it
// cannot, as the ring is broken, the process ends and says why.
#include "barrier.h"
#include "check.h"
#include "fake_host.h"
#include "instance_state.h"

enum { WAIT_MS = 60000 };

static struct fake_host host;
static TRITONBACKEND_Request request;

static void send(void) {
  TRITONBACKEND_Request* batch[] = {&request};
  fake_request_clear(&request);
  fake_host_execute(&host, batch, 1);
  CHECK(fake_request_wait(&request, WAIT_MS));
}

// More entries are read than were ever written.
static void break_ring(void) {
  struct tsb_instance* instance = host.instance.state;
  pthread_mutex_lock(&instance->lock);
  tsb_store_seq_u64(&instance->stub->to_shim.shared->head, UINT64_C(1) << 40);
  pthread_mutex_unlock(&instance->lock);
}

int main(void) {
  const char* step;
  struct fake_host_plan plan = {.options =
                                    "\"shm-default-byte-size\":\"1048576\",\"shm-max-byte-size\":\"8388608\","
                                    "\"stub-timeout-seconds\":\"300\"",  // Node may be emulated
                                .config = "{\"name\":\"fake_model\",\"max_batch_size\":0,\"input\":[],\"output\":[]}",
                                .repository = CALLING_MODEL};
  setenv("TRITON_TYPESCRIPT_RUNTIME", RUNTIME, 1);
  TRITONSERVER_Error* error = fake_host_load(&host, fake_library_linked(), &plan, &step);
  if (error != NULL) CHECK_FAIL("loading failed in step '%s': %s", step, TRITONSERVER_ErrorMessage(error));
  request = (TRITONBACKEND_Request){.id = "r"};
  send();
  CHECK_INT(request.success_count, 1);
  break_ring();
  send();
  CHECK(request.response->error != NULL);
  CHECK_CONTAINS(TRITONSERVER_ErrorMessage(request.response->error), "It exited with code 1.");
  CHECK(fake_log_has("The process of this instance cannot go on. Error: Could not send answers to the server: "));
  fake_request_clear(&request);
  fake_host_unload(&host);
  return 0;
}
