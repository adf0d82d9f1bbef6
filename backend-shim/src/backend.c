// SPDX-License-Identifier: Apache-2.0
#include "backend.h"

#include <dlfcn.h>
#include <errno.h>
#include <glob.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "log.h"
#include "mapping.h"
#include "path.h"

static char* backend__join(const char* directory, const char* rest) {
  char path[PATH_MAX];
  int length = snprintf(path, sizeof path, "%s/%s", directory, rest);
  return length > 0 && (size_t)length < sizeof path ? strdup(path) : NULL;
}

// What the runtime directory, that of the npm package, holds for us to start: dist/ has the folders of the checkout.
#define BACKEND__ENTRY "dist/stub/src/runtime/main.js"

// The runtime directory is looked for in the environment, beside this library, and two levels above it (a checkout or
// an npm package, where the library lies in build/lib).
static char* backend__find_runtime(void) {
  static const char* const PLACES[] = {"runtime", "../.."};
  const char* given = getenv("TRITON_TYPESCRIPT_RUNTIME");
  if (given != NULL && given[0] != '\0') return realpath(given, NULL);
  Dl_info info;
  if (dladdr((void*)backend__find_runtime, &info) == 0 || info.dli_fname == NULL) return NULL;
  char* library = realpath(info.dli_fname, NULL);
  if (library == NULL) return NULL;
  char* found = NULL;
  char* directory = dirname(library);
  for (size_t i = 0; i < sizeof PLACES / sizeof PLACES[0] && found == NULL; i++) {
    char* place = backend__join(directory, PLACES[i]);
    char* entry = place == NULL ? NULL : backend__join(place, BACKEND__ENTRY);
    if (entry != NULL && access(entry, R_OK) == 0) found = realpath(place, NULL);
    free(entry);
    free(place);
  }
  free(library);
  return found;
}

static char* backend__find_node(const struct tsb_settings* settings, const char* runtime) {
  static const char* const PATTERNS[] = {"bin/node", "node_modules/node-linux-*/bin/node", "../node-linux-*/bin/node"};
  const char* given = getenv("TRITON_TYPESCRIPT_NODE");
  if (settings->node_path != NULL) return strdup(settings->node_path);
  if (given != NULL && given[0] != '\0') return strdup(given);
  for (size_t i = 0; i < sizeof PATTERNS / sizeof PATTERNS[0]; i++) {
    glob_t found;
    char* pattern = backend__join(runtime, PATTERNS[i]);
    if (pattern == NULL) return NULL;
    char* node = NULL;
    if (glob(pattern, 0, NULL, &found) == 0) {
      for (size_t j = 0; j < found.gl_pathc && node == NULL; j++) {
        if (access(found.gl_pathv[j], X_OK) == 0) node = strdup(found.gl_pathv[j]);
      }
      globfree(&found);
    }
    free(pattern);
    if (node != NULL) return node;
  }
  // posix_spawn does not search PATH, so that a relative name never means the server's working directory.
  const char* path = getenv("PATH");
  char* copy = strdup(path == NULL ? "" : path);
  char* node = NULL;
  char* rest = copy;
  for (char* part; node == NULL && rest != NULL && (part = strsep(&rest, ":")) != NULL;) {
    char* candidate = part[0] == '/' ? backend__join(part, "node") : NULL;
    if (candidate != NULL && access(candidate, X_OK) == 0) {
      node = candidate;
    } else {
      free(candidate);
    }
  }
  free(copy);
  return node;
}

static TRITONSERVER_Error* backend__read_options(struct tsb_backend* backend, TRITONBACKEND_Backend* triton) {
  TRITONSERVER_Message* message;
  const char* text;
  size_t length;
  struct tsb_json_document document;
  tsb_settings_defaults(&backend->settings);
  TSB_RETURN_IF_ERROR(TRITONBACKEND_BackendConfig(triton, &message));
  TSB_RETURN_IF_ERROR(TRITONSERVER_MessageSerializeToJson(message, &text, &length));
  if (!tsb_json_parse(&document, text, length)) {
    return tsb_error_new(TRITONSERVER_ERROR_INTERNAL, "The server's backend configuration is not JSON.");
  }
  const struct tsb_json* cmdline = tsb_json_member(document.root, "cmdline");
  TRITONSERVER_Error* error = tsb_settings_read_backend(&backend->settings, cmdline);
  tsb_settings_warn_backend(cmdline);
  backend->options_json = cmdline == NULL ? strdup("{}") : strndup(cmdline->raw, cmdline->raw_length);
  tsb_json_free(&document);
  return error;
}

