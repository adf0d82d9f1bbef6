// SPDX-License-Identifier: Apache-2.0
// The steps of a stub in its instance: it is started and initialized, and at the end the model is finalized.
#ifndef TSB_INSTANCE_STUB_H
#define TSB_INSTANCE_STUB_H

#include "instance_state.h"

// Starts a stub for this instance and runs the model's initialize.
TRITONSERVER_Error* tsb_instance_stub_start(struct tsb_instance* instance, struct tsb_stub** stub);
// Lets the model finalize and the process end by itself, within a limit.
void tsb_instance_stub_finalize(struct tsb_instance* instance, struct tsb_stub* stub);

#endif
