// SPDX-License-Identifier: Apache-2.0
// What a model asks of the server about models: whether one is ready, to load one, to unload one, and whether that is
// done. All but the first may wait long, so they run on threads of their own, also when the model is gone by then.
#ifndef TSB_MODEL_CONTROL_H
#define TSB_MODEL_CONTROL_H

#include "model.h"

// See shim_methods.c.
void tsb_shim_on_model_ready(struct tsb_model* model, struct tsb_shim_call* call, const struct tsb_json* payload);
void tsb_shim_on_model_load(struct tsb_model* model, struct tsb_shim_call* call, const struct tsb_json* payload);
void tsb_shim_on_model_unload(struct tsb_model* model, struct tsb_shim_call* call, const struct tsb_json* payload);
void tsb_shim_on_model_gone(struct tsb_model* model, struct tsb_shim_call* call, const struct tsb_json* payload);

#endif
