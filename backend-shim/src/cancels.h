// SPDX-License-Identifier: Apache-2.0
// Tells the stub of open requests that nobody waits for any more. The server has a flag for each and calls nobody when
// it changes, so somebody looks: the supervisor, and Execute while it sleeps for an answer.
#ifndef TSB_CANCELS_H
#define TSB_CANCELS_H

#include "instance_state.h"

// Looks at all open requests.
void tsb_cancels_look(struct tsb_instance* instance, struct tsb_stub* stub);
// Looks at those of a batch that is about to be handed over, whose record is written already. It needs no entry: the
// stub has the word in the record before it has the batch.
void tsb_cancels_note(struct tsb_batch_slot* slot);

#endif
