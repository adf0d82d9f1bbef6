// SPDX-License-Identifier: Apache-2.0
// Metrics of the fake Triton, with what the server gets wrong: it counts who holds a metric within one handle of its
// family only. A use of one that is gone so ends the test, where it would end the server later on.
#ifndef FAKE_METRICS_H
#define FAKE_METRICS_H

#include "fake_triton.h"

// The value of a counter or a gauge, how much a histogram observed together; labels as in `model="a",version="1"`, in
// their order by name. NAN: there is no such metric.
double fake_metric_value(const char* family, const char* labels);
// How many observations a histogram has, all of them or those up to its bucket `bucket`; -1: there is no such metric.
long fake_metric_count(const char* family, const char* labels);
long fake_metric_bucket(const char* family, const char* labels, double bucket);
// What was made and not deleted yet.
long fake_live_metrics(void);
long fake_live_metric_families(void);
// Gives back the memory of what was removed; nothing may use it any more.
void fake_metrics_forget(void);

#endif
