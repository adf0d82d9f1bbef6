// SPDX-License-Identifier: Apache-2.0
// Options of the backend and parameters of a model: what is read, what is refused, and with which words.
#include "settings.h"

#include "check.h"
#include "fake_triton.h"

static TRITONSERVER_Error* read_backend(struct tsb_settings* settings, const char* text) {
  struct tsb_json_document document;
  CHECK(tsb_json_parse(&document, text, strlen(text)));
  TRITONSERVER_Error* error = tsb_settings_read_backend(settings, document.root);
  tsb_json_free(&document);
  return error;
}

static TRITONSERVER_Error* read_model(struct tsb_settings* settings, const struct tsb_settings* backend,
                                      const char* key, const char* value) {
  struct tsb_json_document document;
  char text[512];
  snprintf(text, sizeof text, "{\"parameters\":{\"%s\":{\"string_value\":\"%s\"}}}", key, value);
  CHECK(tsb_json_parse(&document, text, strlen(text)));
  TRITONSERVER_Error* error = tsb_settings_read_model(settings, backend, document.root);
  tsb_json_free(&document);
  return error;
}

static void refuse(TRITONSERVER_Error* error, const char* part) {
  CHECK(error != NULL);
  CHECK_INT(TRITONSERVER_ErrorCode(error), TRITONSERVER_ERROR_INVALID_ARG);
  CHECK_CONTAINS(TRITONSERVER_ErrorMessage(error), part);
  TRITONSERVER_ErrorDelete(error);
}

static void test_defaults(void) {
  struct tsb_settings settings;
  tsb_settings_defaults(&settings);
  CHECK(read_backend(&settings, "{}") == NULL);
  CHECK_INT(settings.shm_default_bytes, 16 << 20);
  CHECK_INT(settings.max_in_flight_batches, 1);
  CHECK_INT(settings.execute_timeout_ms, 0);
  CHECK(settings.restart);
  CHECK(settings.map_client_memory);
  CHECK(settings.expose_errors);
  CHECK(settings.check_outputs);
  CHECK(!settings.allow_node_path);
  CHECK(settings.node_path == NULL);
  CHECK(tsb_settings_read_backend(&settings, NULL) == NULL);  // no "cmdline" at all
}

static void test_backend_options(void) {
  struct tsb_settings settings;
  tsb_settings_defaults(&settings);
  CHECK(read_backend(&settings,
                     "{\"shm-default-byte-size\":\"2097152\",\"stub-timeout-seconds\":\"7\","
                     "\"restart\":\"false\",\"restart-backoff-ms\":\"20\",\"node-path\":\"/a/node\","
                     "\"allow-node-path\":\"on\",\"map-client-memory\":\"no\",\"expose-errors\":\"off\","
                     "\"another-backend's-key\":\"x\"}") == NULL);
  CHECK_INT(settings.shm_default_bytes, 2 << 20);
  CHECK_INT(settings.stub_timeout_ms, 7000);
  CHECK_INT(settings.restart_backoff_ms, 20);
  CHECK(!settings.restart);
  CHECK(!settings.map_client_memory);
  CHECK(!settings.expose_errors);
  CHECK(settings.allow_node_path);
  CHECK_TEXT(settings.node_path, "/a/node");
  tsb_settings_free(&settings);
}

// The same texts as in stub/src/runtime/model_life.test.ts.
static void test_booleans(void) {
  static const char* const YES[] = {"true", "True", "TRUE", "yes", "Yes", "on", "ON", "1"};
  static const char* const NO[] = {"false", "False", "FALSE", "no", "No", "off", "OFF", "0"};
  static const char* const NEITHER[] = {"perhaps", "2", " true", "tru", "truee"};
  struct tsb_settings backend, settings;
  tsb_settings_defaults(&backend);
  for (size_t i = 0; i < sizeof YES / sizeof YES[0]; i++) {
    backend.map_client_memory = false;
    CHECK(read_model(&settings, &backend, "MAP_CLIENT_MEMORY", YES[i]) == NULL);
    CHECK(settings.map_client_memory);
    backend.map_client_memory = true;
    CHECK(read_model(&settings, &backend, "MAP_CLIENT_MEMORY", NO[i]) == NULL);
    CHECK(!settings.map_client_memory);
  }
  for (size_t i = 0; i < sizeof NEITHER / sizeof NEITHER[0]; i++) {
    refuse(read_model(&settings, &backend, "MAP_CLIENT_MEMORY", NEITHER[i]), "must be 'true' or 'false', but is '");
    refuse(read_model(&settings, &backend, "MAP_CLIENT_MEMORY", NEITHER[i]), NEITHER[i]);
  }
  for (int preset = 0; preset < 2; preset++) {
    backend.map_client_memory = preset;
    CHECK(read_model(&settings, &backend, "MAP_CLIENT_MEMORY", "") == NULL);
    CHECK_INT(settings.map_client_memory, preset);
  }
}

