// SPDX-License-Identifier: Apache-2.0
// What a stub gets of the server's environment.
#include "environment.h"

#include "check.h"

static const char* value(char** environment, const char* name) {
  size_t length = strlen(name);
  const char* found = NULL;
  for (size_t i = 0; environment[i] != NULL; i++) {
    if (strncmp(environment[i], name, length) != 0 || environment[i][length] != '=') continue;
    CHECK(found == NULL);  // not twice
    found = environment[i] + length + 1;
  }
  return found;
}

static void set_all(void) {
  static const char* const NAMES[] = {"PATH",
                                      "HOME",
                                      "LC_TIME",
                                      "NODE_OPTIONS",
                                      "NODE_AUTH_TOKEN",
                                      "https_proxy",
                                      "CUDA_PATH",
                                      "NVIDIA_API_KEY",
                                      "HF_HOME",
                                      "HF_TOKEN",
                                      "TRITON_X",
                                      "AWS_REGION",
                                      "AWS_SECRET_ACCESS_KEY",
                                      "DATABASE_URL",
                                      "PATHS",
                                      "MY_MODEL",
                                      "CUDA_VISIBLE_DEVICES",
                                      "OTEL_EXPORTER_OTLP_HEADERS"};
  clearenv();
  for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++) setenv(NAMES[i], NAMES[i], 1);
}

static void expect(const char* asked, const char* const* given, const char* const* kept_back) {
  char** environment = tsb_environment_new(asked, NULL);
  CHECK(environment != NULL);
  for (; *given != NULL; given++) CHECK_TEXT(value(environment, *given), *given);
  for (; *kept_back != NULL; kept_back++) {
    if (value(environment, *kept_back) != NULL) CHECK_FAIL("%s was given for \"%s\"", *kept_back, asked);
  }
  free(environment);
}

#define NAMES(...) ((const char* const[]){__VA_ARGS__, NULL})

static void test_secrets_stay_with_the_server(void) {
  expect(NULL,
         NAMES("PATH", "HOME", "LC_TIME", "NODE_OPTIONS", "https_proxy", "CUDA_PATH", "HF_HOME", "TRITON_X",
               "CUDA_VISIBLE_DEVICES"),
         NAMES("NODE_AUTH_TOKEN", "NVIDIA_API_KEY", "HF_TOKEN", "AWS_REGION", "AWS_SECRET_ACCESS_KEY", "DATABASE_URL",
               "PATHS", "MY_MODEL", "OTEL_EXPORTER_OTLP_HEADERS"));
}

// A secret has such a word as a whole; a name that only holds its letters is harmless.
static void test_words_of_secrets(void) {
  static const char* const SECRET[] = {"HF_TOKEN",
                                       "HF_TOKENS",
                                       "HF_TOKEN2",
                                       "HF_APITOKEN",
                                       "NODE_AUTH_TOKEN",
                                       "NODE_auth_token",
                                       "TRITON_SECRET",
                                       "TRITON_SECRETS",
                                       "TF_DB_PASSWORD",
                                       "TF_PASSWORDS",
                                       "TF_PASSWD",
                                       "NODE_PASSPHRASE",
                                       "XDG_CREDENTIAL",
                                       "HF_CREDENTIALS",
                                       "NVIDIA_API_KEY",
                                       "NVIDIA_APIKEY",
                                       "NODE_KEYS_OLD",
                                       "ORT_ACCESSKEY",
                                       "OTEL_EXPORTER_HEADERS",
                                       "UV_AUTH",
                                       NULL};
  static const char* const HARMLESS[] = {"NODE_TLS_REJECT_UNAUTHORIZED",
                                         "TRITON_MONKEY",
                                         "XDG_KEYBOARD",
                                         "HF_TOKENIZER",
                                         "NODE_AUTHOR",
                                         "TRITON_AUTHORS",
                                         "TF_PASSES",
                                         "ORT_BYPASS",
                                         "NODE_SECRETARY",
                                         "OTEL_HEADERSIZE",
                                         "PWD",
                                         NULL};
  for (size_t i = 0; SECRET[i] != NULL; i++) setenv(SECRET[i], SECRET[i], 1);
  for (size_t i = 0; HARMLESS[i] != NULL; i++) setenv(HARMLESS[i], HARMLESS[i], 1);
  expect(NULL, HARMLESS, SECRET);
}

static void test_what_is_asked_for_is_given(void) {
  expect("HF_TOKEN, AWS_*", NAMES("PATH", "HF_TOKEN", "AWS_REGION", "AWS_SECRET_ACCESS_KEY"),
         NAMES("DATABASE_URL", "NODE_AUTH_TOKEN"));
  expect(",, MY_MODEL\tDATABASE_URL ", NAMES("MY_MODEL", "DATABASE_URL"), NAMES("AWS_REGION"));
  expect("*", NAMES("MY_MODEL", "DATABASE_URL", "HF_TOKEN", "PATHS"), NAMES("NOT_SET"));
  expect("MY_", NAMES("PATH"), NAMES("MY_MODEL"));
  expect("", NAMES("PATH"), NAMES("MY_MODEL"));
}

static void test_devices_are_replaced(void) {
  char** environment = tsb_environment_new("*", "5");
  CHECK_TEXT(value(environment, "CUDA_VISIBLE_DEVICES"), "5");
  CHECK_TEXT(value(environment, "MY_MODEL"), "MY_MODEL");
  free(environment);
  unsetenv("CUDA_VISIBLE_DEVICES");
  environment = tsb_environment_new(NULL, "0");
  CHECK_TEXT(value(environment, "CUDA_VISIBLE_DEVICES"), "0");
  free(environment);
}

static void test_an_empty_environment(void) {
  clearenv();
  setenv("X", "1", 1);
  unsetenv("X");
  char** environment = tsb_environment_new("*", NULL);
  CHECK(environment != NULL && environment[0] == NULL);
  free(environment);
}

static void test_lists(void) {
  CHECK(tsb_environment_is_list(""));
  CHECK(tsb_environment_is_list("A,B_* C"));
  CHECK(tsb_environment_is_list("*"));
  CHECK(!tsb_environment_is_list("A=1"));
  CHECK(!tsb_environment_is_list("*_TOKEN"));
  CHECK(!tsb_environment_is_list("A**"));
}

int main(void) {
  set_all();
  test_secrets_stay_with_the_server();
  test_what_is_asked_for_is_given();
  test_devices_are_replaced();
  test_words_of_secrets();
  test_an_empty_environment();
  test_lists();
  return 0;
}
