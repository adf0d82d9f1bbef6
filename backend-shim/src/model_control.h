// SPDX-License-Identifier: Apache-2.0
// What a model asks of the server about other models: whether one is ready.
#ifndef TSB_MODEL_CONTROL_H
#define TSB_MODEL_CONTROL_H

#include "model.h"

// See shim_methods.c.
void tsb_shim_on_model_ready(struct tsb_model* model, struct tsb_shim_call* call, const struct tsb_json* payload);

#endif
