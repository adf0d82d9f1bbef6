// SPDX-License-Identifier: Apache-2.0
// What stubs make of metrics: kinds, shared values, what is refused, bounds, and that nothing is left.
#include "metric_table.h"

#include <errno.h>
#include <math.h>

#include "check.h"
#include "fake_metrics.h"

static struct tsb_owner family_of(struct tsb_metric_table* table, TRITONSERVER_MetricKind kind, const char* name) {
  struct tsb_owner owner;
  TRITONSERVER_Error* error = tsb_metric_table_add_family(table, kind, name, "text", &owner);
  if (error != NULL) CHECK_FAIL("%s", TRITONSERVER_ErrorMessage(error));
  return owner;
}

static struct tsb_owner metric_of(struct tsb_metric_table* table, const struct tsb_owner* family, const char* value) {
  static const double BUCKETS[] = {1, 2};
  struct tsb_owner owner;
  struct tsb_metric_label label = {"label", value};
  struct tsb_metric_plan plan = {.labels = &label, .label_count = 1, .buckets = BUCKETS, .bucket_count = 2};
  TRITONSERVER_Error* error = tsb_metric_table_add(table, family, &plan, &owner);
  if (error != NULL) CHECK_FAIL("%s", TRITONSERVER_ErrorMessage(error));
  return owner;
}

static int apply(struct tsb_metric_table* table, const struct tsb_owner* owner, uint32_t flags, double value) {
  struct tsb_entry answer, entry = {.kind = TSB_ENTRY_METRIC, .flags = flags, .owner = *owner};
  memcpy(&entry.value, &value, sizeof value);
  return tsb_metric_table_apply(table, &entry, &answer);
}

static double ask(struct tsb_metric_table* table, const struct tsb_owner* owner) {
  double value;
  struct tsb_entry answer = {0}, entry = {.kind = TSB_ENTRY_METRIC, .flags = TSB_METRIC_ASK, .owner = *owner};
  CHECK_INT(tsb_metric_table_apply(table, &entry, &answer), 0);
  CHECK_INT(answer.kind, TSB_ENTRY_METRIC_VALUE);
  CHECK_INT(answer.flags, 0);
  CHECK_INT(memcmp(&answer.owner, owner, sizeof *owner), 0);
  memcpy(&value, &answer.value, sizeof value);
  return value;
}

static void expect_error(TRITONSERVER_Error* error, TRITONSERVER_Error_Code code, const char* says) {
  CHECK(error != NULL);
  CHECK_CONTAINS(TRITONSERVER_ErrorMessage(error), says);
  CHECK_INT(TRITONSERVER_ErrorCode(error), code);
  TRITONSERVER_ErrorDelete(error);
}

static void expect_no_family(struct tsb_metric_table* table, TRITONSERVER_MetricKind kind, const char* name,
                             TRITONSERVER_Error_Code code, const char* says) {
  struct tsb_owner owner;
  expect_error(tsb_metric_table_add_family(table, kind, name, "", &owner), code, says);
}

static void expect_nothing_left(void) {
  CHECK_INT(fake_live_metrics(), 0);
  CHECK_INT(fake_live_metric_families(), 0);
  CHECK_INT(fake_live_errors(), 0);
}

static void test_counter_and_gauge(void) {
  struct tsb_metric_table table;
  tsb_metric_table_init(&table);
  struct tsb_owner counters = family_of(&table, TRITONSERVER_METRIC_KIND_COUNTER, "counters");
  struct tsb_owner gauges = family_of(&table, TRITONSERVER_METRIC_KIND_GAUGE, "gauges");
  struct tsb_owner counter = metric_of(&table, &counters, "a"), gauge = metric_of(&table, &gauges, "a");
  CHECK_INT(apply(&table, &counter, TSB_METRIC_INCREMENT, 2.5), 0);
  CHECK_INT(apply(&table, &counter, TSB_METRIC_INCREMENT, 0), 0);
  CHECK_INT(apply(&table, &gauge, TSB_METRIC_SET, 7), 0);
  CHECK_INT(apply(&table, &gauge, TSB_METRIC_INCREMENT, -3), 0);
  CHECK(ask(&table, &counter) == 2.5);
  CHECK(ask(&table, &gauge) == 4);
  CHECK(fake_metric_value("counters", "label=\"a\"") == 2.5);
  // What no correct stub says changes nothing.
  CHECK_INT(apply(&table, &counter, TSB_METRIC_INCREMENT, -1), -EPROTO);
  CHECK_INT(apply(&table, &counter, TSB_METRIC_INCREMENT, NAN), -EPROTO);
  CHECK_INT(apply(&table, &counter, TSB_METRIC_INCREMENT, INFINITY), -EPROTO);
  CHECK_INT(apply(&table, &gauge, TSB_METRIC_INCREMENT, NAN), -EPROTO);
  CHECK_INT(apply(&table, &counter, TSB_METRIC_SET, 1), -EPROTO);
  CHECK_INT(apply(&table, &counter, TSB_METRIC_OBSERVE, 1), -EPROTO);
  CHECK_INT(apply(&table, &gauge, TSB_METRIC_OBSERVE, 1), -EPROTO);
  CHECK_INT(apply(&table, &gauge, 0, 1), -EPROTO);
  CHECK_INT(apply(&table, &gauge, TSB_METRIC_SET | TSB_METRIC_INCREMENT, 1), -EPROTO);
  CHECK_INT(apply(&table, &gauge, 1u << 31, 1), -EPROTO);
  CHECK(ask(&table, &counter) == 2.5);
  CHECK(ask(&table, &gauge) == 4);
  CHECK_INT(fake_live_errors(), 0);
  tsb_metric_table_destroy(&table);
  expect_nothing_left();
  CHECK(isnan(fake_metric_value("counters", "label=\"a\"")));
}

