// SPDX-License-Identifier: Apache-2.0
// The thread that looks after an instance's stub from its start to its end: logs, death, restart with a back-off.
#ifndef TSB_SUPERVISOR_H
#define TSB_SUPERVISOR_H

#include "instance_state.h"

int tsb_supervisor_start(struct tsb_instance* instance);  // 0 or -errno
// The instance is STOPPING from here on; returns when the thread has ended.
void tsb_supervisor_stop(struct tsb_instance* instance);

#endif
