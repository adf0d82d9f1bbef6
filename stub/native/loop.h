// SPDX-License-Identifier: Apache-2.0
// Ties the connection to Node's event loop: entries and control messages become calls of two JavaScript functions.
#ifndef TSB_LOOP_H
#define TSB_LOOP_H

#include <node_api.h>
#include <uv.h>

#include "idle_trim.h"
#include "link.h"

enum { TSB_INBOX_ENTRIES = 64, TSB_OUTBOX_ENTRIES = 256 };

// How fast batches come and go; averages over the last few.
struct tsb_pace {
  uint64_t idle_since_ns;  // 0: unknown
  uint64_t gap_ns;         // from an answer to the next batch
  uint64_t run_ns;         // one call of JavaScript
};

// A control message that arrived while a region was looked for; delivered from the loop, in order.
struct tsb_loop_message {
  struct tsb_message message;
  struct tsb_loop_message* next;
};

struct tsb_addon {
  napi_env env;
  struct tsb_link link;
  bool connected;
  bool started;
  uv_poll_t wake_poll;
  uv_poll_t channel_poll;
  struct tsb_idle_trim idle_trim;
  struct tsb_pace pace;
  bool delivering;   // JavaScript is called with entries, and loop.c goes on afterwards
  bool owes_wake;    // answers were published lazily: loop.c wakes the shim unless it reads them soon
  uint32_t busy;     // written by JavaScript: 1 while the model executes a batch
  napi_ref on_entries;   // (count) => void: entries stand in `inbox`
  napi_ref on_control;   // (kind, payload, region) => void
  napi_async_context context;
  struct tsb_entry inbox[TSB_INBOX_ENTRIES];
  struct tsb_entry outbox[TSB_OUTBOX_ENTRIES];
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

#endif
