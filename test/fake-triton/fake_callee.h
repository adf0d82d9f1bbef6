// SPDX-License-Identifier: Apache-2.0
// Other models of the fake server, which a model may call. What one does is its name:
//
//   echo           gives its inputs back, the first as OUT, then releases them
//   echo_inline    the same before the call has returned, as from a response cache
//   echo_early     releases first and answers later
//   echo_late      releases a while after its last response
//   stream         three responses, then an end without one
//   nothing        an end without a response
//   silent         answers when it is cancelled
//   failing        answers with an error
//   refusing       refuses the request when it is sent
//   short          answers with four bytes less than its shape has
//   keeping        makes a response and deletes it, never sent, after it has ended without one and released its inputs
//   keeping_long   the same, more than five seconds later
//   large          answers with as many bytes as no memory holds
//   held           reads its inputs and ends without a response once it is let go of, see fake_hold
//
// Any other name is of no model.
#ifndef FAKE_CALLEE_H
#define FAKE_CALLEE_H

#include "fake_triton.h"

// Requests, responses and allocators that were made and not deleted yet.
long fake_live_calls(void);
// Requests that were sent, and of these such that were cancelled, and such with a trace.
long fake_sent_calls(void);
long fake_cancelled_calls(void);
long fake_traced_calls(void);
// From now on `held` waits; false: it is let go of, as at first.
void fake_hold(bool is_on);
// How many inputs `held` has read, and what: the sum of their digests.
long fake_held_inputs(void);
uint64_t fake_held_digest(void);
uint64_t fake_digest(const void* data, uint64_t bytes);

#endif
