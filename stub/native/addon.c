// SPDX-License-Identifier: Apache-2.0
// Registration and the methods that JavaScript calls (JS_...). Their only user is stub/src/ipc/native.ts, which
// documents them; arguments are checked here all the same.
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "client_regions.h"
#include "loop.h"

#define METHOD(count)                                                                               \
  struct tsb_addon* addon;                                                                          \
  napi_value arguments[count];                                                                      \
  size_t given = (count);                                                                           \
  if (napi_get_cb_info(env, info, &given, arguments, NULL, (void**)&addon) != napi_ok) return NULL; \
  if (given < (count)) return addon__throw(env, "Too few arguments.")

static napi_value addon__throw(napi_env env, const char* message) {
  napi_throw_error(env, NULL, message);
  return NULL;
}

static napi_value addon__throw_errno(napi_env env, const char* what, int status) {
  char message[256];
  snprintf(message, sizeof message, "%s: %s.", what, strerror(-status));
  napi_throw_error(env, status == -ENOMEM ? "ENOMEM" : "EPROTO", message);
  return NULL;
}

static bool addon__u64(napi_env env, napi_value value, uint64_t* number) {
  double wide;
  if (napi_get_value_double(env, value, &wide) != napi_ok || !(wide >= 0) || wide > 9007199254740991.0) return false;
  *number = (uint64_t)wide;
  return true;
}

static bool addon__block(napi_env env, const napi_value* arguments, struct tsb_place* place) {
  uint64_t region, offset, bytes;
  if (!addon__u64(env, arguments[0], &region) || !addon__u64(env, arguments[1], &offset) ||
      !addon__u64(env, arguments[2], &bytes) || region > UINT32_MAX) {
    return false;
  }
  *place = (struct tsb_place){.region = (uint32_t)region, .offset = offset, .bytes = bytes};
  return true;
}

static napi_value JS_connect(napi_env env, napi_callback_info info) {
  METHOD(2);
  int32_t fd;
  uint64_t fingerprint;
  bool lossless;
  char why[640];
  if (napi_get_value_int32(env, arguments[0], &fd) != napi_ok ||
      napi_get_value_bigint_uint64(env, arguments[1], &fingerprint, &lossless) != napi_ok) {
    return addon__throw(env, "connect needs a descriptor and the fingerprint.");
  }
  if (addon->connected) return addon__throw(env, "Already connected.");
  if (tsb_connection_connect(&addon->connection, fd, fingerprint, why, sizeof why) < 0) return addon__throw(env, why);
  addon->connected = true;
  int status = tsb_connection_watch_server(&addon->connection);
  if (status < 0) return addon__throw_errno(env, "Could not start the thread that watches the server", status);
  napi_value limit;
  napi_create_double(env, (double)addon->connection.control->max_bytes, &limit);
  return limit;
}

static napi_value JS_logLevels(napi_env env, napi_callback_info info) {
  struct tsb_addon* addon;
  napi_value buffer;
  if (napi_get_cb_info(env, info, NULL, NULL, NULL, (void**)&addon) != napi_ok) return NULL;
  if (!addon->connected) return addon__throw(env, "logLevels must follow connect.");
  uint32_t* word = &addon->connection.control->log_levels;
  if (napi_create_external_arraybuffer(env, word, sizeof *word, NULL, NULL, &buffer) != napi_ok) {
    return addon__throw(env, "Could not make an ArrayBuffer for the levels of the log.");
  }
  return buffer;
}

static napi_value JS_start(napi_env env, napi_callback_info info) {
  METHOD(4);
  napi_value name;
  if (!addon->connected || addon->started) return addon__throw(env, "start must follow connect, once.");
  napi_create_reference(env, arguments[0], 1, &addon->on_entries);
  napi_create_reference(env, arguments[1], 1, &addon->on_frame);
  napi_create_reference(env, arguments[2], 1, &addon->on_idle);
  napi_create_reference(env, arguments[3], 1, &addon->on_broken);
  napi_create_string_utf8(env, "triton-typescript", NAPI_AUTO_LENGTH, &name);
  napi_async_init(env, NULL, name, &addon->context);
  int status = tsb_loop_start(addon);
  if (status < 0) return addon__throw(env, uv_strerror(status));
  status = tsb_connection_accept(&addon->connection);
  return status < 0 ? addon__throw_errno(env, "Could not answer the server", status) : NULL;
}

