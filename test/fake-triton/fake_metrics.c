// SPDX-License-Identifier: Apache-2.0
#include "fake_metrics.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_BUCKETS = 256 };

// A value, as the registry has it; one that was removed stays, so that a late use is seen.
struct cell {
  char labels[5000];
  bool is_removed;
  double value;
  long count;
  double buckets[MAX_BUCKETS];
  long bucket_counts[MAX_BUCKETS];
  uint64_t bucket_count;
  struct cell* next;
};

// A name, which is taken for ever.
struct name {
  char* text;
  TRITONSERVER_MetricKind kind;
  struct cell* cells;
  struct name* next;
};

struct hold {
  struct cell* cell;
  long count;
};

struct TRITONSERVER_MetricFamily {
  struct name* name;
  struct hold* holds;
  long hold_count, hold_capacity, metric_count;
};

struct TRITONSERVER_Metric {
  TRITONSERVER_MetricFamily* family;
  struct cell* cell;
};

struct TRITONSERVER_MetricArgs {
  double buckets[MAX_BUCKETS];
  uint64_t count;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct name* names;
static atomic_long live_metrics, live_families;

long fake_live_metrics(void) { return live_metrics; }
long fake_live_metric_families(void) { return live_families; }

static struct name* find_name(const char* text) {
  struct name* name = names;
  while (name != NULL && strcmp(name->text, text) != 0) name = name->next;
  return name;
}

static struct cell* find_cell(struct name* name, const char* labels) {
  struct cell* cell = name == NULL ? NULL : name->cells;
  while (cell != NULL && (cell->is_removed || strcmp(cell->labels, labels) != 0)) cell = cell->next;
  return cell;
}

double fake_metric_value(const char* family, const char* labels) {
  pthread_mutex_lock(&lock);
  const struct cell* cell = find_cell(find_name(family), labels);
  double value = cell == NULL ? NAN : cell->value;
  pthread_mutex_unlock(&lock);
  return value;
}

long fake_metric_count(const char* family, const char* labels) {
  pthread_mutex_lock(&lock);
  const struct cell* cell = find_cell(find_name(family), labels);
  long count = cell == NULL ? -1 : cell->count;
  pthread_mutex_unlock(&lock);
  return count;
}

long fake_metric_bucket(const char* family, const char* labels, double bucket) {
  long count = -1;
  pthread_mutex_lock(&lock);
  const struct cell* cell = find_cell(find_name(family), labels);
  for (uint64_t i = 0; cell != NULL && i < cell->bucket_count; i++) {
    if (fabs(cell->buckets[i] - bucket) < 1e-12) count = cell->bucket_counts[i];
  }
  pthread_mutex_unlock(&lock);
  return count;
}

void fake_metrics_forget(void) {
  pthread_mutex_lock(&lock);
  for (struct name* name = names; name != NULL; name = name->next) {
    for (struct cell** at = &name->cells; *at != NULL;) {
      struct cell* cell = *at;
      if (!cell->is_removed) {
        at = &cell->next;
        continue;
      }
      *at = cell->next;
      free(cell);
    }
  }
  pthread_mutex_unlock(&lock);
}

static TRITONSERVER_Error* failure(TRITONSERVER_Error_Code code, const char* text) {
  return TRITONSERVER_ErrorNew(code, text);
}

TRITONSERVER_Error* TRITONSERVER_MetricFamilyNew(TRITONSERVER_MetricFamily** family, TRITONSERVER_MetricKind kind,
                                                 const char* text, const char* description) {
  (void)description;
  if (text[0] >= '0' && text[0] <= '9') return failure(TRITONSERVER_ERROR_INVALID_ARG, "Invalid metric name");
  pthread_mutex_lock(&lock);
  struct name* name = find_name(text);
  if (name == NULL) {
    name = calloc(1, sizeof *name);
    *name = (struct name){.text = strdup(text), .kind = kind, .next = names};
    names = name;
  }
  pthread_mutex_unlock(&lock);
  if (name->kind != kind) {
    return failure(TRITONSERVER_ERROR_INVALID_ARG, "Family name already exists with different type");
  }
  *family = calloc(1, sizeof **family);
  (*family)->name = name;
  live_families++;
  return NULL;
}

TRITONSERVER_Error* TRITONSERVER_MetricFamilyDelete(TRITONSERVER_MetricFamily* family) {
  if (family->metric_count > 0) {
    return failure(TRITONSERVER_ERROR_INTERNAL,
                   "Must call MetricDelete on all dependent metrics before calling MetricFamilyDelete.");
  }
  free(family->holds);
  free(family);
  live_families--;
  return NULL;
}

static int by_name(const void* a, const void* b) {
  return strcmp((*(const TRITONSERVER_Parameter* const*)a)->name, (*(const TRITONSERVER_Parameter* const*)b)->name);
}

static void write_labels(char* text, size_t bytes, const TRITONSERVER_Parameter** labels, uint64_t count) {
  const TRITONSERVER_Parameter* sorted[64];
  size_t length = 0;
  text[0] = '\0';
  for (uint64_t i = 0; i < count; i++) sorted[i] = labels[i];
  qsort(sorted, count, sizeof *sorted, by_name);
  for (uint64_t i = 0; i < count; i++) {
    length += (size_t)snprintf(text + length, bytes - length, "%s%s=\"%s\"", i == 0 ? "" : ",", sorted[i]->name,
                               (const char*)sorted[i]->value);
  }
}

static struct hold* find_hold(TRITONSERVER_MetricFamily* family, const struct cell* cell) {
  for (long i = 0; i < family->hold_count; i++) {
    if (family->holds[i].cell == cell) return &family->holds[i];
  }
  return NULL;
}

// The caller holds the lock.
static struct cell* hold_cell(TRITONSERVER_MetricFamily* family, const TRITONSERVER_Parameter** labels, uint64_t count,
                              const TRITONSERVER_MetricArgs* args) {
  char text[sizeof family->name->cells->labels];
  write_labels(text, sizeof text, labels, count);
  struct cell* cell = find_cell(family->name, text);
  if (cell == NULL) {
    cell = calloc(1, sizeof *cell);
    strcpy(cell->labels, text);
    if (args != NULL) {
      cell->bucket_count = args->count;
      memcpy(cell->buckets, args->buckets, args->count * sizeof *args->buckets);
    }
    cell->next = family->name->cells;
    family->name->cells = cell;
  }
  struct hold* hold = find_hold(family, cell);
  if (hold == NULL) {
    if (family->hold_count == family->hold_capacity) {
      family->hold_capacity = 2 * family->hold_capacity + 4;
      family->holds = realloc(family->holds, (size_t)family->hold_capacity * sizeof *family->holds);
      if (family->holds == NULL) abort();
    }
    hold = &family->holds[family->hold_count++];
    *hold = (struct hold){cell, 0};
  }
  hold->count++;
  return cell;
}

static TRITONSERVER_Error* make(TRITONSERVER_Metric** metric, TRITONSERVER_MetricFamily* family,
                                const TRITONSERVER_Parameter** labels, uint64_t count,
                                const TRITONSERVER_MetricArgs* args) {
  if ((family->name->kind == TRITONSERVER_METRIC_KIND_HISTOGRAM) != (args != NULL)) {
    return failure(TRITONSERVER_ERROR_INVALID_ARG, "Bucket boundaries not found in Metric args.");
  }
  for (uint64_t i = 0; i < count; i++) {
    if (strchr(labels[i]->name, ' ') != NULL) return failure(TRITONSERVER_ERROR_INVALID_ARG, "Invalid label name");
  }
  *metric = calloc(1, sizeof **metric);
  pthread_mutex_lock(&lock);
  **metric = (TRITONSERVER_Metric){family, hold_cell(family, labels, count, args)};
  family->metric_count++;
  pthread_mutex_unlock(&lock);
  live_metrics++;
  return NULL;
}

TRITONSERVER_Error* TRITONSERVER_MetricNew(TRITONSERVER_Metric** metric, TRITONSERVER_MetricFamily* family,
                                           const TRITONSERVER_Parameter** labels, uint64_t count) {
  return make(metric, family, labels, count, NULL);
}

TRITONSERVER_Error* TRITONSERVER_MetricDelete(TRITONSERVER_Metric* metric) {
  pthread_mutex_lock(&lock);
  TRITONSERVER_MetricFamily* family = metric->family;
  struct hold* hold = find_hold(family, metric->cell);
  if (--hold->count == 0) {
    hold->cell->is_removed = true;
    *hold = family->holds[--family->hold_count];
  }
  family->metric_count--;
  pthread_mutex_unlock(&lock);
  free(metric);
  live_metrics--;
  return NULL;
}

// The caller holds the lock.
static struct cell* use(const TRITONSERVER_Metric* metric) {
  if (metric->cell->is_removed) {
    fprintf(stderr, "fake: a metric is used that is gone from the registry: %s\n", metric->cell->labels);
    abort();
  }
  return metric->cell;
}

static TRITONSERVER_Error* add(const TRITONSERVER_Metric* metric, double value, bool sets) {
  pthread_mutex_lock(&lock);
  struct cell* cell = use(metric);
  cell->value = sets ? value : cell->value + value;
  pthread_mutex_unlock(&lock);
  return NULL;
}

TRITONSERVER_Error* TRITONSERVER_MetricValue(TRITONSERVER_Metric* metric, double* value) {
  if (metric->family->name->kind == TRITONSERVER_METRIC_KIND_HISTOGRAM) {
    return failure(TRITONSERVER_ERROR_UNSUPPORTED, "TRITONSERVER_METRIC_KIND_HISTOGRAM does not support Value");
  }
  pthread_mutex_lock(&lock);
  *value = use(metric)->value;
  pthread_mutex_unlock(&lock);
  return NULL;
}

TRITONSERVER_Error* TRITONSERVER_MetricIncrement(TRITONSERVER_Metric* metric, double value) {
  TRITONSERVER_MetricKind kind = metric->family->name->kind;
  if (kind == TRITONSERVER_METRIC_KIND_HISTOGRAM || (kind == TRITONSERVER_METRIC_KIND_COUNTER && value < 0)) {
    return failure(TRITONSERVER_ERROR_UNSUPPORTED, "fake: this metric is not incremented so");
  }
  return add(metric, value, false);
}

TRITONSERVER_Error* TRITONSERVER_MetricSet(TRITONSERVER_Metric* metric, double value) {
  if (metric->family->name->kind != TRITONSERVER_METRIC_KIND_GAUGE) {
    return failure(TRITONSERVER_ERROR_UNSUPPORTED, "fake: this metric is not set");
  }
  return add(metric, value, true);
}

#if !FAKE_TRITON_IS_OLD
TRITONSERVER_Error* TRITONSERVER_MetricArgsNew(TRITONSERVER_MetricArgs** args) {
  *args = calloc(1, sizeof **args);
  return NULL;
}

TRITONSERVER_Error* TRITONSERVER_MetricArgsSetHistogram(TRITONSERVER_MetricArgs* args, const double* buckets,
                                                        uint64_t count) {
  if (count > MAX_BUCKETS) abort();
  for (uint64_t i = 1; i < count; i++) {
    if (!(buckets[i - 1] < buckets[i])) {
      return failure(TRITONSERVER_ERROR_INVALID_ARG, "Bucket Boundaries must be strictly sorted");
    }
  }
  if (count > 0) memcpy(args->buckets, buckets, count * sizeof *buckets);
  args->count = count;
  return NULL;
}

TRITONSERVER_Error* TRITONSERVER_MetricArgsDelete(TRITONSERVER_MetricArgs* args) {
  free(args);
  return NULL;
}

TRITONSERVER_Error* TRITONSERVER_MetricNewWithArgs(TRITONSERVER_Metric** metric, TRITONSERVER_MetricFamily* family,
                                                   const TRITONSERVER_Parameter** labels, uint64_t count,
                                                   const TRITONSERVER_MetricArgs* args) {
  return make(metric, family, labels, count, args);
}

TRITONSERVER_Error* TRITONSERVER_MetricObserve(TRITONSERVER_Metric* metric, double value) {
  if (metric->family->name->kind != TRITONSERVER_METRIC_KIND_HISTOGRAM) {
    return failure(TRITONSERVER_ERROR_UNSUPPORTED, "fake: this metric does not observe");
  }
  pthread_mutex_lock(&lock);
  struct cell* cell = use(metric);
  cell->value += value;
  cell->count++;
  for (uint64_t i = 0; i < cell->bucket_count; i++) cell->bucket_counts[i] += value <= cell->buckets[i];
  pthread_mutex_unlock(&lock);
  return NULL;
}
#endif
