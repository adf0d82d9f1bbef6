// SPDX-License-Identifier: Apache-2.0
// Tells a stub which lines the server's log takes, which users change while the server runs (/v2/logging). The server
// calls nobody then, so the word is renewed where somebody passes by: with each batch, on the ticks of the instance,
// and when the stub prints something, if only the empty line by which it asks (stub/src/ipc/log_levels.ts).
#ifndef TSB_LOG_LEVELS_H
#define TSB_LOG_LEVELS_H

#include "tsb_protocol.h"

// Any thread.
void tsb_log_levels_tell(struct tsb_control* control);

#endif