static napi_value JS_hold(napi_env env, napi_callback_info info) {
  METHOD(1);
  bool hold;
  if (napi_get_value_bool(env, arguments[0], &hold) != napi_ok) return addon__throw(env, "hold needs a boolean.");
  tsb_loop_hold(addon, hold);
  return NULL;
}

// A region is announced before an entry that names it is written, so the frame of one that is new is in the socket.
static int addon__learn_region(struct tsb_addon* addon, uint32_t id) {
  if (tsb_region_find(&addon->connection.regions, id) != NULL) return 0;
  int status = tsb_loop_read_channel(addon);
  // Others that came along are delivered from the loop, which would not know of them if a timer of the model led here.
  if (addon->first_message != NULL) tsb_loop_wake(addon);
  return status;
}

static napi_value JS_region(napi_env env, napi_callback_info info) {
  METHOD(1);
  uint32_t id;
  napi_value buffer;
  if (napi_get_value_uint32(env, arguments[0], &id) != napi_ok || id == 0)
    return addon__throw(env, "region needs an id.");
  int status = addon__learn_region(addon, id);
  if (status < 0) return addon__throw_errno(env, "The control channel is broken", status);
  struct tsb_region* region = tsb_region_find(&addon->connection.regions, id);
  if (region == NULL) return addon__throw(env, "The server named a region that it never announced.");
  if (napi_create_external_arraybuffer(env, region->base, region->bytes, NULL, NULL, &buffer) != napi_ok) {
    return addon__throw(env, "Could not make an ArrayBuffer for a region.");
  }
  return buffer;
}

// A buffer of its own over a part of a region, which can be detached when the part is not the model's any more.
static napi_value JS_view(napi_env env, napi_callback_info info) {
  METHOD(3);
  struct tsb_place place;
  napi_value buffer;
  if (!addon__block(env, arguments, &place)) return addon__throw(env, "view needs region, offset and bytes.");
  int status = addon__learn_region(addon, place.region);
  if (status < 0) return addon__throw_errno(env, "The control channel is broken", status);
  uint8_t* base = tsb_region_resolve(&addon->connection.regions, &place);
  if (base == NULL || place.region == 0) return addon__throw(env, "view is out of range.");
  if (napi_create_external_arraybuffer(env, base, place.bytes, NULL, NULL, &buffer) != napi_ok) {
    return addon__throw(env, "Could not make an ArrayBuffer for a tensor.");
  }
  return buffer;
}

static napi_value JS_detach(napi_env env, napi_callback_info info) {
  METHOD(1);
  (void)addon;
  napi_detach_arraybuffer(env, arguments[0]);  // a buffer that the model detached itself is detached already
  return NULL;
}

static napi_value JS_forget(napi_env env, napi_callback_info info) {
  METHOD(2);
  uint32_t id;
  bool is_held;
  if (napi_get_value_uint32(env, arguments[0], &id) != napi_ok ||
      napi_get_value_bool(env, arguments[1], &is_held) != napi_ok) {
    return addon__throw(env, "forget needs an id and a boolean.");
  }
  tsb_client_regions_forget(&addon->connection, id, is_held);
  return NULL;
}

static napi_value JS_isLost(napi_env env, napi_callback_info info) {
  METHOD(1);
  (void)addon;
  uint32_t id;
  napi_value lost;
  if (napi_get_value_uint32(env, arguments[0], &id) != napi_ok) return addon__throw(env, "isLost needs an id.");
  napi_get_boolean(env, tsb_client_regions_is_lost(id), &lost);
  return lost;
}

static napi_value JS_unguard(napi_env env, napi_callback_info info) {
  struct tsb_addon* addon;
  if (napi_get_cb_info(env, info, NULL, NULL, NULL, (void**)&addon) != napi_ok) return NULL;
  if (addon->connected) tsb_client_regions_unguard(&addon->connection);
  return NULL;
}

static napi_value JS_hideMemory(napi_env env, napi_callback_info info) {
  (void)info;
  napi_value hidden;
  napi_get_boolean(env, prctl(PR_SET_DUMPABLE, 0) == 0, &hidden);
  return hidden;
}

static napi_value JS_restore(napi_env env, napi_callback_info info) {
  (void)env;
  (void)info;
  tsb_client_regions_restore();
  return NULL;
}

