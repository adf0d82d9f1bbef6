// SPDX-License-Identifier: Apache-2.0
// Gives requests their responses and back to Triton: what the stub answered, or why there is no answer.
#ifndef TSB_ANSWERS_H
#define TSB_ANSWERS_H

#include "instance_state.h"

// A RESPONSE entry came; the caller is the reader of answers. 0, or -EPROTO: no correct stub writes that.
int tsb_answers_on_response(struct tsb_instance* instance, struct tsb_stub* stub, const struct tsb_entry* entry);
// A SETTLED entry came: the model is free for the next batch, though requests of this one are open still. Returns as
// above.
int tsb_answers_on_settled(struct tsb_instance* instance, struct tsb_stub* stub, const struct tsb_entry* entry);
// Fails every request that is open. The stub is dead, nobody reads its answers any more, and no other thread is here:
// the supervisor waits until all others have left (tsb_instance_leave).
void tsb_answers_fail_all(struct tsb_instance* instance, struct tsb_stub* stub, const char* reason);
// Frees the block of a request's own inputs, if it has one.
void tsb_answers_free_inputs(struct tsb_stub* stub, struct tsb_batch_slot* slot, uint32_t item);
// Fails one request that never became part of a batch.
void tsb_answers_fail_request(struct tsb_instance* instance, TRITONBACKEND_Request* request, uint64_t exec_start_ns,
                              TRITONSERVER_Error* error);

#endif
