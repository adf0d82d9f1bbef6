// SPDX-License-Identifier: Apache-2.0
#include "metric_family.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

// The server never forgets the name of a family, so that who makes new names without end would use its memory up.
enum { MAX_NAMES = 1 << 12 };

struct tsb_metric_family {
  char* name;
  TRITONSERVER_MetricKind kind;
  TRITONSERVER_MetricFamily* triton;  // NULL: nobody uses it
  bool is_taken;                      // the server knows the name, and keeps it
  uint32_t uses;
  struct tsb_metric_family* next;
};

// Also held while metrics are made and deleted: the server does not count atomically who holds one.
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct tsb_metric_family* families;
static uint32_t name_count;

static const char* metric_family__kind_name(TRITONSERVER_MetricKind kind) {
  switch (kind) {
    case TRITONSERVER_METRIC_KIND_COUNTER: return "counter";
    case TRITONSERVER_METRIC_KIND_GAUGE: return "gauge";
    default: return "histogram";
  }
}

static TRITONSERVER_Error* metric_family__out_of_memory(void) {
  return tsb_error_new(TRITONSERVER_ERROR_INTERNAL, "Out of memory while making a metric.");
}

static TRITONSERVER_Error* metric_family__named(struct tsb_metric_family** family, TRITONSERVER_MetricKind kind,
                                                const char* name) {
  for (*family = families; *family != NULL; *family = (*family)->next) {
    if (strcmp((*family)->name, name) == 0) break;
  }
  if (*family != NULL && (*family)->kind != kind) {
    return tsb_error_new(TRITONSERVER_ERROR_INVALID_ARG,
                         "The metric family '%s' cannot be a %s: it was made as a %s, and a name keeps its kind until "
                         "the server ends. Choose another name.",
                         name, metric_family__kind_name(kind), metric_family__kind_name((*family)->kind));
  }
  if (*family != NULL) return NULL;
  if (name_count == MAX_NAMES) {
    return tsb_error_new(TRITONSERVER_ERROR_UNAVAILABLE,
                         "The metric family '%s' cannot be made: there were %d names already, and the server keeps "
                         "them until it ends. Tell values apart by labels, not by names.",
                         name, MAX_NAMES);
  }
  *family = calloc(1, sizeof **family);
  char* copy = strdup(name);
  if (*family == NULL || copy == NULL) {
    free(*family);
    free(copy);
    return metric_family__out_of_memory();
  }
  **family = (struct tsb_metric_family){.name = copy, .kind = kind, .next = families};
  families = *family;
  name_count++;
  return NULL;
}

// A name that the server has refused is not taken.
static void metric_family__forget(struct tsb_metric_family* family) {
  for (struct tsb_metric_family** at = &families; *at != NULL; at = &(*at)->next) {
    if (*at != family) continue;
    *at = family->next;
    break;
  }
  name_count--;
  free(family->name);
  free(family);
}

TRITONSERVER_Error* tsb_metric_family_open(struct tsb_metric_family** result, TRITONSERVER_MetricKind kind,
                                           const char* name, const char* description) {
  struct tsb_metric_family* family;
  if (kind == TRITONSERVER_METRIC_KIND_HISTOGRAM &&
      (TRITONSERVER_MetricNewWithArgs == NULL || TRITONSERVER_MetricObserve == NULL)) {
    return tsb_error_new(TRITONSERVER_ERROR_UNSUPPORTED,
                         "The metric family '%s' is a histogram, which this server does not have: that takes Triton "
                         "24.08 or newer.",
                         name);
  }
  pthread_mutex_lock(&lock);
  TRITONSERVER_Error* error = metric_family__named(&family, kind, name);
  if (error == NULL && family->triton == NULL) {
    error = TRITONSERVER_MetricFamilyNew(&family->triton, kind, name, description);
    if (error != NULL) family->triton = NULL;
    family->is_taken = family->is_taken || error == NULL;
    if (!family->is_taken) metric_family__forget(family);
  }
  if (error == NULL) {
    family->uses++;
    *result = family;
  }
  pthread_mutex_unlock(&lock);
  return error;
}

// The caller holds the lock.
static void metric_family__release(struct tsb_metric_family* family) {
  if (--family->uses > 0) return;
  tsb_error_log(TRITONSERVER_MetricFamilyDelete(family->triton), "TRITONSERVER_MetricFamilyDelete");
  family->triton = NULL;
}

void tsb_metric_family_close(struct tsb_metric_family* family) {
  pthread_mutex_lock(&lock);
  metric_family__release(family);
  pthread_mutex_unlock(&lock);
}

