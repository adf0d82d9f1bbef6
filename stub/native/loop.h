// SPDX-License-Identifier: Apache-2.0
// Ties the connection to Node's event loop: entries and control messages become calls of two JavaScript functions.
#ifndef TSB_LOOP_H
#define TSB_LOOP_H

#include <node_api.h>
#include <uv.h>

#include "idle_trim.h"
#include "connection.h"

enum {
  TSB_INBOX_ENTRIES = 64,
  TSB_OUTBOX_ENTRIES = 256,
  TSB_LOOP_TAKEN = 256,    // a power of two; of more batches at once some have no time
  TSB_LOOP_EXECUTING = 1,  // what `busy` says
  TSB_LOOP_OPEN = 2,
};

// How soon the next batch comes after an answer, see pace.h.
struct tsb_loop_pace {
  uint64_t idle_since_ns;  // 0: a batch is being executed
  uint64_t gap_ns;         // averaged over the last few
  uint64_t call_ns;        // how long the last response to a call is waited for, averaged likewise; 0: not known
  bool is_sparse;          // requests come few at a time, as the shim says
};

// What JavaScript has put into the outbox.
struct tsb_loop_unsent {
  uint32_t entries, blocks;
  uint32_t goes_soon;  // written here: it is sent when JavaScript returns, without being asked for
};

// When a batch was taken from the ring.
struct tsb_loop_taken {
  uint32_t generation;
  uint64_t at_ns;
};

// A control message that arrived while a region was looked for; delivered from the loop, in order.
struct tsb_loop_message {
  struct tsb_message message;
  struct tsb_loop_message* next;
};

struct tsb_addon {
  napi_env env;
  struct tsb_connection connection;
  bool connected;
  bool started;
  uv_poll_t wake_poll;
  uv_poll_t channel_poll;
  uv_async_t again;  // see tsb_loop_wake
  struct tsb_idle_trim idle_trim;
  struct tsb_loop_pace pace;
  struct tsb_loop_taken taken[TSB_LOOP_TAKEN];  // by the low bits of the batch's index
  uint32_t busy;  // written by JavaScript: TSB_LOOP_EXECUTING; TSB_LOOP_OPEN while requests are open only; else 0
  uint32_t turn_wanted;  // written by JavaScript: others of the event loop have something to do that does not wait
  napi_ref on_entries;   // (count) => void: entries stand in `inbox`
  napi_ref on_frame;     // (method, call, isReply, region, payload) => void
  napi_ref on_idle;      // () => void: no batch has come for a while
  napi_ref on_broken;    // (error) => void: what was to be sent by itself cannot be
  napi_async_context context;
  struct tsb_entry inbox[TSB_INBOX_ENTRIES];
  struct tsb_entry outbox[TSB_OUTBOX_ENTRIES];
  struct tsb_loop_unsent unsent;
  double blocks[3 * TSB_OUTBOX_ENTRIES];  // region, offset, bytes of blocks to free after the outbox is consumed
  double cell[2];                         // region and offset of the last allocation
  struct tsb_loop_message* first_message;
  struct tsb_loop_message** last_message;
};

// 0 or a libuv error.
int tsb_loop_start(struct tsb_addon* addon);
// Whether the loop stays alive for the sake of the connection alone.
void tsb_loop_hold(struct tsb_addon* addon, bool hold);
// Reads frames that are there; regions are mapped, the rest is queued. 0 or negative.
int tsb_loop_read_channel(struct tsb_addon* addon);
// Waits for the reply to a call of this process's and takes it; what comes before it is dealt with as ever, and is
// JavaScript's turn afterwards. A server that ends meanwhile ends this process. 0 or negative: the channel is broken.
int tsb_loop_wait_for_reply(struct tsb_addon* addon, uint32_t method, uint32_t call, struct tsb_message* reply);
// Sends the first entries of the outbox, and frees blocks once they are read. 0 or negative.
int tsb_loop_send(struct tsb_addon* addon, uint32_t entries, uint32_t blocks);
// Has the loop look at what is there after the others had their turn.
void tsb_loop_wake(struct tsb_addon* addon);

#endif
