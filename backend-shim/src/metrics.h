// SPDX-License-Identifier: Apache-2.0
// What a stub says of the metrics that its model makes: it makes them by calls, and all else comes in entries, in order
// with its responses. The handles stay here: metrics go with their stub at the latest.
#ifndef TSB_METRICS_H
#define TSB_METRICS_H

#include "model.h"
#include "stub.h"

// See shim_methods.c.
void tsb_shim_on_metric_family(struct tsb_model* model, struct tsb_shim_call* call, const struct tsb_json* payload);
void tsb_shim_on_metric(struct tsb_model* model, struct tsb_shim_call* call, const struct tsb_json* payload);
// A METRIC entry; the caller is the reader of entries. 0, or -EPROTO: no correct stub writes that.
int tsb_metrics_on_entry(struct tsb_stub* stub, const struct tsb_entry* entry);

#endif
