// SPDX-License-Identifier: Apache-2.0
#include "loop.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "barrier.h"
#include "client_regions.h"

enum {
  // Longest time in one callback: timers and I/O of the model get their turn in between.
  CALLBACK_NS = 5000000,
};

// Calls a JavaScript function; microtasks and process.nextTick run before it returns. What it throws ends the process
// the way Node does it: loudly. (The TypeScript side catches everything that a model throws.)
static bool loop__call(struct tsb_addon* addon, napi_ref function_ref, size_t count, const napi_value* arguments) {
  napi_value function, global;
  napi_env env = addon->env;
  if (napi_get_reference_value(env, function_ref, &function) != napi_ok) return false;
  if (napi_get_global(env, &global) != napi_ok) return false;
  if (napi_make_callback(env, addon->context, global, function, count, arguments, NULL) == napi_ok) return true;
  napi_value exception;
  bool pending = false;
  napi_is_exception_pending(env, &pending);
  if (pending && napi_get_and_clear_last_exception(env, &exception) == napi_ok) napi_fatal_exception(env, exception);
  return false;
}

// Tells JavaScript that nothing can be sent any more, which ends the process. `status` 0: the outbox itself is not
// sound.
static void loop__break(struct tsb_addon* addon, int status) {
  char text[256] = "The outbox says that it holds more than there is room for.";
  napi_env env = addon->env;
  napi_value message, error = NULL;
  if (status < 0) snprintf(text, sizeof text, "Could not send answers to the server: %s.", strerror(-status));
  if (napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &message) == napi_ok &&
      napi_create_error(env, NULL, message, &error) == napi_ok && loop__call(addon, addon->on_broken, 1, &error)) {
    return;
  }
  napi_fatal_error("triton-typescript", NAPI_AUTO_LENGTH, text, NAPI_AUTO_LENGTH);
}

// What was put into the outbox meanwhile, also by microtasks, goes in one go.
static void loop__send_unsent(struct tsb_addon* addon) {
  struct tsb_loop_unsent unsent = addon->unsent;
  addon->unsent = (struct tsb_loop_unsent){0};
  if (unsent.entries == 0 && unsent.blocks == 0) return;
  bool is_sound = unsent.entries <= TSB_OUTBOX_ENTRIES && unsent.blocks <= TSB_OUTBOX_ENTRIES;
  int status = is_sound ? tsb_loop_send(addon, unsent.entries, unsent.blocks) : 0;
  if (!is_sound || status < 0) loop__break(addon, status);
}

static void loop__deliver_entries(struct tsb_addon* addon, uint32_t count) {
  napi_handle_scope scope;
  napi_value argument;
  if (napi_open_handle_scope(addon->env, &scope) != napi_ok) return;
  napi_create_uint32(addon->env, count, &argument);
  addon->unsent.goes_soon = 1;
  loop__call(addon, addon->on_entries, 1, &argument);
  loop__send_unsent(addon);
  napi_close_handle_scope(addon->env, scope);
}

static void loop__deliver_messages(struct tsb_addon* addon) {
  while (addon->first_message != NULL) {
    struct tsb_loop_message* queued = addon->first_message;
    addon->first_message = queued->next;
    if (addon->first_message == NULL) addon->last_message = &addon->first_message;
    napi_handle_scope scope;
    napi_value arguments[5];
    if (napi_open_handle_scope(addon->env, &scope) == napi_ok) {
      const struct tsb_frame* frame = &queued->message.frame;
      napi_create_uint32(addon->env, frame->method, &arguments[0]);
      napi_create_uint32(addon->env, frame->call, &arguments[1]);
      napi_get_boolean(addon->env, (frame->flags & TSB_FRAME_REPLY) != 0, &arguments[2]);
      napi_create_uint32(addon->env, frame->region, &arguments[3]);
      napi_create_string_utf8(addon->env, queued->message.payload, frame->payload_bytes, &arguments[4]);
      loop__call(addon, addon->on_frame, 5, arguments);
      napi_close_handle_scope(addon->env, scope);
    }
    tsb_message_free(&queued->message);
    free(queued);
  }
}

