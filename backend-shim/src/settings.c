// SPDX-License-Identifier: Apache-2.0
#include "settings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "environment.h"
#include "log.h"
#include "resemblance.h"
#include "text.h"
#include "tsb_protocol.h"

#define MIB (INT64_C(1) << 20)

enum setting_kind { SETTING_INTEGER, SETTING_BOOLEAN, SETTING_SECONDS, SETTING_TEXT, SETTING_NAMES };

// One row for each setting. `minimum` and `maximum` are in the unit of the user's text.
struct setting {
  const char* key;
  enum setting_kind kind;
  size_t offset;  // in struct tsb_settings
  int64_t minimum, maximum;
};

#define AT(field) offsetof(struct tsb_settings, field)
static const struct setting BACKEND_SETTINGS[] = {
    {"shm-default-byte-size", SETTING_INTEGER, AT(shm_default_bytes), MIB, INT64_C(1) << 40},
    {"shm-growth-byte-size", SETTING_INTEGER, AT(shm_growth_bytes), 1, INT64_C(1) << 40},
    {"shm-max-byte-size", SETTING_INTEGER, AT(shm_max_bytes), MIB, INT64_C(1) << 44},
    {"shm-warm-byte-size", SETTING_INTEGER, AT(shm_warm_bytes), 0, INT64_C(1) << 44},
    {"stub-timeout-seconds", SETTING_SECONDS, AT(stub_timeout_ms), 1, 86400},
    {"initialize-timeout-seconds", SETTING_SECONDS, AT(initialize_timeout_ms), 0, 86400},
    {"execute-timeout-seconds", SETTING_SECONDS, AT(execute_timeout_ms), 0, 86400},
    {"heap-limit-mb", SETTING_INTEGER, AT(heap_limit_mb), 0, 1 << 20},
    {"restart", SETTING_BOOLEAN, AT(restart), 0, 0},
    {"restart-backoff-ms", SETTING_INTEGER, AT(restart_backoff_ms), 1, 3600000},
    {"metrics", SETTING_BOOLEAN, AT(metrics), 0, 0},
    {"map-client-memory", SETTING_BOOLEAN, AT(map_client_memory), 0, 0},
    {"expose-errors", SETTING_BOOLEAN, AT(expose_errors), 0, 0},
    {"node-path", SETTING_TEXT, AT(node_path), 0, 0},
    {"allow-node-path", SETTING_BOOLEAN, AT(allow_node_path), 0, 0},
    {"protect-memory", SETTING_BOOLEAN, AT(protect_memory), 0, 0},
    {"environment", SETTING_NAMES, AT(environment), 0, 0},
    {"allow-environment", SETTING_NAMES, AT(allow_environment), 0, 0},
};
static const struct setting MODEL_SETTINGS[] = {
    {"MAX_IN_FLIGHT_BATCHES", SETTING_INTEGER, AT(max_in_flight_batches), 1, TSB_RING_CAPACITY},
    {"MAX_OPEN_REQUESTS", SETTING_INTEGER, AT(max_open_requests), 1, 1 << 20},
    {"INITIALIZE_TIMEOUT_SECONDS", SETTING_SECONDS, AT(initialize_timeout_ms), 0, 86400},
    {"EXECUTE_TIMEOUT_SECONDS", SETTING_SECONDS, AT(execute_timeout_ms), 0, 86400},
    {"HEAP_LIMIT_MB", SETTING_INTEGER, AT(heap_limit_mb), 0, 1 << 20},
    {"MAP_CLIENT_MEMORY", SETTING_BOOLEAN, AT(map_client_memory), 0, 0},
    {"EXPOSE_ERRORS", SETTING_BOOLEAN, AT(expose_errors), 0, 0},
    {"CHECK_OUTPUTS", SETTING_BOOLEAN, AT(check_outputs), 0, 0},
    {"NODE_PATH", SETTING_TEXT, AT(node_path), 0, 0},
    {"ENVIRONMENT", SETTING_NAMES, AT(environment), 0, 0},
};

// These are read by the model's process (stub/src/runtime/model_life.ts).
static const struct setting STUB_SETTINGS[] = {{.key = "LOADER"}, {.key = "TYPE_CHECK"}, {.key = "STRICT_VIEWS"}};

