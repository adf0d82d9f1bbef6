// SPDX-License-Identifier: Apache-2.0
// What the fake stub says over the control channel.
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "hostile_stub.h"

void send_frame(uint32_t method, uint32_t flags, uint32_t call, const char* payload) {
  struct tsb_outgoing frame = {
      .method = method, .flags = flags, .call = call, .payload = payload, .payload_bytes = strlen(payload)};
  if (tsb_channel_send(CHANNEL, &frame, 5000) < 0) _exit(91);
}

void send_bytes(const void* bytes, size_t count) {
  if (send(CHANNEL, bytes, count, MSG_NOSIGNAL) < 0) _exit(92);
}

void send_garbage(void) {
  uint8_t bytes[4096];
  for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)(i * 37 + 11);
  send_bytes(bytes, sizeof bytes);
}

void evil_channel(void) {
  struct tsb_frame frame = {.method = TSB_METHOD_REGION, .payload_bytes = UINT32_MAX};
  if (is("garbage_on_channel")) send_garbage();
  if (is("huge_frame")) send_bytes(&frame, sizeof frame);
  if (is("torn_frame")) send_bytes(&frame, 7);
  if (is("answer_nobody_asked_for")) send_frame(TSB_METHOD_LOAD, TSB_FRAME_REPLY, 4711, "{}");
  if (is("call_of_an_unknown_method")) send_frame(4711, 0, 1, "{}");
  if (is("call_of_a_method_of_the_stub")) send_frame(TSB_METHOD_FINALIZE, 0, 1, "{}");
  if (is("method_zero")) send_frame(0, 0, 0, "");
  if (is("shut_down_channel")) shutdown(CHANNEL, SHUT_WR);
  if (is("close_channel")) {
    close(CHANNEL);
    for (;;) pause();
  }
}
