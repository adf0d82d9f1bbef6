// SPDX-License-Identifier: Apache-2.0
// The time that a batch may take (EXECUTE_TIMEOUT_SECONDS), and a word about one that takes very long.
#ifndef TSB_TIME_LIMIT_H
#define TSB_TIME_LIMIT_H

#include "instance_state.h"

// Looks at the batches that are open; kills the stub when one has taken too long. Any thread.
void tsb_time_limit_check(struct tsb_instance* instance, struct tsb_stub* stub);

#endif