static void test_histogram(void) {
  struct tsb_metric_table table;
  struct tsb_owner owner;
  tsb_metric_table_init(&table);
  if (FAKE_TRITON_IS_OLD) {
    expect_no_family(&table, TRITONSERVER_METRIC_KIND_HISTOGRAM, "times", TRITONSERVER_ERROR_UNSUPPORTED,
                     "takes Triton 24.08 or newer");
    tsb_metric_table_destroy(&table);
    return;
  }
  struct tsb_owner times = family_of(&table, TRITONSERVER_METRIC_KIND_HISTOGRAM, "times");
  struct tsb_owner time = metric_of(&table, &times, "a");
  CHECK_INT(apply(&table, &time, TSB_METRIC_OBSERVE, 1.5), 0);
  CHECK_INT(apply(&table, &time, TSB_METRIC_OBSERVE, 9), 0);
  CHECK_INT(apply(&table, &time, TSB_METRIC_OBSERVE, NAN), -EPROTO);
  CHECK_INT(apply(&table, &time, TSB_METRIC_INCREMENT, 1), -EPROTO);
  CHECK_INT(apply(&table, &time, TSB_METRIC_SET, 1), -EPROTO);
  CHECK(ask(&table, &time) == 0);
  CHECK_INT(fake_metric_count("times", "label=\"a\""), 2);
  CHECK_INT(fake_metric_bucket("times", "label=\"a\"", 1), 0);
  CHECK_INT(fake_metric_bucket("times", "label=\"a\"", 2), 1);
  static const double FALLING[] = {2, 1};
  struct tsb_metric_plan plan = {.buckets = FALLING, .bucket_count = 2};
  expect_error(tsb_metric_table_add(&table, &times, &plan, &owner), TRITONSERVER_ERROR_INVALID_ARG, "strictly sorted");
  plan.bucket_count = 0;
  CHECK(tsb_metric_table_add(&table, &times, &plan, &owner) == NULL);
  tsb_metric_table_destroy(&table);
  expect_nothing_left();
}

// Two instances with the same labels share one value, which stays until the last of them is gone.
static void test_shared_value(void) {
  struct tsb_metric_table tables[2];
  struct tsb_owner families[2], metrics[2];
  for (int i = 0; i < 2; i++) {
    tsb_metric_table_init(&tables[i]);
    families[i] = family_of(&tables[i], TRITONSERVER_METRIC_KIND_COUNTER, "shared");
    metrics[i] = metric_of(&tables[i], &families[i], "a");
    CHECK_INT(apply(&tables[i], &metrics[i], TSB_METRIC_INCREMENT, 1), 0);
  }
  CHECK_INT(fake_live_metric_families(), 1);
  CHECK(ask(&tables[0], &metrics[0]) == 2);
  tsb_metric_table_destroy(&tables[0]);
  CHECK_INT(apply(&tables[1], &metrics[1], TSB_METRIC_INCREMENT, 1), 0);
  CHECK(ask(&tables[1], &metrics[1]) == 3);
  tsb_metric_table_destroy(&tables[1]);
  expect_nothing_left();
  // It begins anew.
  tsb_metric_table_init(&tables[0]);
  families[0] = family_of(&tables[0], TRITONSERVER_METRIC_KIND_COUNTER, "shared");
  metrics[0] = metric_of(&tables[0], &families[0], "a");
  CHECK(ask(&tables[0], &metrics[0]) == 0);
  // The name keeps its kind all the same.
  expect_no_family(&tables[0], TRITONSERVER_METRIC_KIND_GAUGE, "shared", TRITONSERVER_ERROR_INVALID_ARG,
                   "The metric family 'shared' cannot be a gauge: it was made as a counter");
  tsb_metric_table_destroy(&tables[0]);
  expect_nothing_left();
}

