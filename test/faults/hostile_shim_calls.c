// SPDX-License-Identifier: Apache-2.0
// Calls of the shim over the control channel that no correct stub makes, and some that only look wrong.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "hostile_stub.h"

enum { FILE_REGION = 70, FILE_BYTES = 8192 };

static const char IS_READY[] = "{\"name\":\"ready\",\"version\":\"-1\"}";

static void send_call(uint32_t method, uint32_t flags, uint32_t call, const char* payload) {
  struct tsb_outgoing frame = {
      .method = method, .flags = flags, .call = call, .payload = payload, .payload_bytes = strlen(payload)};
  tsb_channel_send(CHANNEL, &frame, -1);
}

static void announce_file(void) {
  struct tsb_region region;
  if (tsb_region_create(&region, TSB_REGION_OF_STUB | FILE_REGION, FILE_BYTES) < 0) _exit(112);
  memset(region.base, 1, region.bytes);
  struct tsb_outgoing notice = {
      .method = TSB_METHOD_REGION, .region = region.id, .descriptors = &region.fd, .descriptor_count = 1};
  tsb_channel_send(CHANNEL, &notice, -1);
  tsb_region_close(&region);
}

static void load(uint32_t call, const char* model, const char* path, int64_t offset, int64_t bytes) {
  char payload[8192];
  snprintf(payload, sizeof payload,
           "{\"name\":\"%s\",\"config\":\"{}\",\"files\":[{\"path\":\"%s\",\"region\":%" PRIu32 ",\"offset\":%" PRId64
           ",\"bytes\":%" PRId64 "}]}",
           model, path, TSB_REGION_OF_STUB | FILE_REGION, offset, bytes);
  send_call(TSB_METHOD_MODEL_LOAD, 0, call, payload);
}

void send_loads(uint32_t count) {
  for (uint32_t id = 1; id <= count; id++) send_call(TSB_METHOD_MODEL_LOAD, 0, id, "{\"name\":\"slow\"}");
}

static void load_of_long_path(const char* part, int count, const char* end) {
  char path[4096] = "";
  for (int i = 0; i < count; i++) strcat(path, part);
  strcat(path, end);
  announce_file();
  load(1, "told", path, 0, 24);
}

static void evil_loads(void) {
  static const struct {
    const char *name, *path;
    int64_t offset, bytes;
  } LOADS[] = {{"load_file", "1/model.ts", 8, 24},
               {"load_file_up", "1/../../x", 0, 24},
               {"load_file_absolute", "/x", 0, 24},
               {"load_file_unnamed", "", 0, 24},
               {"load_file_of_no_bytes", "x", 1 << 20, 0},
               {"load_file_behind_the_end", "x", FILE_BYTES - 8, 9},
               {"load_file_overflow", "x", INT64_MAX - 4, 24},
               {"load_file_negative", "x", 0, -1}};
  for (size_t i = 0; i < sizeof LOADS / sizeof LOADS[0]; i++) {
    if (!is(LOADS[i].name)) continue;
    announce_file();
    load(1, "told", LOADS[i].path, LOADS[i].offset, LOADS[i].bytes);
  }
  if (is("load_file_deep")) load_of_long_path("ab/", 682, "xyz");
  if (is("load_file_long")) load_of_long_path("a", 256, "/x");
  if (is("load_file_nowhere")) load(1, "told", "x", 0, 24);
  if (is("load_and_go_on") || is("load_and_exit")) {
    announce_file();
    load(1, "slow", "x", 0, FILE_BYTES);
    if (is("load_and_exit")) _exit(7);
  }
  if (is("loads_without_end")) send_loads(TSB_MAX_SHIM_CALLS + 1);
}

static void unload_slow(uint32_t call) { send_call(TSB_METHOD_MODEL_UNLOAD, 0, call, "{\"name\":\"slow\"}"); }

static void evil_unloads(void) {
  static const struct {
    const char* name;
    uint32_t method;
    const char* payload;
  } CALLS[] = {
      {"waits_for_itself", TSB_METHOD_MODEL_UNLOAD, "{\"name\":\"fake_model\",\"dependents\":false,\"wait\":true}"},
      {"unload", TSB_METHOD_MODEL_UNLOAD, "{\"name\":\"told\",\"dependents\":false,\"wait\":true}"},
      {"unload_with_dependents", TSB_METHOD_MODEL_UNLOAD, "{\"name\":\"told\",\"dependents\":true}"},
      {"unload_with_a_text", TSB_METHOD_MODEL_UNLOAD, "{\"name\":\"told\",\"dependents\":\"true\",\"wait\":1}"},
      {"unload_of_a_number", TSB_METHOD_MODEL_UNLOAD, "{\"name\":7,\"dependents\":{},\"wait\":[]}"},
      {"unload_of_nothing", TSB_METHOD_MODEL_UNLOAD, "{}"},
      {"gone", TSB_METHOD_MODEL_GONE, "{\"name\":\"never_there\"}"},
      {"gone_not_yet", TSB_METHOD_MODEL_GONE, "{\"name\":\"other\"}"},
      {"gone_of_a_list", TSB_METHOD_MODEL_GONE, "{\"name\":[\"other\"]}"},
      {"gone_of_nothing", TSB_METHOD_MODEL_GONE, "{}"}};
  for (size_t i = 0; i < sizeof CALLS / sizeof CALLS[0]; i++) {
    if (is(CALLS[i].name)) send_call(CALLS[i].method, 0, 1, CALLS[i].payload);
  }
  if (is("unload_and_go_on") || is("unload_and_exit")) unload_slow(1);
  if (is("unload_and_exit")) _exit(7);
  if (is("unloads_too_many")) {
    for (uint32_t id = 1; id <= TSB_MAX_SHIM_CALLS + 1; id++) unload_slow(id);
  }
  for (uint32_t id = 1; is("unloads_without_end"); id++) {
    send_call(TSB_METHOD_MODEL_UNLOAD, 0, id, "{\"name\":\"never_there\"}");
  }
  for (uint32_t id = 1; is("gone_without_end"); id++) send_call(TSB_METHOD_MODEL_GONE, 0, id, "{\"name\":\"other\"}");
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
  evil_loads();
  evil_unloads();
}

void shim_call_replied(const struct tsb_message* message) {
  printf("call %" PRIu32 " of method %" PRIu32 " got %.*s\n", message->frame.call, message->frame.method,
         (int)message->frame.payload_bytes, message->frame.payload_bytes == 0 ? "" : message->payload);
  fflush(stdout);
}