static void test_backend_options_that_are_wrong(void) {
  static const struct {
    const char *text, *part;
  } CASES[] = {
      {"{\"shm-default-byte-size\":\"16MB\"}", "'shm-default-byte-size' must be a whole number"},
      {"{\"shm-default-byte-size\":\"\"}", "but is ''"},
      {"{\"shm-default-byte-size\":\"1000\"}", "from 1048576"},
      {"{\"stub-timeout-seconds\":\"0\"}", "'stub-timeout-seconds'"},
      {"{\"stub-timeout-seconds\":\"99999999999999999999\"}", "'stub-timeout-seconds'"},
      {"{\"restart\":\"maybe\"}", "must be 'true' or 'false', but is 'maybe'"},
      {"{\"shm-default-byte-size\":\"33554432\",\"shm-max-byte-size\":\"16777216\"}", "must not be larger than"},
  };
  for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
    struct tsb_settings settings;
    tsb_settings_defaults(&settings);
    refuse(read_backend(&settings, CASES[i].text), CASES[i].part);
    tsb_settings_free(&settings);
  }
}

static void test_model_parameters(void) {
  struct tsb_settings backend, settings;
  tsb_settings_defaults(&backend);
  CHECK(read_model(&settings, &backend, "MAX_IN_FLIGHT_BATCHES", "16") == NULL);
  CHECK_INT(settings.max_in_flight_batches, 16);
  CHECK_INT(settings.shm_max_bytes, backend.shm_max_bytes);
  CHECK(read_model(&settings, &backend, "EXECUTE_TIMEOUT_SECONDS", "3") == NULL);
  CHECK_INT(settings.execute_timeout_ms, 3000);
  CHECK_INT(settings.max_open_requests, 1024);
  CHECK(read_model(&settings, &backend, "MAX_OPEN_REQUESTS", "7") == NULL);
  CHECK_INT(settings.max_open_requests, 7);
  refuse(read_model(&settings, &backend, "MAX_OPEN_REQUESTS", "0"), "from 1 to 1048576, but is '0'");
  refuse(read_model(&settings, &backend, "MAX_IN_FLIGHT_BATCHES", "0"), "from 1 to 1024, but is '0'");
  refuse(read_model(&settings, &backend, "MAX_IN_FLIGHT_BATCHES", "2000"), "from 1 to 1024");
  refuse(read_model(&settings, &backend, "HEAP_LIMIT_MB", "-1"), "'HEAP_LIMIT_MB'");
}

static void test_a_model_names_its_node_only_where_that_is_allowed(void) {
  struct tsb_settings backend, settings;
  tsb_settings_defaults(&backend);
  refuse(read_model(&settings, &backend, "NODE_PATH", "/bin/sh"), "allow-node-path=true");
  CHECK(settings.node_path == NULL);
  backend.allow_node_path = true;
  backend.node_path = strdup("/backend/node");
  CHECK(read_model(&settings, &backend, "NODE_PATH", "/model/node") == NULL);
  CHECK_TEXT(settings.node_path, "/model/node");
  tsb_settings_free(&settings);
  CHECK(read_model(&settings, &backend, "OTHER", "x") == NULL);
  CHECK_TEXT(settings.node_path, "/backend/node");
  CHECK(settings.node_path != backend.node_path);  // a copy of its own
  tsb_settings_free(&settings);
  tsb_settings_free(&backend);
}