static void test_names_of_a_stub(void) {
  struct tsb_metric_table table, other;
  tsb_metric_table_init(&table);
  tsb_metric_table_init(&other);
  struct tsb_owner family = family_of(&table, TRITONSERVER_METRIC_KIND_GAUGE, "named");
  struct tsb_owner metric = metric_of(&table, &family, "a");
  struct tsb_owner wrong = metric;
  CHECK_INT(apply(&other, &metric, TSB_METRIC_SET, 1), -EPROTO);
  wrong.index += 1;
  CHECK_INT(apply(&table, &wrong, TSB_METRIC_SET, 1), -EPROTO);
  wrong.index = UINT32_MAX;
  CHECK_INT(apply(&table, &wrong, TSB_METRIC_SET, 1), -EPROTO);
  wrong = metric;
  wrong.item = 1;
  CHECK_INT(apply(&table, &wrong, TSB_METRIC_SET, 1), -EPROTO);
  wrong = metric;
  wrong.table = TSB_TABLE_BATCHES;
  CHECK_INT(apply(&table, &wrong, TSB_METRIC_SET, 1), -EPROTO);
  CHECK_INT(apply(&table, &family, TSB_METRIC_SET, 1), -EPROTO);
  CHECK_INT(apply(&table, &metric, TSB_METRIC_DELETE, 0), 0);
  CHECK_INT(apply(&table, &metric, TSB_METRIC_SET, 1), -EPROTO);
  CHECK_INT(apply(&table, &metric, TSB_METRIC_DELETE, 0), -EPROTO);
  struct tsb_owner next = metric_of(&table, &family, "b");
  CHECK_INT(next.index, metric.index);
  CHECK_INT(apply(&table, &metric, TSB_METRIC_SET, 1), -EPROTO);  // the old generation
  CHECK_INT(apply(&table, &next, TSB_METRIC_SET, 1), 0);
  struct tsb_entry answer, entry = {.flags = TSB_METRIC_SET, .owner = next, .place = {.bytes = 8}};
  CHECK_INT(tsb_metric_table_apply(&table, &entry, &answer), -EPROTO);
  tsb_metric_table_destroy(&other);
  tsb_metric_table_destroy(&table);
  expect_nothing_left();
}

static void test_family_with_metrics_is_deleted(void) {
  struct tsb_metric_table table;
  struct tsb_owner owner;
  struct tsb_metric_plan plan = {0};
  tsb_metric_table_init(&table);
  struct tsb_owner family = family_of(&table, TRITONSERVER_METRIC_KIND_GAUGE, "doomed");
  struct tsb_owner kept = family_of(&table, TRITONSERVER_METRIC_KIND_GAUGE, "kept");
  struct tsb_owner first = metric_of(&table, &family, "a"), second = metric_of(&table, &family, "b");
  struct tsb_owner other = metric_of(&table, &kept, "a");
  CHECK_INT(apply(&table, &family, TSB_METRIC_DELETE, 0), 0);
  CHECK_INT(fake_live_metrics(), 1);
  CHECK_INT(fake_live_metric_families(), 1);
  CHECK_INT(apply(&table, &first, TSB_METRIC_SET, 1), -EPROTO);
  CHECK_INT(apply(&table, &second, TSB_METRIC_SET, 1), -EPROTO);
  CHECK_INT(apply(&table, &other, TSB_METRIC_SET, 1), 0);
  CHECK_INT(apply(&table, &family, TSB_METRIC_DELETE, 0), -EPROTO);
  expect_error(tsb_metric_table_add(&table, &family, &plan, &owner), TRITONSERVER_ERROR_NOT_FOUND, "no such metric");
  expect_error(tsb_metric_table_add(&table, &other, &plan, &owner), TRITONSERVER_ERROR_NOT_FOUND, "no such metric");
  tsb_metric_table_destroy(&table);
  expect_nothing_left();
}