static enum tsb_idle loop__on_idle(void* context) {
  struct tsb_addon* addon = context;
  napi_handle_scope scope;
  if (addon->busy == TSB_LOOP_EXECUTING) return TSB_IDLE_WORK;  // a batch that takes long
  if (napi_open_handle_scope(addon->env, &scope) != napi_ok) return TSB_IDLE_NOTHING;
  loop__call(addon, addon->on_idle, 0, NULL);
  napi_close_handle_scope(addon->env, scope);
  // The sender of an open request may be lost later on, and is found when it is collected.
  return addon->busy == TSB_LOOP_OPEN ? TSB_IDLE_OPEN : TSB_IDLE_NOTHING;
}

static uint32_t loop__take(struct tsb_addon* addon) {
  uint32_t count = 0;
  int status = 0;
  while (count < TSB_INBOX_ENTRIES) {
    status = tsb_ring_take(&addon->connection.to_stub, &addon->inbox[count]);
    if (status <= 0) break;
    count++;
  }
  if (status < 0)
    napi_fatal_error("triton-typescript", NAPI_AUTO_LENGTH, "The server broke the protocol.", NAPI_AUTO_LENGTH);
  // The entries are copied; what they point at stays until their requests are answered.
  if (count > 0) tsb_ring_release(&addon->connection.to_stub);
  return count;
}

static struct tsb_loop_taken* loop__taken(struct tsb_addon* addon, const struct tsb_owner* batch) {
  return &addon->taken[batch->index % TSB_LOOP_TAKEN];
}

static void loop__note_taken(struct tsb_addon* addon, uint32_t count, uint64_t now_ns) {
  for (uint32_t i = 0; i < count; i++) {
    if (addon->inbox[i].kind != TSB_ENTRY_EXECUTE) continue;
    const struct tsb_owner* batch = &addon->inbox[i].owner;
    *loop__taken(addon, batch) = (struct tsb_loop_taken){batch->generation, now_ns};
  }
}

// Writes into the first entries of the outbox when their batches were taken, where they tell that.
static void loop__stamp(struct tsb_addon* addon, uint32_t count) {
  for (uint32_t i = 0; i < count; i++) {
    struct tsb_entry* entry = &addon->outbox[i];
    if (entry->kind != TSB_ENTRY_RESPONSE && entry->kind != TSB_ENTRY_SETTLED) continue;
    const struct tsb_loop_taken* taken = loop__taken(addon, &entry->owner);
    entry->value = taken->generation == entry->owner.generation ? taken->at_ns : 0;
  }
}

int tsb_loop_send(struct tsb_addon* addon, uint32_t entries, uint32_t blocks) {
  loop__stamp(addon, entries);
  int status = tsb_connection_write(&addon->connection, addon->outbox, entries);
  for (uint32_t i = 0; i < blocks && status == 0; i++) {
    const double* block = addon->blocks + 3 * i;
    status = tsb_connection_free_later(&addon->connection, (uint32_t)block[0], (uint64_t)block[1], (uint64_t)block[2]);
  }
  return status;
}

// The last batch among what came; the rest is about batches that are here, and says nothing of how often they come.
static const struct tsb_entry* loop__last_batch(const struct tsb_addon* addon, uint32_t count) {
  while (count > 0 && addon->inbox[count - 1].kind != TSB_ENTRY_EXECUTE) count--;
  return count == 0 ? NULL : &addon->inbox[count - 1];
}

static void loop__note_batch(struct tsb_addon* addon, const struct tsb_entry* batch, uint64_t now_ns) {
  struct tsb_loop_pace* pace = &addon->pace;
  if (pace->idle_since_ns != 0) {
    uint64_t gap_ns = now_ns - pace->idle_since_ns;
    // One long pause is not remembered for long.
    if (gap_ns > 8 * TSB_PACE_MAX_GAP_NS) gap_ns = 8 * TSB_PACE_MAX_GAP_NS;
    pace->gap_ns = tsb_pace_average(pace->gap_ns, gap_ns);
  }
  pace->is_sparse = (batch->flags & TSB_EXECUTE_SPARSE) != 0;
  tsb_idle_trim_note_work(&addon->idle_trim);
}

