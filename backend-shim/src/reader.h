// SPDX-License-Identifier: Apache-2.0
// Reads what a stub writes into its ring, and hands each entry to who deals with it, by kind. Two threads take turns as
// the reader: `reading` (instance_state.h) is held by who reads, and the ring's consumer_sleeps names the eventfd of
// who wants to be woken (enum tsb_waker), so that an answer wakes one thread.
#ifndef TSB_READER_H
#define TSB_READER_H

#include "instance_state.h"

// Reads entries that are there; the caller holds `reading`. 0: all of them; positive: some, and more may be there, so
// that who reads can look after other things in between; negative: the stub broke the protocol and was killed.
int tsb_reader_drain(struct tsb_instance* instance, struct tsb_stub* stub);
// Execute, before it hands a batch over: becomes the reader if nobody else is. Returns whether it did.
bool tsb_reader_begin(struct tsb_instance* instance, struct tsb_stub* stub);
// Execute, afterwards: reads until there is room for one more batch, and leaves the rest to the supervisor.
void tsb_reader_serve(struct tsb_instance* instance, struct tsb_stub* stub, bool is_reader, uint64_t exec_start_ns);
// Execute, instead of tsb_reader_serve, when nothing was handed over.
void tsb_reader_leave(struct tsb_instance* instance, struct tsb_stub* stub);
// Supervisor, woken by an entry: reads what is there unless Execute does.
void tsb_reader_look(struct tsb_instance* instance, struct tsb_stub* stub);

#endif
