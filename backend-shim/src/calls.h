// SPDX-License-Identifier: Apache-2.0
// Calls of other models that a stub makes, from their entry to their end. Whatever thread the server calls back from
// only writes into the stub's memory and its ring. It waits for nothing but a stub that does not read its channel while
// a new region is told to it, and for that 10 s at most.
//
//   CALL -> request of the server -> response (as many as the model gives) -> CALL_RESPONSE each
//                                 -> release of its inputs                 -> the last CALL_RESPONSE, held back until
//                                 then
#ifndef TSB_CALLS_H
#define TSB_CALLS_H

#include "instance_state.h"

// What a backend needs for calls, once it is made.
TRITONSERVER_Error* tsb_calls_prepare(struct tsb_backend* backend);
// Waits until no call of any model of the backend is open: the server would call back into a library that is gone.
void tsb_calls_wait(struct tsb_backend* backend);

// Entries of a stub; the caller is the reader of entries. 0, or -EPROTO: no correct stub writes that.
int tsb_calls_on_call(struct tsb_instance* instance, struct tsb_stub* stub, const struct tsb_entry* entry);
int tsb_calls_on_cancel(struct tsb_stub* stub, const struct tsb_entry* entry);
int tsb_calls_on_free(struct tsb_stub* stub, const struct tsb_entry* entry);

#endif
