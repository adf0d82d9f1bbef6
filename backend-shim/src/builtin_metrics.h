// SPDX-License-Identifier: Apache-2.0
// What /metrics says of every instance, whatever its model makes: docs/metrics.md has the list. It costs three
// observations for each batch (0.1 us each, measured on a busy machine), made when its answers are sent, and one for
// each stream; the rest is looked at once a second.
#ifndef TSB_BUILTIN_METRICS_H
#define TSB_BUILTIN_METRICS_H

#include <stdint.h>

#include "metric_family.h"

enum tsb_builtin {
  // Histograms, in ns; not on servers that have none.
  TSB_BUILTIN_EXECUTE,
  TSB_BUILTIN_ROUND_TRIP,
  TSB_BUILTIN_EVENT_LOOP_LAG,
  TSB_BUILTIN_FIRST_RESPONSE,
  // A counter.
  TSB_BUILTIN_RESTARTS,
  // Gauges.
  TSB_BUILTIN_OPEN_REQUESTS,
  TSB_BUILTIN_OPEN_CALLS,
  TSB_BUILTIN_INPUT_MEMORY,
  TSB_BUILTIN_OUTPUT_MEMORY,
  TSB_BUILTIN_COUNT,
};

// Those of one instance; of one that is switched off, all zero, and nothing happens.
struct tsb_builtin_metrics {
  struct tsb_metric metrics[TSB_BUILTIN_COUNT];
  uint64_t shown[TSB_BUILTIN_COUNT];  // this instance's part of a gauge
};

struct tsb_builtin_labels {
  const char *model, *version, *instance;
};

// Makes them. What the server does not have is left out.
void tsb_builtin_metrics_open(struct tsb_builtin_metrics* metrics, const struct tsb_builtin_labels* labels);
void tsb_builtin_metrics_close(struct tsb_builtin_metrics* metrics);
// One observation. Any thread.
void tsb_builtin_metrics_observe(const struct tsb_builtin_metrics* metrics, enum tsb_builtin which, uint64_t ns);
// One more. Any thread.
void tsb_builtin_metrics_count(const struct tsb_builtin_metrics* metrics, enum tsb_builtin which);
// What a gauge is now, for this instance. While a model is reloaded the old and the new instance have the same labels,
// and what is shown is their sum. One thread.
void tsb_builtin_metrics_show(struct tsb_builtin_metrics* metrics, enum tsb_builtin which, uint64_t value);

#endif
