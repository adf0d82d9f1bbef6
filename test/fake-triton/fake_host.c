// SPDX-License-Identifier: Apache-2.0
#include "fake_host.h"

#include "fake_callee.h"

#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

long fake_host_file_bytes(const char* path) {
  struct stat info;
  return stat(path, &info) == 0 ? (long)info.st_size : 0;
}

int fake_open_descriptors(void) {
  DIR* directory = opendir("/proc/self/fd");
  int count = -3;  // ".", ".." and the directory's own
  while (readdir(directory) != NULL) count++;
  closedir(directory);
  return count;
}

bool fake_has_children(void) {
  siginfo_t info;
  return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

int fake_children(int* pids, int capacity) {
  int count = 0;
  DIR* tasks = opendir("/proc/self/task");  // a child belongs to the thread that started it
  for (struct dirent* task; (task = readdir(tasks)) != NULL;) {
    char path[300];
    int pid;
    snprintf(path, sizeof path, "/proc/self/task/%s/children", task->d_name);
    FILE* children = task->d_name[0] == '.' ? NULL : fopen(path, "r");
    if (children == NULL) continue;
    while (count < capacity && fscanf(children, "%d", &pid) == 1) pids[count++] = pid;
    fclose(children);
  }
  closedir(tasks);
  return count;
}

bool fake_log_wait(const char* part, int timeout_ms) {
  for (int waited = 0; !fake_log_has(part); waited += 5) {
    if (waited > timeout_ms) return false;
    usleep(5000);
  }
  return true;
}

static void host__prepare(struct fake_host* host, struct fake_library library, const struct fake_host_plan* plan) {
  char config[4096];
  *host = (struct fake_host){.library = library,
                             .descriptors_before = fake_open_descriptors(),
                             .errors_before = fake_live_errors(),
                             .messages_before = fake_live_messages()};
  const char* options = plan->options == NULL ? "" : plan->options;
  // What the hostile stub is told.
  const char* told = strstr(options, "\"environment\"") != NULL ? "" : "\"environment\":\"FAKE_STUB_*\"";
  snprintf(config, sizeof config, "{\"cmdline\":{%s%s%s}}", told, *told == '\0' || *options == '\0' ? "" : ",",
           options);
  host->backend.name = plan->backend_name == NULL ? "typescript" : plan->backend_name;
  host->backend.directory = plan->backend_directory == NULL ? "/" : plan->backend_directory;
  host->backend.config = strdup(config);
  host->model.backend = &host->backend;
  host->model.name = "fake_model";
  host->model.version = 1;
  host->model.repository = plan->repository;
  host->model.config = strdup(plan->config);
  host->model.auto_complete = plan->auto_complete;
  host->instance.model = &host->model;
  host->instance.name = "fake_model_0";
  host->instance.kind = plan->kind == 0 ? TRITONSERVER_INSTANCEGROUPKIND_CPU : plan->kind;
  host->instance.device_id = plan->device_id;
}

static void host__free(struct fake_host* host) {
  free(host->backend.config);
  free(host->model.config);
  host->backend.config = host->model.config = NULL;
}

// As the server does it for an instance with a host policy.
static TRITONSERVER_Error* host__initialize_pinned(struct fake_host* host) {
  cpu_set_t all, one;
  int first = 0;
  sched_getaffinity(0, sizeof all, &all);
  while (!CPU_ISSET(first, &all)) first++;
  CPU_ZERO(&one);
  CPU_SET(first, &one);
  sched_setaffinity(0, sizeof one, &one);
  TRITONSERVER_Error* error = host->library.instance_initialize(&host->instance);
  sched_setaffinity(0, sizeof all, &all);
  return error;
}

TRITONSERVER_Error* fake_host_load(struct fake_host* host, struct fake_library library,
                                   const struct fake_host_plan* plan, const char** step) {
  host__prepare(host, library, plan);
  *step = "backend";
  TRITONSERVER_Error* error = library.initialize(&host->backend);
  if (error != NULL) goto err_model;  // as in the server, which finalizes it all the same
  *step = "model";
  error = library.model_initialize(&host->model);
  if (error != NULL) goto err_model;
  *step = "instance";
  error = plan->pinned ? host__initialize_pinned(host) : library.instance_initialize(&host->instance);
  if (error == NULL) return NULL;
  library.model_finalize(&host->model);
err_model:
  library.finalize(&host->backend);
  host__free(host);
  return error;
}

void fake_host_execute(struct fake_host* host, TRITONBACKEND_Request** requests, uint32_t count) {
  // The library may reorder the array that it is given, so it gets a copy, as from the server.
  TRITONBACKEND_Request** copy = malloc(count * sizeof *copy);
  memcpy(copy, requests, count * sizeof *copy);
  TRITONSERVER_Error* error = host->library.instance_execute(&host->instance, copy, count);
  free(copy);
  if (error == NULL) return;
  fprintf(stderr, "Execute must answer for its requests itself, but returned: %s\n", TRITONSERVER_ErrorMessage(error));
  abort();
}

void fake_host_unload(struct fake_host* host) {
  TRITONSERVER_Error* errors[] = {host->library.instance_finalize(&host->instance),
                                  host->library.model_finalize(&host->model), host->library.finalize(&host->backend)};
  for (int i = 0; i < 3; i++) {
    if (errors[i] == NULL) continue;
    fprintf(stderr, "Finalizing failed: %s\n", TRITONSERVER_ErrorMessage(errors[i]));
    abort();
  }
  host__free(host);
}

const char* fake_host_leftover(const struct fake_host* host) {
  static char text[256];
  // Some are closed by a thread of their own (discard.h).
  for (int i = 0; i < 30000 && fake_open_descriptors() > host->descriptors_before; i++) usleep(1000);
  int descriptors = fake_open_descriptors();
  if (fake_has_children()) return "a child process is left";
  if (descriptors != host->descriptors_before) {
    snprintf(text, sizeof text, "%d descriptors are open, %d were before", descriptors, host->descriptors_before);
    return text;
  }
  if (fake_live_errors() != host->errors_before || fake_live_messages() != host->messages_before) {
    snprintf(text, sizeof text, "%ld errors and %ld messages were not deleted",
             fake_live_errors() - host->errors_before, fake_live_messages() - host->messages_before);
    return text;
  }
  if (fake_live_calls() != 0) {
    snprintf(text, sizeof text, "%ld requests to other models, responses and allocators were not deleted",
             fake_live_calls());
    return text;
  }
  return NULL;
}
