// SPDX-License-Identifier: Apache-2.0
#include "shim_methods.h"

#include "metrics.h"
#include "model_control.h"

// One function for each method that a stub may call: who adds one to tsb_method.def is told here what is missing. It
// takes the call: it replies, or sees to it that somebody does. It runs on the thread that reads the channel, so
// nothing in it waits for the server.
static void (*const HANDLERS[])(struct tsb_model* model, struct tsb_shim_call* call, const struct tsb_json* payload) = {
#define FOR_STUB_CALL(number, handler)
#define FOR_STUB_NOTICE(number, handler)
#define FOR_BOTH_NOTICE(number, handler)
#define FOR_SHIM_NOTICE(number, handler)
#define FOR_SHIM_CALL(number, handler) [number] = handler,
#define TSB_METHOD(name, lower, number, receiver, form, text) FOR_##receiver##_##form(number, tsb_shim_on_##lower)
#define TSB_METHOD_KEY(method, part, key)
#define TSB_FRAME_FLAG(name, bit, text)
#include "tsb_method.def"
};

// Calls of methods that are not in the list end in stub_channel.c.
void tsb_shim_methods_serve(void* model, struct tsb_shim_call* call, const struct tsb_json* payload) {
  HANDLERS[call->method](model, call, payload);
}
