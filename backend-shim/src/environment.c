// SPDX-License-Identifier: Apache-2.0
#include "environment.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

extern char** environ;

static const char SEPARATORS[] = ", \t\n";

// What Node, its tools and the libraries of models look at. docs/security.md shows the list.
static const char GIVEN[] =
    "PATH HOME USER LOGNAME SHELL PWD HOSTNAME TERM COLORTERM LANG LANGUAGE LC_* TZ TZDIR TMPDIR TMP TEMP XDG_* "
    "LD_LIBRARY_PATH LD_PRELOAD GLIBC_TUNABLES MALLOC_* NODE_* UV_* TS_NODE_* TSX_* ESBUILD_* NO_COLOR FORCE_COLOR "
    "DEBUG HTTP_PROXY HTTPS_PROXY NO_PROXY ALL_PROXY http_proxy https_proxy no_proxy all_proxy SSL_CERT_* "
    "OPENSSL_* CUDA_* NVIDIA_* NCCL_* OMP_* GOMP_* KMP_* MKL_* OPENBLAS_* ORT_* TF_* HF_* OTEL_* TRITON* "
    "ASAN_OPTIONS LSAN_OPTIONS TSAN_OPTIONS UBSAN_OPTIONS";

// Names of the families above with one of these words are kept back all the same: NODE_AUTH_TOKEN, NVIDIA_API_KEY,
// OTEL_EXPORTER_OTLP_HEADERS. Words stand between "_", in any case of letters, and may have an "S" or a number at their
// end. Whole words: NODE_TLS_REJECT_UNAUTHORIZED is no secret.
static const char* const SECRET_WORDS[] = {"TOKEN",       "APITOKEN",  "AUTHTOKEN", "ACCESSTOKEN", "PRIVATETOKEN",
                                           "SECRETTOKEN", "SECRET",    "PASSWORD",  "PASSWD",      "PASSPHRASE",
                                           "CREDENTIAL",  "KEY",       "APIKEY",    "AUTHKEY",     "ACCESSKEY",
                                           "PRIVATEKEY",  "SECRETKEY", "AUTH",      "HEADER"};

static bool environment__has(const char* list, const char* name, size_t length) {
  for (const char* at = list + strspn(list, SEPARATORS); *at != '\0'; at += strspn(at, SEPARATORS)) {
    size_t entry = strcspn(at, SEPARATORS);
    bool any_end = at[entry - 1] == '*';
    size_t fixed = entry - (any_end ? 1 : 0);
    if ((any_end ? length >= fixed : length == fixed) && memcmp(at, name, fixed) == 0) return true;
    at += entry;
  }
  return false;
}

static bool environment__is_secret_word(const char* word, size_t length) {
  while (length > 0 && word[length - 1] >= '0' && word[length - 1] <= '9') length--;
  for (size_t i = 0; i < sizeof SECRET_WORDS / sizeof SECRET_WORDS[0]; i++) {
    size_t whole = strlen(SECRET_WORDS[i]);
    if (length < whole || strncasecmp(word, SECRET_WORDS[i], whole) != 0) continue;
    if (length == whole || (length == whole + 1 && (word[whole] == 'S' || word[whole] == 's'))) return true;
  }
  return false;
}

static bool environment__looks_secret(const char* name, size_t length) {
  for (size_t at = 0; at < length;) {
    const char* end = memchr(name + at, '_', length - at);
    size_t word = end == NULL ? length - at : (size_t)(end - name) - at;
    if (environment__is_secret_word(name + at, word)) return true;
    at += word + 1;
  }
  return false;
}

char** tsb_environment_new(const char* asked, const char* visible_devices) {
  static const char DEVICES[] = "CUDA_VISIBLE_DEVICES";
  size_t count = 0, kept = 0;
  while (environ[count] != NULL) count++;
  size_t pointers = (count + 2) * sizeof(char*);
  size_t text_bytes = visible_devices == NULL ? 0 : sizeof DEVICES + strlen(visible_devices) + 1;
  char** block = calloc(1, pointers + text_bytes);
  if (block == NULL) return NULL;
  for (size_t i = 0; i < count; i++) {
    size_t length = strcspn(environ[i], "=");
    if (visible_devices != NULL && length == sizeof DEVICES - 1 && memcmp(environ[i], DEVICES, length) == 0) continue;
    bool given = environment__has(GIVEN, environ[i], length) && !environment__looks_secret(environ[i], length);
    if (given || (asked != NULL && environment__has(asked, environ[i], length))) block[kept++] = environ[i];
  }
  if (visible_devices != NULL) {
    char* text = (char*)block + pointers;
    snprintf(text, text_bytes, "%s=%s", DEVICES, visible_devices);
    block[kept] = text;
  }
  return block;
}

bool tsb_environment_is_list(const char* asked) {
  for (const char* at = asked; *at != '\0'; at++) {
    if (*at == '=') return false;
    if (*at == '*' && at[1] != '\0' && strchr(SEPARATORS, at[1]) == NULL) return false;
  }
  return true;
}

const char* tsb_environment_find_other(const char* asked, const char* allowed, size_t* length) {
  for (const char* at = asked + strspn(asked, SEPARATORS); *at != '\0'; at += strspn(at, SEPARATORS)) {
    *length = strcspn(at, SEPARATORS);
    // As a name, "A_*" begins with what "A*" wants, and equals "A_*" but not "A_".
    if (!environment__has(allowed, at, *length)) return at;
    at += *length;
  }
  return NULL;
}
