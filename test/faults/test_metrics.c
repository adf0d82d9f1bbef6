// SPDX-License-Identifier: Apache-2.0
// Metrics of stubs: whatever a stub does, the server's metrics are right, none is used that is gone, and none is left.
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "fake_metrics.h"
#include "small_world.h"

enum { BATCHES = 50 };

#define CONFIG WORLD_IO "}"
#define SECOND "\"EXECUTE_TIMEOUT_SECONDS\":{\"string_value\":\"1\"}"
static const char TIMED[] = WORLD_IO ",\"parameters\":{" SECOND "}}";
static const char TIMED_MANY[] =
    WORLD_IO ",\"parameters\":{\"MAX_IN_FLIGHT_BATCHES\":{\"string_value\":\"8\"}," SECOND "}}";
static const char MANY[] = WORLD_IO ",\"parameters\":{\"MAX_IN_FLIGHT_BATCHES\":{\"string_value\":\"8\"}}}";

#define LABELS "stub=\"hostile\""
#define BUILT_IN "model=\"fake_model\",model_instance=\"fake_model_0\",version=\"1\""

static void expect_nothing_left(void) {
  CHECK_INT(fake_live_metrics(), 0);
  CHECK_INT(fake_live_metric_families(), 0);
  CHECK_INT(fake_live_errors(), 0);
}

// What stands before a response is done when the response has come.
static void test_order(const char* config) {
  world_start("honest", config);
  for (int i = 1; i <= BATCHES; i++) {
    world_send(0, 1);
    world_expect_end(0);
    CHECK(fake_metric_value("hostile_counter", LABELS) == i);
    CHECK(fake_metric_value("hostile_gauge", LABELS) == 5);
    world_clear();
  }
  world_end();
  CHECK(isnan(fake_metric_value("hostile_counter", LABELS)));
  expect_nothing_left();
}

static void test_evils(void) {
  static const char BROKEN[] = "wrote something that breaks the protocol; it is stopped.";
  static const char* const EVILS[] = {
      "metric_place",         "metric_index",         "metric_unused",        "metric_item",
      "metric_stale",         "metric_table",         "metric_family_counts", "metric_no_flag",
      "metric_two_flags",     "metric_unknown_flag",  "counter_falls",        "counter_is_set",
      "counter_observes",     "metric_nan",           "metric_infinite",      "metric_under_its_family",
      "metric_deleted_twice", "family_deleted_twice", "asks_without_reading"};
  for (size_t i = 0; i < sizeof EVILS / sizeof EVILS[0]; i++) {
    world_expect_recovery(EVILS[i], CONFIG, BROKEN);
    expect_nothing_left();
  }
}

// What cannot be made is refused with a reason, and nothing that is there is touched, nor anything made.
static void test_refusal(const char* evil, const char* says) {
  static long metrics, families;  // that are there with an honest stub, which comes first
  world_start(evil, CONFIG);
  for (int i = 1; i <= 3; i++) {
    world_send(0, WORLD_REQUESTS);
    for (int j = 0; j < WORLD_REQUESTS; j++) {
      world_expect_end(j);
      world_expect_echo(j);
    }
    CHECK(fake_metric_value("hostile_counter", LABELS) == i);
    CHECK(fake_metric_value("hostile_gauge", LABELS) == 5);
    if (says != NULL && !fake_log_wait(says, WORLD_WAIT_MS)) CHECK_FAIL("the log does not say: %s", says);
    world_clear();
  }
  if (metrics == 0) {
    metrics = fake_live_metrics();
    families = fake_live_metric_families();
  }
  CHECK(metrics >= 2 && families >= 2);
  CHECK_INT(fake_live_metrics(), metrics);
  CHECK_INT(fake_live_metric_families(), families);
  CHECK_INT(fake_log_has("is not healthy"), false);
  world_end();
  expect_nothing_left();
}