static void loop__note_calls(struct tsb_addon* addon, uint32_t count) {
  struct tsb_connection* connection = &addon->connection;
  uint32_t ended = 0;
  if (connection->open_calls == 0) return;
  for (uint32_t i = 0; i < count; i++) {
    const struct tsb_entry* entry = &addon->inbox[i];
    if (entry->kind == TSB_ENTRY_CALL_RESPONSE && (entry->flags & TSB_CALL_RESPONSE_FINAL) != 0) ended++;
  }
  if (ended == 0) return;
  connection->open_calls -= ended < connection->open_calls ? ended : connection->open_calls;
  addon->pace.call_ns = tsb_pace_first_average(addon->pace.call_ns, tsb_now_ns() - connection->called_ns);
}

static void loop__execute(struct tsb_addon* addon, uint32_t count) {
  const struct tsb_entry* batch = loop__last_batch(addon, count);
  if (batch != NULL) {
    uint64_t now_ns = tsb_now_ns();
    loop__note_taken(addon, count, now_ns);
    loop__note_batch(addon, batch, now_ns);
  }
  loop__note_calls(addon, count);
  loop__deliver_entries(addon, count);
  // What came may be the answer to a call, with which the model has answered its batch.
  if (addon->busy) {
    addon->pace.idle_since_ns = 0;
  } else if (batch != NULL || addon->pace.idle_since_ns == 0) {
    addon->pace.idle_since_ns = tsb_now_ns();
  }
}

// Waits a bounded time for the next batch, or for the answer to a call.
static bool loop__wait_awake(struct tsb_addon* addon) {
  struct tsb_ring* ring = &addon->connection.to_stub;
  const struct tsb_loop_pace* pace = &addon->pace;
  uint64_t wait_ns = 0;
  if (pace->idle_since_ns != 0) {
    wait_ns = tsb_pace_for_batch_ns(pace->is_sparse, pace->gap_ns);
  } else if (addon->connection.open_calls > 0) {
    wait_ns = tsb_pace_for_call_ns(pace->is_sparse, pace->call_ns);
  }
  return (wait_ns > 0 && tsb_ring_wait_yielding(ring, wait_ns)) || tsb_ring_wait_briefly(ring);
}

void tsb_loop_wake(struct tsb_addon* addon) { uv_async_send(&addon->again); }

static void loop__look(struct tsb_addon* addon) {
  struct tsb_ring* ring = &addon->connection.to_stub;
  tsb_ring_awake(ring);
  uint64_t end = tsb_now_ns() + CALLBACK_NS;
  for (;;) {
    uint32_t count = loop__take(addon);
    if (count > 0) loop__execute(addon, count);
    loop__deliver_messages(addon);  // frames that came along when JS_region looked for a region
    // Whoever wants a turn is soon done, so this side stays awake.
    if (addon->turn_wanted != 0) break;
    if (tsb_now_ns() >= end) {
      if (tsb_ring_prepare_sleep(ring, 0)) return;
      break;
    }
    if (loop__wait_awake(addon)) continue;
    if (tsb_ring_prepare_sleep(ring, 0)) return;
  }
  tsb_loop_wake(addon);  // come back after the others had their turn
}

static void loop__on_wake(uv_poll_t* handle, int status, int events) {
  struct tsb_addon* addon = handle->data;
  (void)events;
  if (status < 0) return;
  tsb_ring_clear_watch(addon->connection.watch_fd);
  loop__look(addon);
}

static void loop__on_again(uv_async_t* handle) { loop__look(handle->data); }

// Keeps a frame until JavaScript may be called; takes the message.
static int loop__queue(struct tsb_addon* addon, struct tsb_message* message) {
  struct tsb_loop_message* queued = calloc(1, sizeof *queued);
  if (queued == NULL) return -ENOMEM;
  queued->message = *message;
  tsb_message_clear(message);
  *addon->last_message = queued;
  addon->last_message = &queued->next;
  return 0;
}

// What is about memory is done at once, as an entry that names it may be next; the rest is for JavaScript (control.ts).
static int loop__dispatch(struct tsb_addon* addon, struct tsb_message* message) {
  if ((message->frame.flags & TSB_FRAME_REPLY) != 0) return loop__queue(addon, message);
  switch (message->frame.method) {
    case TSB_METHOD_REGION: return tsb_connection_adopt(&addon->connection, message);
    case TSB_METHOD_CLIENT_REGION: return tsb_client_regions_adopt(&addon->connection, message);
    default: return loop__queue(addon, message);
  }
}

