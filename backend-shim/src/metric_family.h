// SPDX-License-Identifier: Apache-2.0
// Families of metrics by name, and metrics in them. The server counts who holds a metric within a handle of its family
// only: with two handles of one family, the metric of the one is gone when that of the other with the same labels is
// deleted, and its next use ends the server. So there is one handle for each name in the whole process, whatever
// backends, models and instances this library serves; it is the library's one piece of static state. Any thread may
// use it.
#ifndef TSB_METRIC_FAMILY_H
#define TSB_METRIC_FAMILY_H

#include "error.h"

struct tsb_metric_family;

struct tsb_metric {
  struct tsb_metric_family* family;  // NULL: there is no metric
  TRITONSERVER_MetricKind kind;
  TRITONSERVER_Metric* triton;
};

struct tsb_metric_label {
  const char *name, *value;
};

// What makes a metric of a family.
struct tsb_metric_plan {
  const struct tsb_metric_label* labels;
  uint32_t label_count;
  const double* buckets;  // of a histogram, ascending
  uint32_t bucket_count;
};

// The family of that name, which is made if there is none. The first description stays. An error where the name has
// another kind, which it keeps until the server ends, or the server cannot have it.
TRITONSERVER_Error* tsb_metric_family_open(struct tsb_metric_family** family, TRITONSERVER_MetricKind kind,
                                           const char* name, const char* description);
// Ends one use. The family goes with its last use, and each metric of it is one.
void tsb_metric_family_close(struct tsb_metric_family* family);

// A metric of a family; those with the same labels share one value, and the buckets of the first.
TRITONSERVER_Error* tsb_metric_new(struct tsb_metric* metric, struct tsb_metric_family* family,
                                   const struct tsb_metric_plan* plan);
void tsb_metric_delete(struct tsb_metric* metric);

// Whether its kind of metric takes an operation with such a value: a counter is never decremented, only a gauge is set,
// only a histogram observes.
bool tsb_metric_may_increment(const struct tsb_metric* metric, double by);
bool tsb_metric_may_set(const struct tsb_metric* metric);
bool tsb_metric_may_observe(const struct tsb_metric* metric, double value);
// What may be done. The log has what the server says against it.
void tsb_metric_increment(const struct tsb_metric* metric, double by);
void tsb_metric_set(const struct tsb_metric* metric, double value);
void tsb_metric_observe(const struct tsb_metric* metric, double value);
// The value of a counter or a gauge; 0 of a histogram. False: the server does not tell.
bool tsb_metric_value(const struct tsb_metric* metric, double* value);

#endif
