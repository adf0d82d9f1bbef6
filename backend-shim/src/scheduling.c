// SPDX-License-Identifier: Apache-2.0
#include "scheduling.h"

#include <string.h>

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

const char* tsb_scheduling_correlation_input(const struct tsb_json* config) {
  const struct tsb_json* inputs = tsb_json_member(tsb_json_member(config, "sequence_batching"), "control_input");
  for (const struct tsb_json* input = tsb_json_length(inputs) > 0 ? inputs->first : NULL; input != NULL;
       input = input->next) {
    const struct tsb_json* controls = tsb_json_member(input, "control");
    for (const struct tsb_json* control = tsb_json_length(controls) > 0 ? controls->first : NULL; control != NULL;
         control = control->next) {
      if (strcmp(tsb_json_string(tsb_json_member(control, "kind"), ""), "CONTROL_SEQUENCE_CORRID") != 0) continue;
      return tsb_json_string(tsb_json_member(input, "name"), NULL);
    }
  }
  return NULL;
}
