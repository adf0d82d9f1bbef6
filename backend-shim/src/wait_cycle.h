// SPDX-License-Identifier: Apache-2.0
// Models that wait for each other, or for themselves: a request that calls a model whose instances are all held by
// requests that wait for such calls, too, waits for ever. No time limit but EXECUTE_TIMEOUT_SECONDS ends that, and
// nobody sees from outside why nothing happens, so the log names the models.
//
// All instances of the backend are looked through, but only when one is full and its calls have waited for a while. A
// call of a model of another backend, an ensemble included, is taken for one that will be answered.
#ifndef TSB_WAIT_CYCLE_H
#define TSB_WAIT_CYCLE_H

#include "instance_state.h"

// Looks whether the calls of an instance wait for it, directly or by others, and warns once. For the slow tick.
void tsb_wait_cycle_look(struct tsb_instance* instance);

#endif
