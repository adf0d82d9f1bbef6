// SPDX-License-Identifier: Apache-2.0
#include "builtin_metrics.h"

#include "log.h"

#define PREFIX "triton_typescript_"

// Prometheus gives each server's metrics a label `instance` of its own.
#define INSTANCE_LABEL "model_instance"

static const struct {
  const char* name;
  TRITONSERVER_MetricKind kind;
  const char* description;
  const char* direction;
} ROWS[] = {
    [TSB_BUILTIN_EXECUTE] = {PREFIX "execute_duration_seconds", TRITONSERVER_METRIC_KIND_HISTOGRAM,
                             "How long the model executed a batch, until its answers were written", NULL},
    [TSB_BUILTIN_ROUND_TRIP] = {PREFIX "round_trip_duration_seconds", TRITONSERVER_METRIC_KIND_HISTOGRAM,
                                "How long a batch was at the model's process, until the server had its answers", NULL},
    [TSB_BUILTIN_EVENT_LOOP_LAG] = {PREFIX "event_loop_lag_seconds", TRITONSERVER_METRIC_KIND_HISTOGRAM,
                                    "How long a batch waited for the event loop of a model that was free for it", NULL},
    [TSB_BUILTIN_FIRST_RESPONSE] = {PREFIX "first_response_seconds", TRITONSERVER_METRIC_KIND_HISTOGRAM,
                                    "How long a request of a decoupled model was at the model's process until the "
                                    "server had its first response",
                                    NULL},
    [TSB_BUILTIN_RESTARTS] = {PREFIX "restarts_total", TRITONSERVER_METRIC_KIND_COUNTER,
                              "How often the process of the instance was started again", NULL},
    [TSB_BUILTIN_OPEN_REQUESTS] = {PREFIX "open_requests", TRITONSERVER_METRIC_KIND_GAUGE,
                                   "Requests that the model has and that are not answered for the last time", NULL},
    [TSB_BUILTIN_OPEN_CALLS] = {PREFIX "open_calls", TRITONSERVER_METRIC_KIND_GAUGE,
                                "Calls of other models that are not over", NULL},
    [TSB_BUILTIN_INPUT_MEMORY] = {PREFIX "shared_memory_bytes", TRITONSERVER_METRIC_KIND_GAUGE,
                                  "Size of the memory that the server and the model's process share", "input"},
    [TSB_BUILTIN_OUTPUT_MEMORY] = {PREFIX "shared_memory_bytes", TRITONSERVER_METRIC_KIND_GAUGE,
                                   "Size of the memory that the server and the model's process share", "output"},
};

// Seconds: from a wake-up to a long run.
static const double BUCKETS[] = {0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01,
                                 0.025,   0.05,   0.1,     0.25,   0.5,   1,      2.5,   10};

static TRITONSERVER_Error* builtin_metrics__make(struct tsb_metric* metric, enum tsb_builtin which,
                                                 const struct tsb_builtin_labels* labels) {
  struct tsb_metric_label given[] = {{"model", labels->model},
                                     {"version", labels->version},
                                     {INSTANCE_LABEL, labels->instance},
                                     {"direction", ROWS[which].direction}};
  struct tsb_metric_plan plan = {.labels = given, .label_count = ROWS[which].direction == NULL ? 3 : 4};
  struct tsb_metric_family* family;
  if (ROWS[which].kind == TRITONSERVER_METRIC_KIND_HISTOGRAM) {
    plan.buckets = BUCKETS;
    plan.bucket_count = sizeof BUCKETS / sizeof *BUCKETS;
  }
  TSB_RETURN_IF_ERROR(tsb_metric_family_open(&family, ROWS[which].kind, ROWS[which].name, ROWS[which].description));
  TRITONSERVER_Error* error = tsb_metric_new(metric, family, &plan);
  tsb_metric_family_close(family);  // the metric keeps it
  return error;
}

void tsb_builtin_metrics_open(struct tsb_builtin_metrics* metrics, const struct tsb_builtin_labels* labels) {
  *metrics = (struct tsb_builtin_metrics){0};
  for (uint32_t which = 0; which < TSB_BUILTIN_COUNT; which++) {
    TRITONSERVER_Error* error = builtin_metrics__make(&metrics->metrics[which], which, labels);
    if (error == NULL) continue;
    // Old servers have no histograms, others no metrics at all: nobody asked for these, so it is not worth a warning.
    TSB_LOG(VERBOSE, "Instance '%s' has no metric '%s': %s", labels->instance, ROWS[which].name,
            TRITONSERVER_ErrorMessage(error));
    TRITONSERVER_ErrorDelete(error);
  }
}

void tsb_builtin_metrics_close(struct tsb_builtin_metrics* metrics) {
  for (uint32_t which = 0; which < TSB_BUILTIN_COUNT; which++) {
    if (ROWS[which].kind == TRITONSERVER_METRIC_KIND_GAUGE) tsb_builtin_metrics_show(metrics, which, 0);
    tsb_metric_delete(&metrics->metrics[which]);
  }
}

void tsb_builtin_metrics_observe(const struct tsb_builtin_metrics* metrics, enum tsb_builtin which, uint64_t ns) {
  tsb_metric_observe(&metrics->metrics[which], (double)ns * 1e-9);
}

void tsb_builtin_metrics_count(const struct tsb_builtin_metrics* metrics, enum tsb_builtin which) {
  tsb_metric_increment(&metrics->metrics[which], 1);
}

void tsb_builtin_metrics_show(struct tsb_builtin_metrics* metrics, enum tsb_builtin which, uint64_t value) {
  if (value == metrics->shown[which]) return;
  tsb_metric_increment(&metrics->metrics[which], (double)value - (double)metrics->shown[which]);
  metrics->shown[which] = value;
}
