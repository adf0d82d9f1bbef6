// SPDX-License-Identifier: Apache-2.0
#include "scheduling.h"

bool tsb_scheduling_has_one_instance(const struct tsb_json* config) {
  const struct tsb_json* groups = tsb_json_member(config, "instance_group");
  if (tsb_json_length(groups) != 1) return false;
  const struct tsb_json* group = groups->first;
  return tsb_json_int(tsb_json_member(group, "count"), 1) == 1 && tsb_json_length(tsb_json_member(group, "gpus")) <= 1;
}

bool tsb_scheduling_may_prefetch(const struct tsb_json* config) {
  if (tsb_json_member(config, "dynamic_batching") != NULL || tsb_json_member(config, "sequence_batching") != NULL) {
    return false;
  }
  if (!tsb_scheduling_has_one_instance(config)) return false;
  const struct tsb_json* group = tsb_json_member(config, "instance_group")->first;
  const struct tsb_json* limiter = tsb_json_member(group, "rate_limiter");
  return tsb_json_length(tsb_json_member(limiter, "resources")) == 0;
}