void tsb_settings_defaults(struct tsb_settings* settings) {
  *settings = (struct tsb_settings){.shm_default_bytes = 16 * MIB,
                                    .shm_growth_bytes = 16 * MIB,
                                    .shm_max_bytes = 4096 * MIB,
                                    .shm_warm_bytes = 64 * MIB,
                                    .stub_timeout_ms = 30000,
                                    .initialize_timeout_ms = 120000,
                                    .max_in_flight_batches = 1,
                                    .max_open_requests = 1024,
                                    .restart_backoff_ms = 500,
                                    .metrics = true,
                                    .map_client_memory = true,
                                    .expose_errors = true,
                                    .check_outputs = true,
                                    .restart = true};
}

// In any case of letters; no text at all leaves what is the default. The Node side reads its own in the same way
// (stub/src/runtime/model_life.ts).
static bool settings__boolean(const char* text, bool* value) {
  static const char* const YES[] = {"true", "1", "yes", "on"};
  static const char* const NO[] = {"false", "0", "no", "off"};
  for (size_t i = 0; i < sizeof YES / sizeof YES[0]; i++) {
    if (strcasecmp(text, YES[i]) == 0) return *value = true, true;
    if (strcasecmp(text, NO[i]) == 0) return *value = false, true;
  }
  return *text == '\0';
}

static TRITONSERVER_Error* settings__out_of_memory(void) {
  return tsb_error_new(TRITONSERVER_ERROR_INTERNAL, "Out of memory while reading settings.");
}

// A model's names come to those of the backend.
static TRITONSERVER_Error* settings__add_names(char** field, const struct setting* row, const char* text,
                                               const char* where) {
  struct tsb_text both = {0};
  if (!tsb_environment_is_list(text)) {
    return tsb_error_new(TRITONSERVER_ERROR_INVALID_ARG,
                         "%s '%s' must be names of environment variables, separated by commas or blanks, with '*' only "
                         "at the end of a name, but is '%s'.",
                         where, row->key, text);
  }
  tsb_text_printf(&both, "%s,%s", *field == NULL ? "" : *field, text);
  if (both.failed) return settings__out_of_memory();
  free(*field);
  *field = both.bytes;
  return NULL;
}

static TRITONSERVER_Error* settings__set(struct tsb_settings* settings, const struct setting* row, const char* text,
                                         const char* where) {
  char* field = (char*)settings + row->offset;
  if (row->kind == SETTING_TEXT) {
    char* copy = strdup(text);
    if (copy == NULL) return settings__out_of_memory();
    free(*(char**)field);
    *(char**)field = copy;
    return NULL;
  }
  if (row->kind == SETTING_NAMES) return settings__add_names((char**)field, row, text, where);
  if (row->kind == SETTING_BOOLEAN) {
    if (!settings__boolean(text, (bool*)field)) {
      return tsb_error_new(TRITONSERVER_ERROR_INVALID_ARG, "%s '%s' must be 'true' or 'false', but is '%s'.", where,
                           row->key, text);
    }
    return NULL;
  }
  char* rest;
  errno = 0;
  long long number = strtoll(text, &rest, 10);
  if (errno != 0 || rest == text || *rest != '\0' || number < row->minimum || number > row->maximum) {
    return tsb_error_new(TRITONSERVER_ERROR_INVALID_ARG,
                         "%s '%s' must be a whole number from %lld to %lld, but is '%s'.", where, row->key,
                         (long long)row->minimum, (long long)row->maximum, text);
  }
  *(int64_t*)field = row->kind == SETTING_SECONDS ? number * 1000 : number;
  return NULL;
}

static TRITONSERVER_Error* settings__check(const struct tsb_settings* settings) {
  if (settings->shm_default_bytes > settings->shm_max_bytes) {
    return tsb_error_new(TRITONSERVER_ERROR_INVALID_ARG,
                         "The backend option 'shm-default-byte-size' (%lld) must not be larger than "
                         "'shm-max-byte-size' (%lld).",
                         (long long)settings->shm_default_bytes, (long long)settings->shm_max_bytes);
  }
  return NULL;
}

// A configuration may come from a client, and must not choose what of the server's environment a model gets.
static TRITONSERVER_Error* settings__check_environment(const struct tsb_settings* backend, const char* asked) {
  struct tsb_text allowed = {0};
  tsb_text_printf(&allowed, "%s,%s", backend->environment == NULL ? "" : backend->environment,
                  backend->allow_environment == NULL ? "" : backend->allow_environment);
  if (allowed.failed) return settings__out_of_memory();
  TRITONSERVER_Error* error = NULL;
  size_t length;
  const char* name = tsb_environment_find_other(asked, allowed.bytes, &length);
  if (name != NULL) {
    error = tsb_error_new(TRITONSERVER_ERROR_INVALID_ARG,
                          "The model parameter 'ENVIRONMENT' asks for '%.*s', which is not allowed on this server, "
                          "because its environment may hold secrets. Start the server with "
                          "--backend-config=typescript,allow-environment=%.*s to allow it.",
                          (int)length, name, (int)length, name);
  }
  free(allowed.bytes);
  return error;
}

