// SPDX-License-Identifier: Apache-2.0
// The life of one model instance: made with its stub and the thread that looks after it, and taken down.
#ifndef TSB_INSTANCE_H
#define TSB_INSTANCE_H

#include "instance_state.h"

TRITONSERVER_Error* tsb_instance_new(struct tsb_instance** instance, TRITONBACKEND_ModelInstance* triton);
void tsb_instance_delete(struct tsb_instance* instance);
TRITONSERVER_Error* tsb_instance_ready(struct tsb_instance* instance);

#endif