static TRITONSERVER_Error* backend__fill(struct tsb_backend* backend, TRITONBACKEND_Backend* triton) {
  const char* text;
  TRITONBACKEND_ArtifactType type;
  TSB_RETURN_IF_ERROR(TRITONBACKEND_BackendName(triton, &text));
  backend->name = strdup(text);
  backend->is_typescript_based = strcmp(text, "typescript") != 0;
  TSB_RETURN_IF_ERROR(TRITONBACKEND_BackendArtifacts(triton, &type, &text));
  backend->directory = tsb_path_absolute(text);
  TSB_RETURN_IF_ERROR(backend__read_options(backend, triton));
  // The environment, too, is read as memory. Stubs do it themselves, since a program that is started is readable again.
  if (backend->settings.protect_memory && prctl(PR_SET_DUMPABLE, 0) != 0) {
    TSB_LOG(WARN, "The option 'protect-memory' has no effect: %s. Other processes of this user can read the server.",
            strerror(errno));
  }
  char* runtime = backend__find_runtime();
  if (runtime == NULL) {
    return tsb_error_new(TRITONSERVER_ERROR_NOT_FOUND,
                         "The runtime of the TypeScript backend (" BACKEND__ENTRY
                         ") was found neither beside the library nor "
                         "two levels above it. Set TRITON_TYPESCRIPT_RUNTIME to the folder of the npm package "
                         "'triton-typescript'.");
  }
  backend->entry = backend__join(runtime, BACKEND__ENTRY);
  backend->node = backend__find_node(&backend->settings, runtime);
  free(runtime);
  if (backend->entry == NULL || access(backend->entry, R_OK) != 0) {
    return tsb_error_new(
        TRITONSERVER_ERROR_NOT_FOUND,
        "The runtime of the TypeScript backend, '%s', cannot be read. Set TRITON_TYPESCRIPT_RUNTIME to the "
        "folder of the npm package 'triton-typescript' (in a checkout: build it first).",
        backend->entry == NULL ? BACKEND__ENTRY : backend->entry);
  }
  if (backend->node == NULL) {
    return tsb_error_new(TRITONSERVER_ERROR_NOT_FOUND,
                         "No Node binary was found. Set TRITON_TYPESCRIPT_NODE to the path of Node 24 or newer.");
  }
  if (backend->name == NULL || backend->directory == NULL || backend->options_json == NULL) {
    return tsb_error_new(TRITONSERVER_ERROR_INTERNAL, "Out of memory while initializing the backend.");
  }
  return NULL;
}

TRITONSERVER_Error* tsb_backend_new(struct tsb_backend** result, TRITONBACKEND_Backend* triton) {
  struct tsb_backend* backend = calloc(1, sizeof *backend);
  if (backend == NULL)
    return tsb_error_new(TRITONSERVER_ERROR_INTERNAL, "Out of memory while initializing the backend.");
  tsb_workers_init(&backend->workers);
  tsb_model_waits_init(&backend->waits);
  pthread_mutex_init(&backend->calls_lock, NULL);
  pthread_mutex_init(&backend->instances_lock, NULL);
  pthread_condattr_t of_calls;
  pthread_condattr_init(&of_calls);
  pthread_condattr_setclock(&of_calls, CLOCK_MONOTONIC);
  pthread_cond_init(&backend->calls_changed, &of_calls);
  pthread_condattr_destroy(&of_calls);
  backend->maps_fd = tsb_mapping_open_maps();
  TRITONSERVER_Error* error = backend__fill(backend, triton);
  if (error != NULL) {
    tsb_backend_delete(backend);
    return error;
  }
  *result = backend;
  return NULL;
}

void tsb_backend_delete(struct tsb_backend* backend) {
  if (backend == NULL) return;
  tsb_workers_destroy(&backend->workers);
  tsb_model_waits_destroy(&backend->waits);
  if (backend->maps_fd >= 0) close(backend->maps_fd);
  pthread_cond_destroy(&backend->calls_changed);
  pthread_mutex_destroy(&backend->calls_lock);
  pthread_mutex_destroy(&backend->instances_lock);
  tsb_settings_free(&backend->settings);
  free(backend->name);
  free(backend->directory);
  free(backend->options_json);
  free(backend->entry);
  free(backend->node);
  free(backend);
}

void tsb_backend_count_calls(struct tsb_backend* backend, int change) {
  pthread_mutex_lock(&backend->calls_lock);
  backend->open_calls += (uint32_t)change;
  if (backend->open_calls == 0) pthread_cond_broadcast(&backend->calls_changed);
  pthread_mutex_unlock(&backend->calls_lock);
}

void tsb_backend_wait_for_calls(struct tsb_backend* backend) {
  enum { WARNING_SECONDS = 5 };
  struct timespec next;
  clock_gettime(CLOCK_MONOTONIC, &next);
  next.tv_sec += WARNING_SECONDS;
  pthread_mutex_lock(&backend->calls_lock);
  while (backend->open_calls > 0) {
    if (pthread_cond_timedwait(&backend->calls_changed, &backend->calls_lock, &next) != ETIMEDOUT) continue;
    next.tv_sec += WARNING_SECONDS;
    uint32_t open = backend->open_calls;
    pthread_mutex_unlock(&backend->calls_lock);
    TSB_LOG(
        WARN,
        "Backend '%s' cannot be removed yet: %u calls of other models, or buffers of their answers, are open still. "
        "Look for a model that does not answer or does not delete its responses.",
        backend->name, open);
    pthread_mutex_lock(&backend->calls_lock);
  }
  pthread_mutex_unlock(&backend->calls_lock);
}
