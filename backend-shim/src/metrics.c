// SPDX-License-Identifier: Apache-2.0
#include "metrics.h"

#include <math.h>
#include <stdlib.h>

static TRITONSERVER_Error* metrics__out_of_memory(void) {
  return tsb_error_new(TRITONSERVER_ERROR_INTERNAL, "Out of memory while making a metric.");
}

static void metrics__add_owner(struct tsb_text* reply, enum tsb_key index, enum tsb_key generation,
                               const struct tsb_owner* owner) {
  tsb_payload_key(reply, index);
  tsb_text_printf(reply, "%u", owner->index);
  tsb_payload_key(reply, generation);
  tsb_text_printf(reply, "%u", owner->generation);
  tsb_payload_end(reply);
}

static void metrics__reply(struct tsb_shim_call* call, TRITONSERVER_Error* error, struct tsb_text* reply) {
  if (error == NULL) {
    tsb_shim_call_reply(call, reply);
  } else {
    tsb_shim_call_fail(call, error);
  }
  tsb_text_free(reply);
}

void tsb_shim_on_metric_family(struct tsb_model* model, struct tsb_shim_call* call, const struct tsb_json* payload) {
  struct tsb_text reply = {0};
  struct tsb_owner owner;
  const char* name = tsb_json_string(tsb_payload_member(payload, TSB_KEY_METRIC_FAMILY_CALL_name), "");
  const char* description = tsb_json_string(tsb_payload_member(payload, TSB_KEY_METRIC_FAMILY_CALL_description), "");
  int64_t kind = tsb_json_int(tsb_payload_member(payload, TSB_KEY_METRIC_FAMILY_CALL_kind), -1);
  (void)model;
  TRITONSERVER_Error* error =
      kind < TRITONSERVER_METRIC_KIND_COUNTER || kind > TRITONSERVER_METRIC_KIND_HISTOGRAM
          ? tsb_error_new(TRITONSERVER_ERROR_INVALID_ARG, "There is no kind %lld of metrics.", (long long)kind)
          : tsb_metric_table_add_family(call->metrics, (TRITONSERVER_MetricKind)kind, name, description, &owner);
  if (error == NULL) {
    metrics__add_owner(&reply, TSB_KEY_METRIC_FAMILY_REPLY_index, TSB_KEY_METRIC_FAMILY_REPLY_generation, &owner);
  }
  metrics__reply(call, error, &reply);
}

static TRITONSERVER_Error* metrics__read_labels(struct tsb_metric_label* labels, const struct tsb_json* given) {
  for (const struct tsb_json* item = given == NULL ? NULL : given->first; item != NULL; item = item->next, labels++) {
    *labels = (struct tsb_metric_label){.name = item->key, .value = tsb_json_string(item, NULL)};
    if (labels->name == NULL || labels->value == NULL) {
      return tsb_error_new(TRITONSERVER_ERROR_INVALID_ARG, "The labels of a metric must be an object of strings.");
    }
  }
  return NULL;
}

static TRITONSERVER_Error* metrics__read_buckets(double* buckets, const struct tsb_json* given) {
  for (const struct tsb_json* item = given == NULL ? NULL : given->first; item != NULL; item = item->next, buckets++) {
    *buckets = tsb_json_double(item, NAN);
    if (!isfinite(*buckets)) {
      return tsb_error_new(TRITONSERVER_ERROR_INVALID_ARG, "The buckets of a metric must be finite numbers.");
    }
  }
  return NULL;
}

void tsb_shim_on_metric(struct tsb_model* model, struct tsb_shim_call* call, const struct tsb_json* payload) {
  struct tsb_text reply = {0};
  const struct tsb_json* labels = tsb_payload_member(payload, TSB_KEY_METRIC_CALL_labels);
  const struct tsb_json* buckets = tsb_payload_member(payload, TSB_KEY_METRIC_CALL_buckets);
  struct tsb_owner owner,
      family = {.table = TSB_TABLE_METRIC_FAMILIES,
                .index = (uint32_t)tsb_json_int(tsb_payload_member(payload, TSB_KEY_METRIC_CALL_index), UINT32_MAX),
                .generation = (uint32_t)tsb_json_int(tsb_payload_member(payload, TSB_KEY_METRIC_CALL_generation), 0)};
  struct tsb_metric_plan plan = {.label_count = tsb_json_length(labels), .bucket_count = tsb_json_length(buckets)};
  struct tsb_metric_label* label_list = calloc(plan.label_count + 1, sizeof *label_list);
  double* bucket_list = calloc(plan.bucket_count + 1, sizeof *bucket_list);
  (void)model;
  plan.labels = label_list;
  plan.buckets = bucket_list;
  TRITONSERVER_Error* error = label_list == NULL || bucket_list == NULL ? metrics__out_of_memory() : NULL;
  if (error == NULL) error = metrics__read_labels(label_list, labels);
  if (error == NULL) error = metrics__read_buckets(bucket_list, buckets);
  if (error == NULL) error = tsb_metric_table_add(call->metrics, &family, &plan, &owner);
  if (error == NULL) {
    metrics__add_owner(&reply, TSB_KEY_METRIC_REPLY_index, TSB_KEY_METRIC_REPLY_generation, &owner);
  }
  free(label_list);
  free(bucket_list);
  metrics__reply(call, error, &reply);
}

// A stub that asks without reading the answers would have them pile up here.
static int metrics__answer(struct tsb_stub* stub, const struct tsb_entry* answer) {
  uint64_t posted, taken;
  int status = tsb_outbox_progress(&stub->to_stub, &posted, &taken);
  if (status == 0) status = tsb_metric_table_note_answer(&stub->metrics, posted + 1, taken);
  if (status == 0) tsb_stub_post(stub, answer, 1);
  return status;
}

int tsb_metrics_on_entry(struct tsb_stub* stub, const struct tsb_entry* entry) {
  struct tsb_entry answer = {0};
  int status = tsb_metric_table_apply(&stub->metrics, entry, &answer);
  return status < 0 || answer.kind == 0 ? status : metrics__answer(stub, &answer);
}
