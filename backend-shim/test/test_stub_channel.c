// SPDX-License-Identifier: Apache-2.0
// Calls of a stub by id: replies in any order, to whom they belong; and what is no frame of a correct stub.
#include "stub_channel.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check.h"

enum { PAGE = 4096, THERE = TSB_REGION_OF_STUB | 5 };

static struct tsb_stub_memory memory;
static struct tsb_stub_channel channel;
static int stub_end;

static void begin(void) {
  int sockets[2];
  CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), 0);
  memory = (struct tsb_stub_memory){.max_stub_bytes = 1 << 20};
  channel = (struct tsb_stub_channel){0};
  tsb_stub_channel_init(&channel, &memory);
  CHECK_INT(tsb_stub_channel_open(&channel, sockets[0]), 0);
  stub_end = sockets[1];
}

static void end(void) {
  tsb_stub_channel_destroy(&channel);
  close(stub_end);
}

static void say(uint32_t method, uint32_t flags, uint32_t call, const char* payload) {
  struct tsb_outgoing frame = {
      .method = method, .flags = flags, .call = call, .payload = payload, .payload_bytes = strlen(payload)};
  CHECK_INT(tsb_channel_send(stub_end, &frame, 1000), 0);
}

static void call_stub(struct tsb_stub_call* call, uint32_t method) {
  struct tsb_message message;
  CHECK_INT(tsb_stub_channel_call(&channel, call, (struct tsb_outgoing){.method = method}), 0);
  CHECK_INT(tsb_channel_receive(stub_end, &message, 1000), 1);
  CHECK_INT(message.frame.method, method);
  CHECK_INT(message.frame.call, call->id);
  CHECK_INT(message.frame.flags, 0);
  tsb_message_free(&message);
}

static void expect_reply(struct tsb_stub_call* call, const char* payload) {
  CHECK_INT(tsb_stub_channel_has_reply(&channel, call), 1);
  tsb_stub_channel_end(&channel, call);
  CHECK(call->replied);
  CHECK_TEXT(call->reply.payload, payload);
  tsb_message_free(&call->reply);
}

static void test_replies_in_any_order(void) {
  struct tsb_stub_call first, second, third;
  begin();
  call_stub(&first, TSB_METHOD_LOAD);
  call_stub(&second, TSB_METHOD_INITIALIZE);
  call_stub(&third, TSB_METHOD_LOAD);
  CHECK(first.id != 0 && first.id != second.id && second.id != third.id && first.id != third.id);
  say(TSB_METHOD_LOAD, TSB_FRAME_REPLY, third.id, "3");
  CHECK_INT(tsb_stub_channel_read(&channel), 0);
  CHECK_INT(tsb_stub_channel_has_reply(&channel, &first), 0);
  CHECK_INT(tsb_stub_channel_has_reply(&channel, &second), 0);
  say(TSB_METHOD_INITIALIZE, TSB_FRAME_REPLY, second.id, "2");
  say(TSB_METHOD_LOAD, TSB_FRAME_REPLY, first.id, "1");
  CHECK_INT(tsb_stub_channel_read(&channel), 0);
  expect_reply(&second, "2");
  expect_reply(&first, "1");
  expect_reply(&third, "3");
  CHECK(channel.calls == NULL);
  CHECK(!tsb_stub_channel_is_broken(&channel));
  end();
}

// A reply that came before the channel ended is a reply.
static void test_the_end_of_the_channel(void) {
  struct tsb_stub_call answered, open;
  begin();
  call_stub(&answered, TSB_METHOD_LOAD);
  call_stub(&open, TSB_METHOD_INITIALIZE);
  say(TSB_METHOD_LOAD, TSB_FRAME_REPLY, answered.id, "{}");
  shutdown(stub_end, SHUT_RDWR);
  CHECK_INT(tsb_stub_channel_read(&channel), -EPIPE);
  expect_reply(&answered, "{}");
  CHECK_INT(tsb_stub_channel_has_reply(&channel, &open), -EPIPE);
  tsb_stub_channel_end(&channel, &open);
  CHECK(!open.replied);
  struct tsb_stub_call late;
  CHECK_INT(tsb_stub_channel_call(&channel, &late, (struct tsb_outgoing){.method = TSB_METHOD_LOAD}), -EPIPE);
  CHECK(channel.calls == NULL);
  end();
}