int tsb_loop_read_channel(struct tsb_addon* addon) {
  for (;;) {
    struct tsb_message message;
    int status = tsb_channel_receive(addon->connection.channel, &message, 0);
    if (status == -ETIMEDOUT) return 0;
    if (status == 0) tsb_connection_end_with_server();
    if (status < 0) return status;
    status = loop__dispatch(addon, &message);
    tsb_message_free(&message);
    if (status < 0) return status;
  }
}

static bool loop__take_reply(struct tsb_addon* addon, uint32_t method, uint32_t call, struct tsb_message* reply) {
  for (struct tsb_loop_message** at = &addon->first_message; *at != NULL; at = &(*at)->next) {
    struct tsb_loop_message* queued = *at;
    const struct tsb_frame* frame = &queued->message.frame;
    if ((frame->flags & TSB_FRAME_REPLY) == 0 || frame->method != method || frame->call != call) continue;
    *at = queued->next;
    if (addon->last_message == &queued->next) addon->last_message = at;
    *reply = queued->message;
    free(queued);
    return true;
  }
  return false;
}

int tsb_loop_wait_for_reply(struct tsb_addon* addon, uint32_t method, uint32_t call, struct tsb_message* reply) {
  for (;;) {
    int status = tsb_loop_read_channel(addon);
    if (status < 0) return status;
    if (loop__take_reply(addon, method, call, reply)) break;
    struct pollfd item = {.fd = addon->connection.channel, .events = POLLIN};
    if (poll(&item, 1, -1) < 0 && errno != EINTR) return -errno;
  }
  if (addon->first_message != NULL) tsb_loop_wake(addon);
  return 0;
}

static void loop__on_channel(uv_poll_t* handle, int status, int events) {
  struct tsb_addon* addon = handle->data;
  (void)events;
  if (status == 0) status = tsb_loop_read_channel(addon);
  if (status < 0) {
    fprintf(stderr, "The control channel to the server is broken (%s); this process ends.\n", strerror(-status));
    tsb_connection_end_with_server();
  }
  loop__deliver_messages(addon);
}

int tsb_loop_start(struct tsb_addon* addon) {
  uv_loop_t* loop;
  if (napi_get_uv_event_loop(addon->env, &loop) != napi_ok) return UV_EINVAL;
  int status = uv_poll_init(loop, &addon->wake_poll, addon->connection.watch_fd);
  if (status == 0) status = uv_poll_init(loop, &addon->channel_poll, addon->connection.channel);
  if (status == 0) status = uv_async_init(loop, &addon->again, loop__on_again);
  if (status == 0) status = tsb_idle_trim_init(&addon->idle_trim, loop, loop__on_idle, addon);
  if (status < 0) return status;
  addon->wake_poll.data = addon->channel_poll.data = addon->again.data = addon;
  uv_unref((uv_handle_t*)&addon->again);  // the other two keep the loop alive, see tsb_loop_hold
  status = uv_poll_start(&addon->wake_poll, UV_READABLE, loop__on_wake);
  if (status == 0) status = uv_poll_start(&addon->channel_poll, UV_READABLE, loop__on_channel);
  if (status < 0) return status;
  addon->started = true;
  tsb_idle_trim_note_work(&addon->idle_trim);  // loading a model leaves garbage, too
  // From here on the shim must wake this process; what it wrote into the ring before is looked at now.
  if (!tsb_ring_prepare_sleep(&addon->connection.to_stub, 0)) {
    tsb_loop_wake(addon);
  }
  return 0;
}

void tsb_loop_hold(struct tsb_addon* addon, bool hold) {
  if (!addon->started) return;
  if (hold) {
    uv_ref((uv_handle_t*)&addon->wake_poll);
    uv_ref((uv_handle_t*)&addon->channel_poll);
  } else {
    uv_unref((uv_handle_t*)&addon->wake_poll);
    uv_unref((uv_handle_t*)&addon->channel_poll);
  }
}
