// SPDX-License-Identifier: Apache-2.0
// Triton's Execute: hands a batch to the stub and stays until there is room for one more.
#ifndef TSB_EXECUTE_H
#define TSB_EXECUTE_H

#include "instance_state.h"

// Owns the requests from here on, whatever happens.
void tsb_execute(struct tsb_instance* instance, TRITONBACKEND_Request** requests, uint32_t count);

#endif