static void test_frames_that_break_the_protocol(void) {
  static const struct {
    const char* what;
    uint32_t method, flags;
    int call;  // added to the id of the open call
  } FRAMES[] = {
      {"a reply with another method", TSB_METHOD_INITIALIZE, TSB_FRAME_REPLY, 0},
      {"a reply to a call of long ago", TSB_METHOD_LOAD, TSB_FRAME_REPLY, -1},
      {"a reply to a call never made", TSB_METHOD_LOAD, TSB_FRAME_REPLY, 1},
      {"a call of a method of the stub", TSB_METHOD_FINALIZE, 0, 0},
      {"a call of the handshake", TSB_METHOD_HELLO, 0, 0},
      {"method zero", 0, 0, 0},
      {"an unknown method", 4711, 0, 0},
      {"the largest number", UINT32_MAX, 0, 0},
      {"a region without a descriptor", TSB_METHOD_REGION, 0, 0},
  };
  for (size_t i = 0; i < sizeof FRAMES / sizeof FRAMES[0]; i++) {
    struct tsb_stub_call call;
    begin();
    call_stub(&call, TSB_METHOD_LOAD);
    say(FRAMES[i].method, FRAMES[i].flags, call.id + (uint32_t)FRAMES[i].call, "{}");
    int status = tsb_stub_channel_read(&channel);
    if (status != -EPROTO) CHECK_FAIL("%s: the status is %d", FRAMES[i].what, status);
    CHECK_INT(tsb_stub_channel_has_reply(&channel, &call), -EPROTO);
    CHECK(tsb_stub_channel_is_broken(&channel));
    tsb_stub_channel_end(&channel, &call);
    end();
  }
}

static void test_a_second_reply(void) {
  struct tsb_stub_call call;
  begin();
  call_stub(&call, TSB_METHOD_LOAD);
  say(TSB_METHOD_LOAD, TSB_FRAME_REPLY, call.id, "first");
  say(TSB_METHOD_LOAD, TSB_FRAME_REPLY, call.id, "second");
  CHECK_INT(tsb_stub_channel_read(&channel), -EPROTO);
  expect_reply(&call, "first");
  end();
}

// A channel that broke is not read any more.
static void refuse_region(uint32_t id, int fd, int status) {
  struct tsb_region there;
  struct tsb_outgoing notice = {
      .method = TSB_METHOD_REGION, .region = id, .descriptors = &fd, .descriptor_count = fd < 0 ? 0 : 1};
  begin();
  memory.max_stub_bytes = 16 * PAGE;
  CHECK_INT(tsb_region_create(&there, THERE, PAGE), 0);
  CHECK_INT(tsb_region_add(&memory.regions, &there), 0);
  CHECK_INT(tsb_channel_send(stub_end, &notice, 1000), 0);
  CHECK_INT(tsb_stub_channel_read(&channel), status);
  notice.region = 77 | TSB_REGION_OF_STUB;
  CHECK_INT(tsb_channel_send(stub_end, &notice, 1000), 0);
  CHECK_INT(tsb_stub_channel_read(&channel), status);
  CHECK(tsb_region_find(&memory.regions, 77 | TSB_REGION_OF_STUB) == NULL);
  tsb_region_close_all(&memory.regions);
  end();
}

static void test_regions_that_are_refused(void) {
  struct tsb_region region;
  CHECK_INT(tsb_region_create(&region, 1, 32 * PAGE), 0);
  refuse_region(10 | TSB_REGION_OF_STUB, region.fd, -E2BIG);  // beyond the stub's limit
  tsb_region_close(&region);
  CHECK_INT(tsb_region_create(&region, 1, PAGE), 0);
  refuse_region(10, region.fd, -EPROTO);                // an id of the shim
  refuse_region(THERE, region.fd, -EEXIST);             // one that is there
  refuse_region(11 | TSB_REGION_OF_STUB, -1, -EPROTO);  // without a descriptor
  int open_file = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  CHECK_INT(ftruncate(open_file, PAGE), 0);
  refuse_region(11 | TSB_REGION_OF_STUB, open_file, -EPROTO);  // it could be cut short later
  close(open_file);
  tsb_region_close(&region);
}

int main(void) {
  test_replies_in_any_order();
  test_the_end_of_the_channel();
  test_frames_that_break_the_protocol();
  test_a_second_reply();
  test_regions_that_are_refused();
  return 0;
}
