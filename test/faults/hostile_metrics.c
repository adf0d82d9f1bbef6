// SPDX-License-Identifier: Apache-2.0
// The fake stub with a counter and a gauge: FAKE_STUB_METRICS is set. For each batch it counts and sets them before it
// answers; and what of this can be done wrong.
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client_regions.h"
#include "hostile_stub.h"

enum { QUESTIONS = 300 };

static struct tsb_owner counters, gauges, counter, gauge;

bool has_metrics(void) { return getenv("FAKE_STUB_METRICS") != NULL; }

static uint32_t number_of(const char* payload, const char* key) {
  const char* at = strstr(payload, key);
  if (at == NULL) _exit(120);
  return (uint32_t)strtoul(at + strlen(key) + 2, NULL, 10);
}

// Makes something by a call, and waits until it is there.
static struct tsb_owner make(uint32_t method, uint32_t table, const char* payload) {
  static uint32_t last_call = 1000;
  struct tsb_outgoing call = {
      .method = method, .call = ++last_call, .payload = payload, .payload_bytes = strlen(payload)};
  tsb_channel_send(CHANNEL, &call, -1);
  for (;;) {
    struct tsb_message message;
    if (tsb_channel_receive(CHANNEL, &message, -1) <= 0) _exit(121);
    const struct tsb_frame* frame = &message.frame;
    struct tsb_owner owner = {.table = table};
    bool is_reply = (frame->flags & TSB_FRAME_REPLY) != 0 && frame->call == last_call;
    if (is_reply) {
      owner.index = number_of(message.payload, "\"index");
      owner.generation = number_of(message.payload, "\"generation");
    } else if (frame->method == TSB_METHOD_REGION) {
      if (tsb_connection_adopt(&connection_, &message) < 0) _exit(122);
    }
    tsb_message_free(&message);
    if (is_reply) return owner;
  }
}

static struct tsb_owner make_family(int kind, const char* name) {
  char payload[256];
  snprintf(payload, sizeof payload, "{\"kind\":%d,\"name\":\"%s\",\"description\":\"\"}", kind, name);
  return make(TSB_METHOD_METRIC_FAMILY, TSB_TABLE_METRIC_FAMILIES, payload);
}

static struct tsb_owner make_metric(const struct tsb_owner* family) {
  char payload[256];
  snprintf(payload, sizeof payload, "{\"index\":%u,\"generation\":%u,\"labels\":{\"stub\":\"hostile\"},\"buckets\":[]}",
           family->index, family->generation);
  return make(TSB_METHOD_METRIC, TSB_TABLE_METRICS, payload);
}

static void say(struct tsb_owner owner, uint32_t flags, double value) {
  struct tsb_entry entry = {.kind = TSB_ENTRY_METRIC, .flags = flags, .owner = owner};
  memcpy(&entry.value, &value, sizeof value);
  if (is("metric_place")) entry.place.bytes = 8;
  if (tsb_connection_write(&connection_, &entry, 1) < 0) _exit(97);
}

static struct tsb_owner wrong_owner(void) {
  struct tsb_owner owner = counter;
  if (is("metric_index")) owner.index = UINT32_MAX;
  if (is("metric_unused")) owner.index += 100;
  if (is("metric_item")) owner.item = 1;
  if (is("metric_stale")) owner.generation--;
  if (is("metric_table")) owner.table = TSB_TABLE_BATCHES;
  if (is("metric_family_counts")) owner = counters;
  return owner;
}

static void change_without_a_rest(void) {
  struct tsb_entry entry = {.kind = TSB_ENTRY_METRIC, .flags = TSB_METRIC_SET, .owner = gauge};
  usleep(50000);  // the supervisor is the one who reads by then, where Execute does not wait
  for (;;) {
    int status = tsb_ring_write(&connection_.to_shim, &entry);
    if (status < 0 && status != -ENOSPC) _exit(97);
    if (status < 0) tsb_ring_publish(&connection_.to_shim);
  }
}