static const char MEMORY_ERROR[] = "Failed to increase the shared memory pool size";

static int addon__allocate(struct tsb_addon* addon, uint64_t bytes, struct tsb_block* block) {
  int status = tsb_connection_alloc(&addon->connection, bytes, block);
  if (status < 0) return status;
  addon->cell[0] = block->region;
  addon->cell[1] = (double)block->offset;
  return 0;
}

static napi_value JS_allocate(napi_env env, napi_callback_info info) {
  METHOD(1);
  uint64_t bytes;
  struct tsb_block block;
  if (!addon__u64(env, arguments[0], &bytes)) return addon__throw(env, "allocate needs a number of bytes.");
  int status = addon__allocate(addon, bytes, &block);
  return status < 0 ? addon__throw_errno(env, MEMORY_ERROR, status) : NULL;
}

// Its rest is zero: nobody has written there.
static napi_value JS_allocateCleared(napi_env env, napi_callback_info info) {
  METHOD(1);
  uint64_t bytes;
  struct tsb_block block;
  if (!addon__u64(env, arguments[0], &bytes)) return addon__throw(env, "allocateCleared needs a number of bytes.");
  int status = addon__allocate(addon, bytes, &block);
  if (status < 0) return addon__throw_errno(env, MEMORY_ERROR, status);
  memset(block.base, 0, block.dirty_bytes);
  return NULL;
}

static napi_value JS_allocateNow(napi_env env, napi_callback_info info) {
  METHOD(1);
  uint64_t bytes;
  struct tsb_block block;
  napi_value found;
  if (!addon__u64(env, arguments[0], &bytes)) return addon__throw(env, "allocateNow needs a number of bytes.");
  int status = tsb_connection_alloc_now(&addon->connection, bytes, &block);
  if (status < 0 && status != -ENOMEM) return addon__throw_errno(env, "Could not add shared memory", status);
  if (status == 0) {
    addon->cell[0] = block.region;
    addon->cell[1] = (double)block.offset;
  }
  napi_get_boolean(env, status == 0, &found);
  return found;
}

static napi_value JS_consumed(napi_env env, napi_callback_info info) {
  struct tsb_addon* addon;
  uint64_t head;
  napi_value count;
  if (napi_get_cb_info(env, info, NULL, NULL, NULL, (void**)&addon) != napi_ok) return NULL;
  int status = tsb_connection_consumed(&addon->connection, &head);
  if (status < 0) return addon__throw_errno(env, "The ring to the server is broken", status);
  napi_create_double(env, (double)head, &count);
  return count;
}

static napi_value JS_send(napi_env env, napi_callback_info info) {
  METHOD(2);
  uint32_t entries, blocks;
  if (napi_get_value_uint32(env, arguments[0], &entries) != napi_ok || entries > TSB_OUTBOX_ENTRIES ||
      napi_get_value_uint32(env, arguments[1], &blocks) != napi_ok || blocks > TSB_OUTBOX_ENTRIES) {
    return addon__throw(env, "send needs the number of entries and of blocks in the outbox.");
  }
  int status = tsb_loop_send(addon, entries, blocks);
  return status < 0 ? addon__throw_errno(env, "Could not send answers to the server", status) : NULL;
}

// The text of an argument, to be freed; NULL: it is none, or there is no memory, and an exception is pending.
static char* addon__text(napi_env env, napi_value value, size_t* bytes) {
  if (napi_get_value_string_utf8(env, value, NULL, 0, bytes) != napi_ok) {
    addon__throw(env, "A frame needs a method, a call id and a text.");
    return NULL;
  }
  char* text = malloc(*bytes + 1);
  if (text == NULL) {
    addon__throw(env, "Out of memory.");
    return NULL;
  }
  napi_get_value_string_utf8(env, value, text, *bytes + 1, bytes);
  return text;
}

// Sends the frame of a call. False: an exception is pending.
static bool addon__call(napi_env env, struct tsb_addon* addon, const napi_value* arguments, uint32_t* method,
                        uint32_t* call) {
  size_t bytes;
  if (!addon->started || napi_get_value_uint32(env, arguments[0], method) != napi_ok ||
      napi_get_value_uint32(env, arguments[1], call) != napi_ok) {
    addon__throw(env, "A call needs a server, a method, a call id and a text.");
    return false;
  }
  char* payload = addon__text(env, arguments[2], &bytes);
  if (payload == NULL) return false;
  int status = tsb_connection_call(&addon->connection, *method, *call, payload, bytes);
  free(payload);
  if (status < 0) addon__throw_errno(env, "Could not send to the server", status);
  return status == 0;
}