static void test_refusals(void) {
  static const char LABELS_WRONG[] = "The labels of a metric must be an object of strings.";
  static const char BUCKETS_WRONG[] = "The buckets of a metric must be finite numbers.";
  static const char NO_FAMILY[] = "There is no such metric family any more.";
  static const char* const REFUSALS[][2] = {{"kind_below", "There is no kind -1 of metrics."},
                                            {"kind_behind", "There is no kind 3 of metrics."},
                                            {"kind_far", "There is no kind 4294967296 of metrics."},
                                            {"kind_text", "There is no kind -1 of metrics."},
                                            {"kind_none", "There is no kind -1 of metrics."},
                                            {"name_reserved", "names that begin with 'nv_'"},
                                            {"labels_list", LABELS_WRONG},
                                            {"labels_number", LABELS_WRONG},
                                            {"labels_null", LABELS_WRONG},
                                            {"labels_nested", LABELS_WRONG},
                                            {"buckets_text", BUCKETS_WRONG},
                                            {"buckets_null", BUCKETS_WRONG},
                                            {"buckets_infinite", BUCKETS_WRONG},
                                            {"family_unknown", NO_FAMILY},
                                            {"family_behind", NO_FAMILY},
                                            {"family_negative", NO_FAMILY},
                                            {"family_stale", NO_FAMILY},
                                            {"family_of_another", NO_FAMILY},
                                            {"family_none", NO_FAMILY}};
  test_refusal("honest", NULL);
  for (size_t i = 0; i < sizeof REFUSALS / sizeof REFUSALS[0]; i++) test_refusal(REFUSALS[i][0], REFUSALS[i][1]);
}

// The next process makes them again, and they go on from there.
static void test_death(void) {
  world_expect_recovery("exit_with_metrics", CONFIG, "It exited with code 7.");
  expect_nothing_left();
}

static void test_floods(void) {
  static const char LATE[] = "did not answer within 1 seconds (EXECUTE_TIMEOUT_SECONDS)";
  world_expect_recovery("metric_floods", TIMED, LATE);
  world_expect_recovery("metric_floods", TIMED_MANY, LATE);
  expect_nothing_left();
}

static long counted(const char* name) { return fake_metric_count(name, BUILT_IN); }

static double shown(const char* name) { return fake_metric_value(name, BUILT_IN); }

static void wait_until(const char* name, double value) {
  for (int waited = 0; fabs(shown(name) - value) > 1e-9; waited++) {
    if (waited > WORLD_WAIT_MS) CHECK_FAIL("%s is %g", name, shown(name));
    usleep(1000);
  }
}

// Every batch is measured, and a restart counted, whatever times the stub tells.
static void test_built_in(const char* evils) {
  static const char EXECUTE[] = "triton_typescript_execute_duration_seconds";
  static const char ROUND_TRIP[] = "triton_typescript_round_trip_duration_seconds";
  world_start(evils, CONFIG);
  for (int i = 0; i < BATCHES; i++) {
    world_send(0, WORLD_REQUESTS);
    for (int j = 0; j < WORLD_REQUESTS; j++) world_expect_end(j);
    world_clear();
  }
  world_expect_nothing_open();
  if (FAKE_TRITON_IS_OLD) {
    CHECK_INT(counted(EXECUTE), -1);
  } else {
    CHECK_INT(counted(EXECUTE), BATCHES);
    CHECK_INT(counted(ROUND_TRIP), BATCHES);
    CHECK(shown(EXECUTE) >= 0 && shown(EXECUTE) <= shown(ROUND_TRIP));
  }
  CHECK(fake_metric_value("triton_typescript_shared_memory_bytes", "direction=\"input\"," BUILT_IN) >= 0);
  CHECK(shown("triton_typescript_restarts_total") == 0);
  pthread_mutex_lock(&world_instance()->lock);
  kill(world_instance()->stub->process.pid, SIGKILL);
  pthread_mutex_unlock(&world_instance()->lock);
  wait_until("triton_typescript_restarts_total", 1);
  wait_until("triton_typescript_open_requests", 0);
  world_end();
  CHECK(isnan(shown("triton_typescript_restarts_total")));
  expect_nothing_left();
}

int main(void) {
  world_prepare("metrics");
  setenv("FAKE_STUB_METRICS", "1", 1);
  test_order(CONFIG);
  test_order(MANY);
  test_evils();
  test_refusals();
  test_death();
  test_floods();
  test_built_in("honest");
  unsetenv("FAKE_STUB_METRICS");
  test_built_in("taken_in_the_future");
  test_built_in("taken_long_ago");
  world_close();
  return 0;
}
