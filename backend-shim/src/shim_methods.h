// SPDX-License-Identifier: Apache-2.0
// What a stub may ask over its control channel: each method's function.
#ifndef TSB_SHIM_METHODS_H
#define TSB_SHIM_METHODS_H

#include "model.h"

// Serves a call of a stub of a model, see shim_calls.h. `model` is a struct tsb_model.
void tsb_shim_methods_serve(void* model, struct tsb_shim_call* call, const struct tsb_json* payload);

#endif
