// SPDX-License-Identifier: Apache-2.0
// Calls of the shim over the control channel that no correct stub makes.
#include <string.h>

#include "hostile_stub.h"

enum { CHANNEL = 3 };

static const char IS_READY[] = "{\"name\":\"ready\",\"version\":\"-1\"}";

static void send_call(uint32_t method, uint32_t flags, uint32_t call, const char* payload) {
  struct tsb_outgoing frame = {
      .method = method, .flags = flags, .call = call, .payload = payload, .payload_bytes = strlen(payload)};
  tsb_channel_send(CHANNEL, &frame, -1);
}

void evil_shim_calls(void) {
  if (is("reply_to_its_own_call")) send_call(TSB_METHOD_MODEL_READY, TSB_FRAME_REPLY, 1, "{}");
  if (is("call_that_is_no_json")) send_call(TSB_METHOD_MODEL_READY, 0, 1, "{\"name\":");
  if (is("call_without_an_object")) send_call(TSB_METHOD_MODEL_READY, 0, 1, "[]");
  if (is("call_without_an_id")) send_call(TSB_METHOD_MODEL_READY, 0, 0, IS_READY);
  if (is("call_with_a_descriptor")) {
    int fd = connection_.watch_fd;
    struct tsb_outgoing call = {.method = TSB_METHOD_MODEL_READY, .call = 1, .descriptors = &fd, .descriptor_count = 1};
    tsb_channel_send(CHANNEL, &call, -1);
  }
  if (is("calls_without_end")) {
    for (uint32_t id = 1;; id++) send_call(TSB_METHOD_MODEL_READY, 0, id, IS_READY);
  }
}