static napi_value JS_call(napi_env env, napi_callback_info info) {
  METHOD(3);
  uint32_t method, call;
  addon__call(env, addon, arguments, &method, &call);
  return NULL;
}

static napi_value JS_callNow(napi_env env, napi_callback_info info) {
  METHOD(3);
  uint32_t method, call;
  struct tsb_message reply;
  napi_value text = NULL;
  if (!addon__call(env, addon, arguments, &method, &call)) return NULL;
  int status = tsb_loop_wait_for_reply(addon, method, call, &reply);
  if (status < 0) return addon__throw_errno(env, "The control channel is broken", status);
  napi_create_string_utf8(env, reply.payload, reply.frame.payload_bytes, &text);
  tsb_message_free(&reply);
  return text;
}

static napi_value JS_reply(napi_env env, napi_callback_info info) {
  METHOD(3);
  uint32_t method, call;
  size_t bytes;
  if (napi_get_value_uint32(env, arguments[0], &method) != napi_ok ||
      napi_get_value_uint32(env, arguments[1], &call) != napi_ok) {
    return addon__throw(env, "reply needs a method, a call id and a text.");
  }
  char* payload = addon__text(env, arguments[2], &bytes);
  if (payload == NULL) return NULL;
  int status = tsb_connection_reply(&addon->connection, method, call, payload, bytes);
  free(payload);
  return status < 0 ? addon__throw_errno(env, "Could not send to the server", status) : NULL;
}

static void addon__memory(napi_env env, napi_value exports, const char* name, void* data, size_t bytes) {
  napi_value buffer;
  if (napi_create_external_arraybuffer(env, data, bytes, NULL, NULL, &buffer) != napi_ok) return;
  napi_set_named_property(env, exports, name, buffer);
}

NAPI_MODULE_INIT() {
  static const struct {
    const char* name;
    napi_callback method;
  } METHODS[] = {{"connect", JS_connect},
                 {"start", JS_start},
                 {"logLevels", JS_logLevels},
                 {"hold", JS_hold},
                 {"region", JS_region},
                 {"view", JS_view},
                 {"detach", JS_detach},
                 {"allocate", JS_allocate},
                 {"allocateCleared", JS_allocateCleared},
                 {"send", JS_send},
                 {"reply", JS_reply},
                 {"call", JS_call},
                 {"callNow", JS_callNow},
                 {"forget", JS_forget},
                 {"isLost", JS_isLost},
                 {"restore", JS_restore},
                 {"unguard", JS_unguard},
                 {"hideMemory", JS_hideMemory},
                 {"allocateNow", JS_allocateNow},
                 {"consumed", JS_consumed}};
  struct tsb_addon* addon = calloc(1, sizeof *addon);
  if (addon == NULL) return addon__throw(env, "Out of memory.");
  addon->env = env;
  addon->last_message = &addon->first_message;
  // Lives as long as the process: JavaScript may hold views on its memory until the very end.
  for (size_t i = 0; i < sizeof METHODS / sizeof METHODS[0]; i++) {
    napi_value function;
    napi_create_function(env, METHODS[i].name, NAPI_AUTO_LENGTH, METHODS[i].method, addon, &function);
    napi_set_named_property(env, exports, METHODS[i].name, function);
  }
  addon__memory(env, exports, "inbox", addon->inbox, sizeof addon->inbox);
  addon__memory(env, exports, "outbox", addon->outbox, sizeof addon->outbox);
  addon__memory(env, exports, "blocks", addon->blocks, sizeof addon->blocks);
  addon__memory(env, exports, "clientFlags", tsb_client_regions_flags(), TSB_CLIENT_FLAG_COUNT * sizeof(uint32_t));
  addon__memory(env, exports, "unsent", &addon->unsent, sizeof addon->unsent);
  addon__memory(env, exports, "busy", &addon->busy, sizeof addon->busy);
  addon__memory(env, exports, "turnWanted", &addon->turn_wanted, sizeof addon->turn_wanted);
  addon__memory(env, exports, "cell", addon->cell, sizeof addon->cell);
  return exports;
}
