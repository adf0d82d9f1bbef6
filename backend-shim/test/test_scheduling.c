// SPDX-License-Identifier: Apache-2.0
#include "scheduling.h"

#include "check.h"

static void check_rules(const char* text, bool one_instance, bool may_prefetch) {
  struct tsb_json_document document;
  CHECK(tsb_json_parse(&document, text, strlen(text)));
  CHECK_INT(tsb_scheduling_has_one_instance(document.root), one_instance);
  CHECK_INT(tsb_scheduling_may_prefetch(document.root), may_prefetch);
  tsb_json_free(&document);
}

static void check_correlation(const char* text, const char* name) {
  struct tsb_json_document document;
  CHECK(tsb_json_parse(&document, text, strlen(text)));
  const char* found = tsb_scheduling_correlation_input(document.root);
  CHECK_INT(found != NULL, name != NULL);
  if (name != NULL) CHECK_TEXT(found, name);
  tsb_json_free(&document);
}

int main(void) {
  check_correlation("{}", NULL);
  check_correlation("{\"sequence_batching\":{}}", NULL);
  check_correlation(
      "{\"sequence_batching\":{\"control_input\":[{\"name\":\"A\",\"control\":[{\"kind\":"
      "\"CONTROL_SEQUENCE_START\"}]}]}}",
      NULL);
  check_correlation(
      "{\"sequence_batching\":{\"control_input\":[{\"name\":\"A\",\"control\":[{\"kind\":"
      "\"CONTROL_SEQUENCE_START\"}]},{\"name\":\"B\",\"control\":[{\"kind\":"
      "\"CONTROL_SEQUENCE_CORRID\",\"data_type\":\"TYPE_STRING\"}]}]}}",
      "B");
  check_rules("{\"instance_group\":[{\"count\":1}]}", true, true);
  check_rules("{\"instance_group\":[{\"count\":1,\"gpus\":[0]}]}", true, true);
  check_rules("{\"instance_group\":[{\"count\":1,\"rate_limiter\":{\"resources\":[]}}]}", true, true);
  // Another instance could take the batch.
  check_rules("{\"instance_group\":[{\"count\":2}]}", false, false);
  check_rules("{\"instance_group\":[{\"count\":1},{\"count\":1}]}", false, false);
  check_rules("{\"instance_group\":[{\"count\":1,\"gpus\":[0,1]}]}", false, false);
  check_rules("{}", false, false);
  // Batches grow in the server.
  check_rules("{\"instance_group\":[{\"count\":1}],\"dynamic_batching\":{}}", true, false);
  check_rules("{\"instance_group\":[{\"count\":1}],\"sequence_batching\":{}}", true, false);
  // The server counts who uses a resource.
  check_rules("{\"instance_group\":[{\"count\":1,\"rate_limiter\":{\"resources\":[{\"name\":\"R\"}]}}]}", true, false);
  return 0;
}
