// SPDX-License-Identifier: Apache-2.0
// What an entry says about the pace of requests: that they are sparse, or many at once.
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "check.h"
#include "fake_host.h"
#include "instance_state.h"

enum { COUNT = 64, WAIT_MS = 60000, TRIES = 3000 };

static struct fake_host host;
static TRITONBACKEND_Request requests[COUNT];
static float data[4] = {1, 2, 3, 4};

static struct tsb_instance* instance(void) { return host.instance.state; }

static void start(void) {
  static const char CONFIG[] =
      "{\"name\":\"fake_model\",\"max_batch_size\":0,\"input\":[{\"name\":\"IN\",\"data_type\":\"TYPE_FP32\",\"dims\":["
      "4]}],"
      "\"output\":[{\"name\":\"OUT\",\"data_type\":\"TYPE_FP32\",\"dims\":[4]}]}";
  const char* step;
  struct fake_host_plan plan = {.options = "", .config = CONFIG, .repository = "/nowhere"};
  TRITONSERVER_Error* error = fake_host_load(&host, fake_library_linked(), &plan, &step);
  if (error != NULL) CHECK_FAIL("loading failed in step '%s': %s", step, TRITONSERVER_ErrorMessage(error));
  for (int i = 0; i < COUNT; i++) {
    requests[i] = (TRITONBACKEND_Request){.input_count = 1, .outputs = {"OUT"}, .output_count = 1};
    requests[i].inputs[0] = (TRITONBACKEND_Input){.name = "IN",
                                                  .datatype = TRITONSERVER_TYPE_FP32,
                                                  .shape = {4},
                                                  .dims_count = 1,
                                                  .bytes = sizeof data,
                                                  .buffer_count = 1,
                                                  .buffers = {data},
                                                  .buffer_bytes = {sizeof data}};
  }
}

static void end(void) {
  fake_host_unload(&host);
  const char* left = fake_host_leftover(&host);
  if (left != NULL) CHECK_FAIL("%s", left);
  CHECK_INT(fake_live_responses(), 0);
}

// What the entry of the last batch said; nobody writes into the ring but this thread.
static bool last_was_sparse(void) {
  const struct tsb_ring* ring = &instance()->stub->to_stub.ring;
  const struct tsb_entry* entry = &ring->entries[(ring->position - 1) & ring->mask];
  CHECK_INT(entry->kind, TSB_ENTRY_EXECUTE);
  return (entry->flags & TSB_EXECUTE_SPARSE) != 0;
}

static void send(int index) {
  TRITONBACKEND_Request* request = &requests[index];
  fake_host_execute(&host, &request, 1);
}

static void collect(int index) {
  CHECK(fake_request_wait(&requests[index], WAIT_MS));
  CHECK_INT(requests[index].success_count, 1);
  fake_request_clear(&requests[index]);
}

// Each comes at least a millisecond after the one before.
static bool are_all_sparse(int count) {
  bool all = true;
  for (int i = 0; i < count; i++) {
    usleep(1000);
    send(i);
    collect(i);
    all = all && last_was_sparse();
  }
  return all;
}

static void test_requests_one_by_one_are_sparse(void) {
  CHECK(are_all_sparse(COUNT));
  CHECK_INT(instance()->at_once_share, 0);
}

// Whatever made them many: the entry says so, and it takes some that come alone to end it.
static void test_many_at_once_are_not_sparse(void) {
  instance()->at_once_share = TSB_PACE_ALL;
  CHECK(!are_all_sparse(1));
  CHECK(instance()->at_once_share < TSB_PACE_ALL);
  instance()->at_once_share = TSB_PACE_ALL / 5;
  CHECK(!are_all_sparse(1));
  CHECK(are_all_sparse(COUNT));
}

// One that comes at once after the one before counts. How soon this thread comes back is the system's to
// say, so there are many tries; that some of them are quick enough is all that is expected.
static void test_calls_that_follow_at_once_are_not_sparse(void) {
  for (int try = 0; try < TRIES; try++) {
    for (int i = 0; i < COUNT; i++) send(i);
    bool sparse = last_was_sparse();
    for (int i = 0; i < COUNT; i++) collect(i);
    if (!sparse) return;
  }
  CHECK_FAIL("%d calls at once were always sparse; the share is %u", TRIES * COUNT, instance()->at_once_share);
}

int main(void) {
  signal(SIGPIPE, SIG_IGN);                           // as in the server
  setenv("TRITON_TYPESCRIPT_NODE", HOSTILE_STUB, 1);  // without a list of evils it is honest
  setenv("TRITON_TYPESCRIPT_RUNTIME", FAKE_RUNTIME, 1);
  start();
  test_requests_one_by_one_are_sparse();
  test_many_at_once_are_not_sparse();
  test_calls_that_follow_at_once_are_not_sparse();
  CHECK(are_all_sparse(COUNT) || are_all_sparse(COUNT));  // until it is over, and then
  end();
  return 0;
}
