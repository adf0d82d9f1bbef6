// SPDX-License-Identifier: Apache-2.0
// Calls that a stub makes over its control channel: from the frame to the reply, from any thread, also when the stub is
// gone; and what no correct stub calls.
#include "shim_calls.h"

#include <errno.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check.h"
#include "fake_triton.h"
#include "stub_channel.h"

static char name[] = "asking";
static struct tsb_stub_process process;
static struct tsb_stub_memory memory;
static struct tsb_stub_channel channel;
static int stub_end;

// What was asked, and not replied to.
static struct tsb_shim_call* asked[2 * TSB_MAX_SHIM_CALLS];
static uint32_t asked_count;
static char asked_name[64];

static void serve(void* context, struct tsb_shim_call* call, const struct tsb_json* payload) {
  CHECK(context == &asked_count);
  snprintf(asked_name, sizeof asked_name, "%s",
           tsb_json_string(tsb_payload_member(payload, TSB_KEY_MODEL_READY_CALL_name), "none"));
  asked[asked_count++] = call;
}

static void begin(void) {
  int sockets[2];
  CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), 0);
  process = (struct tsb_stub_process){.name = name, .pid = -1, .pidfd = -1};
  memory = (struct tsb_stub_memory){.process = &process, .max_stub_bytes = 1 << 20};
  channel = (struct tsb_stub_channel){0};
  tsb_stub_channel_init(&channel, &memory);
  channel.service = (struct tsb_shim_service){.serve = serve, .context = &asked_count};
  CHECK_INT(tsb_stub_channel_open(&channel, sockets[0]), 0);
  stub_end = sockets[1];
  asked_count = 0;
  asked_name[0] = '\0';
}

static void end(void) {
  tsb_stub_channel_destroy(&channel);
  close(stub_end);
  CHECK_INT(fake_live_errors(), 0);
}

static void call_shim(uint32_t id, const char* payload) {
  struct tsb_outgoing frame = {
      .method = TSB_METHOD_MODEL_READY, .call = id, .payload = payload, .payload_bytes = strlen(payload)};
  CHECK_INT(tsb_channel_send(stub_end, &frame, 1000), 0);
}

static void reply(struct tsb_shim_call* call, const char* payload) {
  struct tsb_text text = {0};
  tsb_text_add(&text, payload, strlen(payload));
  tsb_shim_call_reply(call, &text);
  tsb_text_free(&text);
}

static void expect_reply(uint32_t id, const char* payload) {
  struct tsb_message message;
  CHECK_INT(tsb_channel_receive(stub_end, &message, 30000), 1);
  CHECK_INT(message.frame.method, TSB_METHOD_MODEL_READY);
  CHECK_INT(message.frame.flags, TSB_FRAME_REPLY);
  CHECK_INT(message.frame.call, id);
  CHECK_TEXT(message.payload, payload);
  tsb_message_free(&message);
}

// What the stub was to do when it made the call: until it says that this is done, however late that is read.
static void test_the_step(void) {
  struct tsb_stub_call initialize;
  struct tsb_message message;
  struct tsb_outgoing done = {.method = TSB_METHOD_INITIALIZE, .flags = TSB_FRAME_REPLY};
  begin();
  call_shim(1, "{}");
  CHECK_INT(tsb_stub_channel_read(&channel), 0);
  CHECK_INT(tsb_stub_channel_call(&channel, &initialize, (struct tsb_outgoing){.method = TSB_METHOD_INITIALIZE}), 0);
  CHECK_INT(tsb_channel_receive(stub_end, &message, 30000), 1);
  call_shim(2, "{}");
  done.call = message.frame.call;
  tsb_message_free(&message);
  CHECK_INT(tsb_channel_send(stub_end, &done, 1000), 0);
  call_shim(3, "{}");
  CHECK_INT(tsb_stub_channel_read(&channel), 0);
  CHECK_INT(tsb_stub_channel_has_reply(&channel, &initialize), 1);
  tsb_stub_channel_end(&channel, &initialize);
  tsb_message_free(&initialize.reply);
  CHECK_INT(asked_count, 3);
  CHECK_INT(asked[0]->step, 0);
  CHECK_INT(asked[1]->step, TSB_METHOD_INITIALIZE);
  CHECK_INT(asked[2]->step, 0);
  for (uint32_t i = 0; i < 3; i++) reply(asked[i], "{}");
  end();
}