TRITONSERVER_Error* tsb_settings_read_backend(struct tsb_settings* settings, const struct tsb_json* cmdline) {
  for (size_t i = 0; i < sizeof BACKEND_SETTINGS / sizeof BACKEND_SETTINGS[0]; i++) {
    const char* text = tsb_json_string(tsb_json_member(cmdline, BACKEND_SETTINGS[i].key), NULL);
    if (text != NULL) TSB_RETURN_IF_ERROR(settings__set(settings, &BACKEND_SETTINGS[i], text, "The backend option"));
  }
  return settings__check(settings);
}

TRITONSERVER_Error* tsb_settings_read_model(struct tsb_settings* settings, const struct tsb_settings* backend,
                                            const struct tsb_json* config) {
  const struct tsb_json* parameters = tsb_json_member(config, "parameters");
  *settings = *backend;
  settings->node_path = settings->environment = settings->allow_environment = NULL;
  if (backend->node_path != NULL && (settings->node_path = strdup(backend->node_path)) == NULL) {
    return settings__out_of_memory();
  }
  if (backend->environment != NULL && (settings->environment = strdup(backend->environment)) == NULL) {
    return settings__out_of_memory();
  }
  for (size_t i = 0; i < sizeof MODEL_SETTINGS / sizeof MODEL_SETTINGS[0]; i++) {
    const struct setting* row = &MODEL_SETTINGS[i];
    const struct tsb_json* value = tsb_json_member(tsb_json_member(parameters, row->key), "string_value");
    const char* text = tsb_json_string(value, NULL);
    if (text == NULL) continue;
    if (row->kind == SETTING_TEXT && !backend->allow_node_path) {
      return tsb_error_new(
          TRITONSERVER_ERROR_INVALID_ARG,
          "The model parameter 'NODE_PATH' is not allowed on this server, because it names a program to "
          "run. Start the server with --backend-config=typescript,allow-node-path=true to allow it.");
    }
    TSB_RETURN_IF_ERROR(settings__set(settings, row, text, "The model parameter"));
    if (row->kind == SETTING_NAMES) TSB_RETURN_IF_ERROR(settings__check_environment(backend, text));
  }
  return NULL;
}

// The name in a table that `name` is most likely meant to be. NULL: it is one of them, or like none.
static const char* settings__meant(const struct setting* table, size_t count, const char* name) {
  const char* meant = NULL;
  for (size_t i = 0; i < count; i++) {
    if (strcmp(table[i].key, name) == 0) return NULL;
    if (meant == NULL && tsb_resembles(name, table[i].key)) meant = table[i].key;
  }
  return meant;
}
#define MEANT(table, name) settings__meant(table, sizeof table / sizeof *table, name)

void tsb_settings_warn_backend(const struct tsb_json* cmdline) {
  for (const struct tsb_json* option = cmdline == NULL ? NULL : cmdline->first; option != NULL; option = option->next) {
    const char* meant = MEANT(BACKEND_SETTINGS, option->key);
    if (meant != NULL) {
      TSB_LOG(WARN, "The backend option '%s' is not known. Is '%s' meant?", option->key, meant);
    }
  }
}

void tsb_settings_warn_model(const char* model, const struct tsb_json* config) {
  const struct tsb_json* parameters = tsb_json_member(config, "parameters");
  for (const struct tsb_json* it = parameters == NULL ? NULL : parameters->first; it != NULL; it = it->next) {
    const char* meant = MEANT(MODEL_SETTINGS, it->key);
    if (meant == NULL) meant = MEANT(STUB_SETTINGS, it->key);
    if (meant != NULL) {
      TSB_LOG(WARN, "The parameter '%s' of model '%s' is not one of the backend's. Is '%s' meant?", it->key, model,
              meant);
    }
  }
}

void tsb_settings_free(struct tsb_settings* settings) {
  free(settings->node_path);
  free(settings->environment);
  free(settings->allow_environment);
  settings->node_path = settings->environment = settings->allow_environment = NULL;
}