static void test_refused_names(void) {
  static char long_text[5000];
  struct tsb_owner owner;
  struct tsb_metric_table table;
  tsb_metric_table_init(&table);
  expect_no_family(&table, TRITONSERVER_METRIC_KIND_COUNTER, "nv_inference_count", TRITONSERVER_ERROR_INVALID_ARG,
                   "names that begin with 'nv_' are those of the server's own metrics");
  expect_no_family(&table, TRITONSERVER_METRIC_KIND_COUNTER, "triton_typescript_x", TRITONSERVER_ERROR_INVALID_ARG,
                   "those of the backend's own metrics");
  expect_no_family(&table, TRITONSERVER_METRIC_KIND_COUNTER, "1st", TRITONSERVER_ERROR_INVALID_ARG, "Invalid metric");
  // What the server refused is not taken: of another kind it is refused for the same reason.
  expect_no_family(&table, TRITONSERVER_METRIC_KIND_GAUGE, "1st", TRITONSERVER_ERROR_INVALID_ARG, "Invalid metric");
  expect_error(tsb_metric_table_add_family(&table, TRITONSERVER_METRIC_KIND_GAUGE, "lines", "a\nb", &owner),
               TRITONSERVER_ERROR_INVALID_ARG, "The description of the metric family 'lines' has a line break");
  memset(long_text, 'x', sizeof long_text - 1);
  expect_no_family(&table, TRITONSERVER_METRIC_KIND_COUNTER, long_text, TRITONSERVER_ERROR_INVALID_ARG,
                   "a name of 256");
  expect_error(tsb_metric_table_add_family(&table, TRITONSERVER_METRIC_KIND_COUNTER, "x", long_text, &owner),
               TRITONSERVER_ERROR_INVALID_ARG, "a description of 4096");
  struct tsb_owner family = family_of(&table, TRITONSERVER_METRIC_KIND_COUNTER, "labelled");
  struct tsb_metric_label label = {"label", long_text};
  struct tsb_metric_plan plan = {.labels = &label, .label_count = 1};
  expect_error(tsb_metric_table_add(&table, &family, &plan, &owner), TRITONSERVER_ERROR_INVALID_ARG,
               "64 labels of 4096");
  label = (struct tsb_metric_label){"a b", "c"};
  expect_error(tsb_metric_table_add(&table, &family, &plan, &owner), TRITONSERVER_ERROR_INVALID_ARG, "Invalid label");
  tsb_metric_table_destroy(&table);
  expect_nothing_left();
}

// However much a stub makes, it is told where the end is, and what it has goes on.
static void test_bounds(void) {
  struct tsb_metric_table table;
  struct tsb_owner owner, last = {0};
  struct tsb_metric_plan plan = {0};
  TRITONSERVER_Error* error = NULL;
  uint32_t count = 0;
  tsb_metric_table_init(&table);
  struct tsb_owner family = family_of(&table, TRITONSERVER_METRIC_KIND_GAUGE, "many");
  for (; count < 1000000 && error == NULL; count++) {
    error = tsb_metric_table_add(&table, &family, &plan, &owner);
    if (error == NULL) last = owner;
  }
  CHECK_INT(count, (1 << 14) + 1);
  expect_error(error, TRITONSERVER_ERROR_UNAVAILABLE, "this process has 16384 already");
  CHECK_INT(apply(&table, &last, TSB_METRIC_SET, 1), 0);
  CHECK_INT(apply(&table, &last, TSB_METRIC_DELETE, 0), 0);
  CHECK(tsb_metric_table_add(&table, &family, &plan, &owner) == NULL);
  error = NULL;
  for (count = 1; count < 1000000 && error == NULL; count++) {
    error = tsb_metric_table_add_family(&table, TRITONSERVER_METRIC_KIND_GAUGE, "many", "", &owner);
  }
  CHECK_INT(count, 1024 + 1);
  expect_error(error, TRITONSERVER_ERROR_UNAVAILABLE, "this process has 1024 families already");
  tsb_metric_table_destroy(&table);
  expect_nothing_left();
}

static void test_names_of_all(void) {
  TRITONSERVER_Error* error = NULL;
  uint32_t count = 0;
  for (; count < 100000 && error == NULL; count++) {
    char name[32];
    struct tsb_metric_family* family;
    snprintf(name, sizeof name, "name_%u", count);
    error = tsb_metric_family_open(&family, TRITONSERVER_METRIC_KIND_GAUGE, name, "");
    if (error == NULL) tsb_metric_family_close(family);
  }
  expect_error(error, TRITONSERVER_ERROR_UNAVAILABLE, "the server keeps them until it ends");
  expect_nothing_left();
}

static void test_answers_must_be_read(void) {
  struct tsb_metric_table table;
  tsb_metric_table_init(&table);
  for (uint64_t i = 1; i <= TSB_MAX_METRIC_ASKS; i++) CHECK_INT(tsb_metric_table_note_answer(&table, i, 0), 0);
  CHECK_INT(tsb_metric_table_note_answer(&table, TSB_MAX_METRIC_ASKS + 1, 1), 0);
  CHECK_INT(tsb_metric_table_note_answer(&table, TSB_MAX_METRIC_ASKS + 2, 1), -EPROTO);
  tsb_metric_table_destroy(&table);
}

int main(void) {
  test_counter_and_gauge();
  test_histogram();
  test_shared_value();
  test_names_of_a_stub();
  test_family_with_metrics_is_deleted();
  test_refused_names();
  test_bounds();
  test_answers_must_be_read();
  test_names_of_all();
  return 0;
}