static TRITONSERVER_Error* metric__new_histogram(struct tsb_metric* metric, const TRITONSERVER_Parameter** labels,
                                                 const struct tsb_metric_plan* plan) {
  TRITONSERVER_MetricArgs* args;
  TSB_RETURN_IF_ERROR(TRITONSERVER_MetricArgsNew(&args));
  TRITONSERVER_Error* error = TRITONSERVER_MetricArgsSetHistogram(args, plan->buckets, plan->bucket_count);
  if (error == NULL) {
    error = TRITONSERVER_MetricNewWithArgs(&metric->triton, metric->family->triton, labels, plan->label_count, args);
  }
  tsb_error_log(TRITONSERVER_MetricArgsDelete(args), "TRITONSERVER_MetricArgsDelete");
  return error;
}

TRITONSERVER_Error* tsb_metric_new(struct tsb_metric* metric, struct tsb_metric_family* family,
                                   const struct tsb_metric_plan* plan) {
  uint32_t count = plan->label_count;
  TRITONSERVER_Parameter** labels = calloc(count == 0 ? 1 : count, sizeof *labels);
  TRITONSERVER_Error* error = labels == NULL ? metric_family__out_of_memory() : NULL;
  *metric = (struct tsb_metric){.family = family, .kind = family->kind};
  for (uint32_t i = 0; i < count && error == NULL; i++) {
    const struct tsb_metric_label* label = &plan->labels[i];
    labels[i] = TRITONSERVER_ParameterNew(label->name, TRITONSERVER_PARAMETER_STRING, label->value);
    if (labels[i] == NULL) error = metric_family__out_of_memory();
  }
  if (error == NULL) {
    const TRITONSERVER_Parameter** given = (const TRITONSERVER_Parameter**)labels;
    pthread_mutex_lock(&lock);
    error = family->kind == TRITONSERVER_METRIC_KIND_HISTOGRAM
                ? metric__new_histogram(metric, given, plan)
                : TRITONSERVER_MetricNew(&metric->triton, family->triton, given, count);
    if (error == NULL) family->uses++;
    pthread_mutex_unlock(&lock);
  }
  for (uint32_t i = 0; i < count && labels != NULL; i++) {
    if (labels[i] != NULL) TRITONSERVER_ParameterDelete(labels[i]);
  }
  free(labels);
  if (error != NULL) metric->family = NULL;
  return error;
}

void tsb_metric_delete(struct tsb_metric* metric) {
  if (metric->family == NULL) return;
  pthread_mutex_lock(&lock);
  tsb_error_log(TRITONSERVER_MetricDelete(metric->triton), "TRITONSERVER_MetricDelete");
  metric_family__release(metric->family);
  pthread_mutex_unlock(&lock);
  metric->family = NULL;
}

bool tsb_metric_may_increment(const struct tsb_metric* metric, double by) {
  if (!isfinite(by)) return false;
  return metric->kind == TRITONSERVER_METRIC_KIND_GAUGE ||
         (metric->kind == TRITONSERVER_METRIC_KIND_COUNTER && by >= 0);
}

bool tsb_metric_may_set(const struct tsb_metric* metric) { return metric->kind == TRITONSERVER_METRIC_KIND_GAUGE; }

bool tsb_metric_may_observe(const struct tsb_metric* metric, double value) {
  return metric->kind == TRITONSERVER_METRIC_KIND_HISTOGRAM && isfinite(value);
}

void tsb_metric_increment(const struct tsb_metric* metric, double by) {
  if (metric->family == NULL) return;
  tsb_error_log(TRITONSERVER_MetricIncrement(metric->triton, by), "TRITONSERVER_MetricIncrement");
}

void tsb_metric_set(const struct tsb_metric* metric, double value) {
  if (metric->family == NULL) return;
  tsb_error_log(TRITONSERVER_MetricSet(metric->triton, value), "TRITONSERVER_MetricSet");
}

void tsb_metric_observe(const struct tsb_metric* metric, double value) {
  if (metric->family == NULL) return;
  tsb_error_log(TRITONSERVER_MetricObserve(metric->triton, value), "TRITONSERVER_MetricObserve");
}

bool tsb_metric_value(const struct tsb_metric* metric, double* value) {
  *value = 0;  // the server looks at it
  if (metric->kind == TRITONSERVER_METRIC_KIND_HISTOGRAM) return true;
  TRITONSERVER_Error* error = TRITONSERVER_MetricValue(metric->triton, value);
  if (error == NULL) return true;
  tsb_error_log(error, "TRITONSERVER_MetricValue");
  return false;
}