static void test_replies_in_any_order(void) {
  begin();
  call_shim(7, "{\"name\":\"first\"}");
  CHECK_INT(tsb_stub_channel_read(&channel), 0);
  CHECK_TEXT(asked_name, "first");
  call_shim(UINT32_MAX, "{}");
  CHECK_INT(tsb_stub_channel_read(&channel), 0);
  CHECK_TEXT(asked_name, "none");
  CHECK_INT(asked_count, 2);
  CHECK_INT(asked[0]->method, TSB_METHOD_MODEL_READY);
  reply(asked[1], "{\"ready\":true}");
  tsb_shim_call_fail(asked[0], TRITONSERVER_ErrorNew(TRITONSERVER_ERROR_NOT_FOUND, "no \"x\""));
  expect_reply(UINT32_MAX, "{\"ready\":true}");
  expect_reply(7, "{\"error\":{\"code\":\"NOT_FOUND\",\"message\":\"no \\\"x\\\"\"}}");
  call_shim(7, "{}");  // an id that is free again
  CHECK_INT(tsb_stub_channel_read(&channel), 0);
  reply(asked[2], "{}");
  expect_reply(7, "{}");
  end();
}

static void* reply_from_a_thread(void* call) {
  usleep(1000);
  reply(call, "{}");
  return NULL;
}

// The last one of them to leave frees what they share.
static void test_a_stub_that_is_gone(void) {
  for (int round = 0; round < 20; round++) {
    pthread_t threads[3];
    begin();
    for (uint32_t i = 0; i < 3; i++) call_shim(i + 1, "{}");
    CHECK_INT(tsb_stub_channel_read(&channel), 0);
    CHECK_INT(asked_count, 3);
    for (int i = 0; i < 3; i++) CHECK_INT(pthread_create(&threads[i], NULL, reply_from_a_thread, asked[i]), 0);
    if (round % 2 == 0) usleep(1000);
    end();
    for (int i = 0; i < 3; i++) pthread_join(threads[i], NULL);
  }
}

// One that has closed its channel is not there to read, which the thread that replies need not know.
static void test_a_stub_that_went_away(void) {
  begin();
  call_shim(1, "{}");
  CHECK_INT(tsb_stub_channel_read(&channel), 0);
  shutdown(stub_end, SHUT_RDWR);
  fake_log_clear();
  reply(asked[0], "{}");
  CHECK_INT(fake_log_lines(), 0);
  end();
}

static void test_too_many(void) {
  begin();
  for (uint32_t i = 1; i <= TSB_MAX_SHIM_CALLS; i++) call_shim(i, "{}");
  CHECK_INT(tsb_stub_channel_read(&channel), 0);
  CHECK_INT(asked_count, TSB_MAX_SHIM_CALLS);
  reply(asked[0], "{}");
  expect_reply(1, "{}");
  call_shim(TSB_MAX_SHIM_CALLS + 1, "{}");
  CHECK_INT(tsb_stub_channel_read(&channel), 0);
  call_shim(TSB_MAX_SHIM_CALLS + 2, "{}");
  CHECK_INT(tsb_stub_channel_read(&channel), -EPROTO);
  CHECK_INT(asked_count, TSB_MAX_SHIM_CALLS + 1);
  for (uint32_t i = 1; i < asked_count; i++) reply(asked[i], "{}");
  end();
}

static void refuse(const char* what, uint32_t id, const char* payload) {
  begin();
  call_shim(1, "{}");
  CHECK_INT(tsb_stub_channel_read(&channel), 0);
  call_shim(id, payload);
  int status = tsb_stub_channel_read(&channel);
  if (status != -EPROTO || asked_count != 1) CHECK_FAIL("%s: status %d, %u calls", what, status, asked_count);
  reply(asked[0], "{}");
  end();
}

static void* send_a_large_call(void* payload) {
  call_shim(1, payload);
  return NULL;
}

static void test_a_large_payload(uint32_t bytes, int status) {
  pthread_t thread;
  char* payload = malloc(bytes + 1);
  begin();
  memset(payload, ' ', bytes);
  payload[0] = '{';
  payload[bytes - 1] = '}';
  payload[bytes] = '\0';
  CHECK_INT(pthread_create(&thread, NULL, send_a_large_call, payload), 0);
  int read;
  while ((read = tsb_stub_channel_read(&channel)) == 0 && asked_count == 0) usleep(1000);
  CHECK_INT(read, status);
  pthread_join(thread, NULL);
  if (status == 0) reply(asked[0], "{}");
  end();
  free(payload);
}

static void test_a_stub_that_may_call_nothing(void) {
  begin();
  channel.service.serve = NULL;
  call_shim(1, "{}");
  CHECK_INT(tsb_stub_channel_read(&channel), -EPROTO);
  end();
}

int main(void) {
  test_replies_in_any_order();
  test_the_step();
  test_a_stub_that_is_gone();
  test_a_stub_that_went_away();
  test_too_many();
  refuse("an id that is open", 1, "{}");
  refuse("id zero", 0, "{}");
  refuse("no JSON", 2, "{\"name\":");
  refuse("nothing", 2, "");
  refuse("no object", 2, "[]");
  test_a_large_payload(TSB_MAX_CALL_PAYLOAD_BYTES, 0);
  test_a_large_payload(TSB_MAX_CALL_PAYLOAD_BYTES + 1, -EPROTO);
  test_a_stub_that_may_call_nothing();
  return 0;
}
