// SPDX-License-Identifier: Apache-2.0
// The calls that a stub makes over its control channel, until their replies have gone. Any thread may reply, at any
// later time, also when the stub is dead by then: then the reply goes nowhere.
#ifndef TSB_SHIM_CALLS_H
#define TSB_SHIM_CALLS_H

#include "payload.h"
#include "sender.h"
#include "stub_process.h"

struct tsb_shim_calls;
struct tsb_stub;
struct tsb_metric_table;

// A call without its reply. Who has it ends it, by tsb_shim_call_reply or tsb_shim_call_fail.
struct tsb_shim_call {
  struct tsb_shim_calls* calls;
  struct tsb_shim_call* next;
  struct tsb_stub* stub;  // who made it; good while the call is served, and longer for who retains it (stub.h)
  uint32_t id;
  uint32_t method;
  // What the stub was to do when it made the call: TSB_METHOD_LOAD, _INITIALIZE or _FINALIZE; 0: to execute batches.
  uint32_t step;
  struct tsb_metric_table* metrics;  // of the stub; until `serve` returns
};

// Who deals with a stub's calls. `serve` runs on the thread that reads the channel: nothing in it may wait for the
// server. It takes the call, and has the payload, a JSON object, until it returns.
struct tsb_shim_service {
  void (*serve)(void* context, struct tsb_shim_call* call, const struct tsb_json* payload);
  void* context;
  struct tsb_stub* stub;  // whose calls these are
};

// NULL: out of memory.
struct tsb_shim_calls* tsb_shim_calls_new(void);
// Where replies go; before the first call.
void tsb_shim_calls_open(struct tsb_shim_calls* calls, struct tsb_stub_process* process, struct tsb_sender* sender);
// The stub is going: replies go nowhere from now on, and no call can begin. Takes `calls`, or NULL.
void tsb_shim_calls_close(struct tsb_shim_calls* calls);
// What the stub is to do from now on, see tsb_shim_call.
void tsb_shim_calls_note_step(struct tsb_shim_calls* calls, uint32_t step);
// 0; -EPROTO: no correct stub makes such a call; -ENOMEM.
int tsb_shim_calls_begin(struct tsb_shim_calls* calls, const struct tsb_frame* frame, struct tsb_shim_call** call);
// Replies with a JSON object, and ends the call. A text that failed for want of memory becomes an error.
void tsb_shim_call_reply(struct tsb_shim_call* call, const struct tsb_text* payload);
// Replies with an error, which is the call's from then on, and ends the call.
void tsb_shim_call_fail(struct tsb_shim_call* call, TRITONSERVER_Error* error);

#endif