// Calls that no correct stub makes; what is replied is printed (shim_call_replied).
static void ask_for_wrong_ones(void) {
#define FAMILY(kind, name) TSB_METHOD_METRIC_FAMILY, "{\"kind\":" kind ",\"name\":\"" name "\",\"description\":\"\"}"
#define METRIC(family, labels, buckets) TSB_METHOD_METRIC, "{" family ",\"labels\":" labels ",\"buckets\":" buckets "}"
#define GAUGES "\"index\":1,\"generation\":1"
  static const struct {
    const char* name;
    uint32_t method;
    const char* payload;
  } CALLS[] = {{"kind_below", FAMILY("-1", "wrong")},
               {"kind_behind", FAMILY("3", "wrong")},
               {"kind_far", FAMILY("4294967296", "wrong")},
               {"kind_text", FAMILY("\"gauge\"", "wrong")},
               {"kind_none", TSB_METHOD_METRIC_FAMILY, "{}"},
               {"name_reserved", FAMILY("0", "nv_wrong")},
               {"labels_list", METRIC(GAUGES, "[\"a\"]", "[]")},
               {"labels_number", METRIC(GAUGES, "{\"a\":\"b\",\"c\":1}", "[]")},
               {"labels_null", METRIC(GAUGES, "{\"a\":null}", "[]")},
               {"labels_nested", METRIC(GAUGES, "{\"a\":{\"b\":\"c\"}}", "[]")},
               {"buckets_text", METRIC(GAUGES, "{}", "[1,\"2\"]")},
               {"buckets_null", METRIC(GAUGES, "{}", "[null]")},
               {"buckets_infinite", METRIC(GAUGES, "{}", "[1e999]")},
               {"family_unknown", METRIC("\"index\":4711,\"generation\":1", "{}", "[]")},
               {"family_behind", METRIC("\"index\":2,\"generation\":1", "{}", "[]")},
               {"family_negative", METRIC("\"index\":-1,\"generation\":-1", "{}", "[]")},
               {"family_stale", METRIC("\"index\":1,\"generation\":0", "{}", "[]")},
               {"family_of_another", METRIC("\"index\":1,\"generation\":2", "{}", "[]")},
               {"family_none", TSB_METHOD_METRIC, "{}"}};
  if (gauges.index != 1 || gauges.generation != 1) _exit(123);
  for (size_t i = 0; i < sizeof CALLS / sizeof CALLS[0]; i++) {
    if (is(CALLS[i].name)) send_frame(CALLS[i].method, 0, 1, CALLS[i].payload);
  }
#undef FAMILY
#undef METRIC
#undef GAUGES
}

static void evil_changes(void) {
  if (is("metric_no_flag")) say(counter, 0, 1);
  if (is("metric_two_flags")) say(gauge, TSB_METRIC_SET | TSB_METRIC_INCREMENT, 1);
  if (is("metric_unknown_flag")) say(gauge, 1u << 30, 1);
  if (is("counter_falls")) say(counter, TSB_METRIC_INCREMENT, -1);
  if (is("counter_is_set")) say(counter, TSB_METRIC_SET, 1);
  if (is("counter_observes")) say(counter, TSB_METRIC_OBSERVE, 1);
  if (is("metric_nan")) say(gauge, TSB_METRIC_INCREMENT, NAN);
  if (is("metric_infinite")) say(gauge, TSB_METRIC_INCREMENT, INFINITY);
  if (is("metric_under_its_family")) {
    say(gauges, TSB_METRIC_DELETE, 0);
    say(gauge, TSB_METRIC_SET, 1);
  }
  if (is("metric_deleted_twice")) say(gauge, TSB_METRIC_DELETE, 0), say(gauge, TSB_METRIC_DELETE, 0);
  if (is("family_deleted_twice")) say(gauges, TSB_METRIC_DELETE, 0), say(gauges, TSB_METRIC_DELETE, 0);
  if (is("asks_without_reading")) {
    for (int i = 0; i < QUESTIONS; i++) say(gauge, TSB_METRIC_ASK, 0);
  }
  if (is("metric_floods")) change_without_a_rest();
  if (is("exit_with_metrics")) _exit(7);
}

void use_metrics(void) {
  if (counter.generation == 0) {
    counters = make_family(0, "hostile_counter");
    gauges = make_family(1, "hostile_gauge");
    counter = make_metric(&counters);
    gauge = make_metric(&gauges);
  }
  say(wrong_owner(), TSB_METRIC_INCREMENT, 1);
  say(gauge, TSB_METRIC_SET, 5);
  evil_changes();
  ask_for_wrong_ones();
}