static void test_environment_names_of_a_model_come_to_those_of_the_backend(void) {
  struct tsb_settings backend, settings;
  tsb_settings_defaults(&backend);
  CHECK(read_model(&settings, &backend, "OTHER", "x") == NULL);
  CHECK(settings.environment == NULL);
  CHECK(read_backend(&backend, "{\"environment\":\"AWS_*\",\"allow-environment\":\"HF_TOKEN,MY_*\"}") == NULL);
  CHECK(read_model(&settings, &backend, "ENVIRONMENT", "HF_TOKEN MY_*") == NULL);
  CHECK_TEXT(backend.environment, ",AWS_*");
  CHECK_TEXT(settings.environment, ",AWS_*,HF_TOKEN MY_*");
  tsb_settings_free(&settings);
  CHECK(read_model(&settings, &backend, "OTHER", "x") == NULL);
  CHECK_TEXT(settings.environment, ",AWS_*");
  CHECK(settings.environment != backend.environment);  // a copy of its own
  tsb_settings_free(&settings);
  refuse(read_model(&settings, &backend, "ENVIRONMENT", "A=1"), "'ENVIRONMENT' must be names");
  tsb_settings_free(&settings);
  refuse(read_backend(&backend, "{\"environment\":\"*_KEY\"}"), "but is '*_KEY'");
  tsb_settings_free(&backend);
}

// A configuration that a client sends must not open the server's environment.
static void test_a_model_asks_only_for_names_that_are_allowed(void) {
  static const struct {
    const char *allowed, *asked, *refused;
  } CASES[] = {
      {"", "*", "asks for '*', which is not allowed"},
      {"", "DATABASE_URL", "allow-environment=DATABASE_URL to allow it."},
      {"MY_*", "MY_A,OTHER", "asks for 'OTHER'"},
      {"MY_*", "MY*", "asks for 'MY*'"},
      {"MY_*", "*", "asks for '*'"},
      {"MY_A", "MY_A*", "asks for 'MY_A*'"},
      {"MY_A", "MY_AB", "asks for 'MY_AB'"},
      {"MY_A", "MY_A MY_A", NULL},
      {"MY_*", "MY_A, MY_B_* MY_*", NULL},
      {"*", "* ANY", NULL},
      {"", " ,", NULL},
      {"", "AWS_REGION,AWS_*", NULL},  // what all models get
  };
  for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
    struct tsb_settings backend, settings;
    char options[256];
    tsb_settings_defaults(&backend);
    snprintf(options, sizeof options, "{\"environment\":\"AWS_*\",\"allow-environment\":\"%s\"}", CASES[i].allowed);
    CHECK(read_backend(&backend, options) == NULL);
    TRITONSERVER_Error* error = read_model(&settings, &backend, "ENVIRONMENT", CASES[i].asked);
    if (CASES[i].refused != NULL) {
      refuse(error, CASES[i].refused);
    } else if (error != NULL) {
      CHECK_FAIL("'%s' of '%s': %s", CASES[i].asked, CASES[i].allowed, TRITONSERVER_ErrorMessage(error));
    }
    CHECK(settings.allow_environment == NULL);
    tsb_settings_free(&settings);
    tsb_settings_free(&backend);
  }
}

static void test_names_that_look_like_ours(void) {
  static const char options[] = "{\"shm_max_byte_size\":\"1\",\"restart\":\"on\",\"default-max-batch-size\":\"4\"}";
  static const char config[] =
      "{\"parameters\":{\"MAX_INFLIGHT_BATCHES\":{},\"TYPECHECK\":{},\"LOADER\":{},\"HEAP_LIMIT_MB\":{},\"MINE\":{}}}";
  struct tsb_json_document document;
  fake_log_clear();
  CHECK(tsb_json_parse(&document, options, sizeof options - 1));
  tsb_settings_warn_backend(document.root);
  tsb_json_free(&document);
  CHECK(tsb_json_parse(&document, config, sizeof config - 1));
  tsb_settings_warn_model("m", document.root);
  tsb_json_free(&document);
  tsb_settings_warn_backend(NULL);
  tsb_settings_warn_model("m", NULL);
  CHECK(fake_log_has("The backend option 'shm_max_byte_size' is not known. Is 'shm-max-byte-size' meant?"));
  CHECK(
      fake_log_has("The parameter 'MAX_INFLIGHT_BATCHES' of model 'm' is not one of the backend's. Is "
                   "'MAX_IN_FLIGHT_BATCHES' meant?"));
  CHECK(fake_log_has("'TYPE_CHECK' meant?"));
  CHECK_INT(fake_log_lines(), 3);
}

int main(void) {
  test_names_that_look_like_ours();
  test_defaults();
  test_backend_options();
  test_booleans();
  test_backend_options_that_are_wrong();
  test_model_parameters();
  test_a_model_names_its_node_only_where_that_is_allowed();
  test_environment_names_of_a_model_come_to_those_of_the_backend();
  test_a_model_asks_only_for_names_that_are_allowed();
  return 0;
}
