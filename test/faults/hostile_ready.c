// SPDX-License-Identifier: Apache-2.0
// What the fake stub says when it is asked whether its model is ready: FAKE_STUB_READY is the reply, or
//
//   after_batch   "ready", once a batch has come
//   never         nothing
//   dies          nothing, and its end
//
// Without it the model has nothing to say.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hostile_stub.h"

static uint32_t open_call;

static void reply(uint32_t call, const char* payload) {
  struct tsb_outgoing outgoing = {.method = TSB_METHOD_CHECK_READY,
                                  .flags = TSB_FRAME_REPLY,
                                  .call = call,
                                  .payload = payload,
                                  .payload_bytes = strlen(payload)};
  if (tsb_channel_send(connection_.channel, &outgoing, 5000) < 0) _exit(98);
}

const char* ready_initialize_reply(void) { return getenv("FAKE_STUB_READY") == NULL ? "{}" : "{\"checksReady\":true}"; }

void ready_check(const struct tsb_frame* frame) {
  const char* says = getenv("FAKE_STUB_READY");
  static const char ASKED[] = "was asked\n";
  if (says == NULL || write(1, ASKED, sizeof ASKED - 1) < 0) _exit(98);
  if (strcmp(says, "dies") == 0) _exit(7);
  if (strcmp(says, "never") == 0) return;
  if (strcmp(says, "after_batch") == 0) {
    open_call = frame->call;
  } else {
    reply(frame->call, says);
  }
}

void ready_batch(void) {
  if (open_call != 0) reply(open_call, "{\"ready\":true,\"reason\":\"\"}");
  open_call = 0;
}
