// SPDX-License-Identifier: Apache-2.0
// A call that a model on Node makes goes to the server by itself when JavaScript returns (models/calling). Where it
// cannot, as the ring is broken, the process ends and says why.
#include "barrier.h"
#include "check.h"
#include "instance_state.h"
#include "node_model.h"

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
  node_model_load(&host, CALLING_MODEL);
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
