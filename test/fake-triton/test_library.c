// SPDX-License-Identifier: Apache-2.0
// The library itself, loaded as a server loads it, in a host whose calls fail on demand. Its stub is the fake one.
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "fake_host.h"
#include "fake_triton.h"
#include "other_root.h"

enum { COUNT = 3, WAIT_MS = 30000 };

static struct fake_library library;
static float data[COUNT][4] = {{1, 2, 3, 4}, {5, 6, 7, 8}, {9, 10, 11, 12}};
static TRITONBACKEND_Request requests[COUNT];

#define CONFIG(max_batch_size, more)                             \
  "{\"name\":\"fake_model\",\"max_batch_size\":" #max_batch_size \
  ",\"input\":[{\"name\":\"IN\",\"data_type\":"                  \
  "\"TYPE_FP32\",\"dims\":[4]}],\"output\":[{\"name\":\"OUT\",\"data_type\":\"TYPE_FP32\",\"dims\":[4]}]" more "}"

static void* symbol(void* handle, const char* name) {
  void* found = dlsym(handle, name);
  if (found == NULL) CHECK_FAIL("the library does not export %s", name);
  return found;
}

// The conversion from an object pointer that POSIX promises for dlsym.
#define FIND(field, name) *(void**)&library.field = symbol(handle, name)

// It stays when the server closes it: a callback may not have returned yet.
static void test_staying(const char* path) {
  void* handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (handle == NULL) CHECK_FAIL("%s", dlerror());
  dlclose(handle);
  if (dlopen(path, RTLD_NOW | RTLD_NOLOAD) == NULL) CHECK_FAIL("the library is gone once it is closed");
}

static void load_library(const char* path) {
  test_staying(path);
  void* handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (handle == NULL) CHECK_FAIL("%s", dlerror());
  FIND(initialize, "TRITONBACKEND_Initialize");
  FIND(finalize, "TRITONBACKEND_Finalize");
  FIND(get_backend_attribute, "TRITONBACKEND_GetBackendAttribute");
  FIND(model_initialize, "TRITONBACKEND_ModelInitialize");
  FIND(model_finalize, "TRITONBACKEND_ModelFinalize");
  FIND(instance_initialize, "TRITONBACKEND_ModelInstanceInitialize");
  FIND(instance_finalize, "TRITONBACKEND_ModelInstanceFinalize");
  FIND(instance_execute, "TRITONBACKEND_ModelInstanceExecute");
  FIND(instance_ready, "TRITONBACKEND_ModelInstanceReady");
  if (dlsym(handle, "tsb_arena_alloc") != NULL) CHECK_FAIL("the library exports its own functions");
}

static void start(struct fake_host* host, const char* options, const char* config) {
  const char* step;
  struct fake_host_plan plan = {.options = options, .config = config, .repository = "/nowhere"};
  TRITONSERVER_Error* error = fake_host_load(host, library, &plan, &step);
  if (error != NULL) CHECK_FAIL("loading failed in step '%s': %s", step, TRITONSERVER_ErrorMessage(error));
}

static void end(struct fake_host* host) {
  fake_host_unload(host);
  const char* left = fake_host_leftover(host);
  if (left != NULL) CHECK_FAIL("%s", left);
  CHECK_INT(fake_live_responses(), 0);
}

// The model cannot be loaded: which step says so, with which code and which words.
static void refuse(const char* options, const char* config, const char* in_step, TRITONSERVER_Error_Code code,
                   const char* part) {
  struct fake_host host;
  const char* step;
  struct fake_host_plan plan = {.options = options, .config = config, .repository = "/nowhere"};
  TRITONSERVER_Error* error = fake_host_load(&host, library, &plan, &step);
  CHECK(error != NULL);
  CHECK_CONTAINS(TRITONSERVER_ErrorMessage(error), part);
  CHECK_TEXT(step, in_step);
  CHECK_INT(TRITONSERVER_ErrorCode(error), code);
  TRITONSERVER_ErrorDelete(error);
  const char* left = fake_host_leftover(&host);
  if (left != NULL) CHECK_FAIL("%s", left);
}

static void fill_requests(int dims_count) {
  for (int i = 0; i < COUNT; i++) {
    fake_request_clear(&requests[i]);
    requests[i] = (TRITONBACKEND_Request){.input_count = 1, .outputs = {"OUT"}, .output_count = 1};
    requests[i].inputs[0] = (TRITONBACKEND_Input){.name = "IN",
                                                  .datatype = TRITONSERVER_TYPE_FP32,
                                                  .shape = {dims_count == 1 ? 4 : 1, 4},
                                                  .dims_count = (uint32_t)dims_count,
                                                  .bytes = 16,
                                                  .buffer_count = 1,
                                                  .buffers = {data[i]},
                                                  .buffer_bytes = {16}};
  }
}

static void send(struct fake_host* host) {
  TRITONBACKEND_Request* batch[COUNT];
  for (int i = 0; i < COUNT; i++) batch[i] = &requests[i];
  fake_host_execute(host, batch, COUNT);
  for (int i = 0; i < COUNT; i++) {
    CHECK(fake_request_wait(&requests[i], WAIT_MS));
    CHECK_INT(requests[i].release_count, 1);
    CHECK_INT(requests[i].success_count + requests[i].failure_count, 1);
  }
}

static void expect_right(int index) {
  const TRITONBACKEND_Output* output = fake_output(&requests[index], "OUT");
  CHECK_INT(requests[index].response_count, 1);
  CHECK(output != NULL);
  CHECK_INT(output->bytes, 16);
  CHECK_INT(memcmp(output->data, data[index], 16), 0);
  CHECK_INT(requests[index].success_count, 1);
}

static void expect_error(int index, const char* part) {
  CHECK_INT(requests[index].response_count, 1);
  CHECK(requests[index].response != NULL && requests[index].response->error != NULL);
  CHECK_CONTAINS(TRITONSERVER_ErrorMessage(requests[index].response->error), part);
  CHECK_INT(requests[index].failure_count, 1);
}

static void test_attributes(void) {
  TRITONBACKEND_BackendAttribute attribute = {0};
  CHECK(library.get_backend_attribute(NULL, &attribute) == NULL);
  CHECK_INT(attribute.parallel_loading, !FAKE_TRITON_IS_OLD);
  CHECK_INT(attribute.preferred_groups, 1);
}

static void test_batches_and_statistics(void) {
  struct fake_host host;
  start(&host, "", CONFIG(8, ""));
  CHECK(library.instance_ready(&host.instance) == NULL);
  for (int i = 0; i < 10; i++) {
    fill_requests(2);
    send(&host);
    for (int j = 0; j < COUNT; j++) expect_right(j);
  }
  fill_requests(2);
  end(&host);
  // A batch is reported behind its end, by a thread that is joined by now.
  CHECK_INT(host.instance.batch_reports, 10);
  CHECK_INT(host.instance.batch_sizes, 10 * COUNT);
}

// One request of three goes wrong; the others must not notice.
static void test_calls_that_fail(void) {
  struct fake_host host;
  start(&host, "", CONFIG(0, ""));
  fill_requests(1);
  fake_faults.input_buffer = 1;
  send(&host);
  expect_error(0, "InputBuffer failed");
  expect_right(1);
  expect_right(2);

  fill_requests(1);
  requests[1].inputs[0].memory_type = TRITONSERVER_MEMORY_GPU;
  send(&host);
  expect_right(0);
  expect_error(1, "is in GPU memory");
  expect_right(2);

  fill_requests(1);
  fake_faults.request_id = -1;
  send(&host);
  fake_faults.request_id = 0;
  for (int i = 0; i < COUNT; i++) expect_error(i, "RequestId failed");

  fill_requests(1);
  fake_faults.output_buffer = 1;
  send(&host);
  expect_error(0, "OutputBuffer failed");
  expect_right(1);

  fill_requests(1);
  fake_faults.output_buffer_gpu = 1;
  send(&host);
  expect_error(0, "wanted in GPU memory");
  expect_right(1);

  fill_requests(1);
  fake_faults.response_output = -1;
  send(&host);
  fake_faults.response_output = 0;
  for (int i = 0; i < COUNT; i++) expect_error(i, "ResponseOutput failed");

  fill_requests(1);
  fake_faults.response_send = 1;  // this client hears nothing, which the log says
  send(&host);
  CHECK(fake_log_has("ResponseSend failed"));
  expect_right(1);
  expect_right(2);

  fill_requests(1);
  fake_faults.response_new = 1;
  send(&host);
  CHECK_INT(requests[0].response_count, 0);
  CHECK_INT(requests[0].failure_count, 1);
  expect_right(1);

  fill_requests(1);
  send(&host);
  for (int i = 0; i < COUNT; i++) expect_right(i);
  fill_requests(1);
  end(&host);
}

// The environment of the one child, as it was when it was started.
static size_t read_environment(char* environment, size_t capacity) {
  int pids[4];
  char path[64];
  CHECK_INT(fake_children(pids, 4), 1);
  snprintf(path, sizeof path, "/proc/%d/environ", pids[0]);
  FILE* file = fopen(path, "r");
  CHECK(file != NULL);
  size_t bytes = fread(environment, 1, capacity, file);
  fclose(file);
  return bytes;
}

// Whether the one child has this file open.
static bool child_has(const struct stat* file) {
  int pids[4];
  CHECK_INT(fake_children(pids, 4), 1);
  for (int fd = 0; fd < 256; fd++) {
    char path[64];
    struct stat info;
    snprintf(path, sizeof path, "/proc/%d/fd/%d", pids[0], fd);
    if (stat(path, &info) == 0 && info.st_dev == file->st_dev && info.st_ino == file->st_ino) return true;
  }
  return false;
}

// Neither a secret nor a descriptor of the server reaches a stub, unless it is asked for.
static void test_what_a_stub_inherits(void) {
  struct fake_host host;
  char environment[65536];
  struct stat leaked;
  int fd = memfd_create("of-the-server", 0);  // not close-on-exec, as Triton's sockets
  int high = fcntl(fd, F_DUPFD, 200);
  CHECK(high >= 0 && fstat(fd, &leaked) == 0);
  setenv("SERVER_PASSWORD", "open-sesame", 1);
  setenv("MODEL_SETTING", "asked-for", 1);
  start(&host, "\"environment\":\"OTHER\",\"allow-environment\":\"MODEL_*\"",
        CONFIG(0, ",\"parameters\":{\"ENVIRONMENT\":{\"string_value\":\"MODEL_*\"}}"));
  size_t bytes = read_environment(environment, sizeof environment);
  CHECK(memmem(environment, bytes, "open-sesame", 11) == NULL);
  CHECK(memmem(environment, bytes, "MODEL_SETTING=asked-for", 23) != NULL);
  CHECK(memmem(environment, bytes, "TRITON_TYPESCRIPT_NODE=", 23) != NULL);
  CHECK(!child_has(&leaked));
  end(&host);
  close(fd);
  close(high);
  unsetenv("SERVER_PASSWORD");
  unsetenv("MODEL_SETTING");
}

// Whether the one stub of a model in this folder was told to take files under the names that they are asked for.
static bool keeps_links(const char* repository, pid_t helper) {
  struct fake_host host;
  const char* step;
  char path[64], arguments[4096];
  int pids[4], count;
  struct fake_host_plan plan = {.options = "", .config = CONFIG(0, ""), .repository = repository};
  TRITONSERVER_Error* error = fake_host_load(&host, library, &plan, &step);
  if (error != NULL) CHECK_FAIL("loading failed in step '%s': %s", step, TRITONSERVER_ErrorMessage(error));
  if (helper > 0) CHECK(kill(helper, SIGKILL) == 0 && waitpid(helper, NULL, 0) == helper);
  count = fake_children(pids, 4);
  CHECK_INT(count, 1);
  snprintf(path, sizeof path, "/proc/%d/cmdline", pids[0]);
  FILE* file = fopen(path, "r");
  CHECK(file != NULL);
  size_t bytes = fread(arguments, 1, sizeof arguments, file);
  fclose(file);
  end(&host);
  return memmem(arguments, bytes, "--preserve-symlinks", 20) != NULL;
}

static void test_a_folder_behind_another_root(void) {
  char folder[] = "/tmp/test_library_XXXXXX", version[64], behind[64];
  CHECK(mkdtemp(folder) != NULL);
  snprintf(version, sizeof version, "%s/1", folder);
  CHECK_INT(mkdir(version, 0700), 0);
  CHECK(!keeps_links(folder, 0));
  CHECK_INT(rmdir(version) + rmdir(folder), 0);
  pid_t helper = other_root_start();
  if (helper == 0) {
    printf("A folder behind /proc/PID/root is not tested: this system lets nobody make a root.\n");
    return;
  }
  snprintf(behind, sizeof behind, "/proc/%d/root/models", (int)helper);
  CHECK(keeps_links(behind, helper));
}

static void test_protected_memory(void) {
  struct fake_host host;
  prctl(PR_SET_DUMPABLE, 1);
  start(&host, "", CONFIG(0, ""));
  CHECK_INT(prctl(PR_GET_DUMPABLE, 0), 1);
  end(&host);
  start(&host, "\"protect-memory\":\"true\"", CONFIG(0, ""));
  CHECK_INT(prctl(PR_GET_DUMPABLE, 0), 0);
  fill_requests(1);
  send(&host);
  for (int i = 0; i < COUNT; i++) expect_right(i);
  fill_requests(1);
  end(&host);
  prctl(PR_SET_DUMPABLE, 1);
}

static bool prctl_fails;

// The library's calls come here before the system's.
__attribute__((visibility("default"))) int prctl(int option, ...) {
  va_list arguments;
  va_start(arguments, option);
  unsigned long value = va_arg(arguments, unsigned long);
  va_end(arguments);
  if (!prctl_fails || option != PR_SET_DUMPABLE) return (int)syscall(SYS_prctl, option, value, 0, 0, 0);
  errno = EPERM;
  return -1;
}

static void test_memory_that_cannot_be_protected(void) {
  struct fake_host host;
  fake_log_clear();
  prctl_fails = true;
  start(&host, "\"protect-memory\":\"true\"", CONFIG(0, ""));
  prctl_fails = false;
  CHECK(fake_log_has("The option 'protect-memory' has no effect: Operation not permitted."));
  end(&host);
}

static bool threads_fail, processes_fail;

__attribute__((visibility("default"))) int pthread_create(pthread_t* thread, const pthread_attr_t* attributes,
                                                          void* (*run)(void*), void* argument) {
  static int (*real)(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*);
  if (real == NULL) *(void**)&real = dlsym(RTLD_NEXT, "pthread_create");
  return threads_fail ? EAGAIN : real(thread, attributes, run, argument);
}

__attribute__((visibility("default"))) int posix_spawn(pid_t* pid, const char* path,
                                                       const posix_spawn_file_actions_t* actions,
                                                       const posix_spawnattr_t* attributes, char* const arguments[],
                                                       char* const environment[]) {
  static int (*real)(pid_t*, const char*, const posix_spawn_file_actions_t*, const posix_spawnattr_t*, char* const[],
                     char* const[]);
  if (real == NULL) *(void**)&real = dlsym(RTLD_NEXT, "posix_spawn");
  return processes_fail ? EAGAIN : real(pid, path, actions, attributes, arguments, environment);
}

static void test_a_limit_of_processes_and_threads(void) {
  processes_fail = true;
  refuse("", CONFIG(0, ""), "model", TRITONSERVER_ERROR_UNAVAILABLE, "(ulimit -u");
  processes_fail = false;
  threads_fail = true;
  refuse("", CONFIG(0, ""), "instance", TRITONSERVER_ERROR_UNAVAILABLE, "(ulimit -u");
  threads_fail = false;
}

static int lowest_free_descriptor(void) {
  int fd = fcntl(0, F_DUPFD, 0);
  close(fd);
  return fd;
}

// As many descriptors as are needed for one step more each time: whatever lacks one names the limit, and leaks nothing.
static void test_a_limit_of_open_files(void) {
  struct rlimit before, low;
  bool loaded = false;
  CHECK_INT(getrlimit(RLIMIT_NOFILE, &before), 0);
  low = before;
  for (int more = 1; !loaded; more++) {
    struct fake_host host;
    const char* step;
    struct fake_host_plan plan = {.options = "", .config = CONFIG(0, ""), .repository = "/nowhere"};
    CHECK(more < 100);
    low.rlim_cur = (rlim_t)lowest_free_descriptor() + (rlim_t)more;
    CHECK_INT(setrlimit(RLIMIT_NOFILE, &low), 0);
    TRITONSERVER_Error* error = fake_host_load(&host, library, &plan, &step);
    CHECK_INT(setrlimit(RLIMIT_NOFILE, &before), 0);
    loaded = error == NULL;
    if (loaded) {
      end(&host);
      CHECK(more > 6);
      return;
    }
    CHECK_CONTAINS(TRITONSERVER_ErrorMessage(error), "(ulimit -n)");
    TRITONSERVER_ErrorDelete(error);
    const char* left = fake_host_leftover(&host);
    if (left != NULL) CHECK_FAIL("with %d descriptors: %s", more, left);
  }
}

// One process, which sees its own GPU only, and none left over from the step that read the model's file.
static void test_instance_on_a_gpu(void) {
  struct fake_host host;
  const char* step;
  struct fake_host_plan plan = {
      .config = CONFIG(0, ""), .repository = "/nowhere", .device_id = 5, .kind = TRITONSERVER_INSTANCEGROUPKIND_GPU};
  setenv("CUDA_VISIBLE_DEVICES", "0,1,5", 1);
  TRITONSERVER_Error* error = fake_host_load(&host, library, &plan, &step);
  unsetenv("CUDA_VISIBLE_DEVICES");
  if (error != NULL) CHECK_FAIL("loading failed in step '%s': %s", step, TRITONSERVER_ErrorMessage(error));
  char environment[65536];
  size_t bytes = read_environment(environment, sizeof environment);
  static const char WANTED[] = "\0CUDA_VISIBLE_DEVICES=5";
  CHECK(memmem(environment, bytes, WANTED, sizeof WANTED) != NULL);
  CHECK(memmem(environment, bytes, "CUDA_VISIBLE_DEVICES=0", 22) == NULL);
  fill_requests(1);
  send(&host);
  expect_right(0);
  fill_requests(1);
  end(&host);
}

// Both the process that read the model's file and the instance's own would do; only the second one is pinned.
static void test_instance_that_is_pinned(void) {
  struct fake_host host;
  cpu_set_t cpus;
  const char* step;
  struct fake_host_plan plan = {.config = CONFIG(0, ""), .repository = "/nowhere", .pinned = true};
  sched_getaffinity(0, sizeof cpus, &cpus);
  if (CPU_COUNT(&cpus) < 2) {
    printf("An instance that is pinned is not tested: this machine has one processor.\n");
    return;
  }
  TRITONSERVER_Error* error = fake_host_load(&host, library, &plan, &step);
  if (error != NULL) CHECK_FAIL("loading failed in step '%s': %s", step, TRITONSERVER_ErrorMessage(error));
  int pids[4];
  CHECK_INT(fake_children(pids, 4), 1);
  sched_getaffinity(pids[0], sizeof cpus, &cpus);
  CHECK_INT(CPU_COUNT(&cpus), 1);
  fill_requests(1);
  send(&host);
  expect_right(0);
  fill_requests(1);
  end(&host);
}

// Whether a program that cannot be started is told at once. Not by an emulator that makes a fork of what shares memory.
static bool spawn_tells(void) {
  pid_t pid;
  char* arguments[] = {"node", NULL};
  if (posix_spawn(&pid, "/nowhere/node", NULL, NULL, arguments, arguments + 1) != 0) return true;
  waitpid(pid, NULL, 0);
  return false;
}

static void test_models_that_are_refused(void) {
  refuse("\"restart\":\"perhaps\"", CONFIG(0, ""), "backend", TRITONSERVER_ERROR_INVALID_ARG, "'restart' must be");
  refuse("", CONFIG(0, ",\"parameters\":{\"MAX_IN_FLIGHT_BATCHES\":{\"string_value\":\"x\"}}"), "model",
         TRITONSERVER_ERROR_INVALID_ARG, "'MAX_IN_FLIGHT_BATCHES' must be a whole number");
  refuse("", CONFIG(0, ",\"parameters\":{\"ENVIRONMENT\":{\"string_value\":\"*\"}}"), "model",
         TRITONSERVER_ERROR_INVALID_ARG, "--backend-config=typescript,allow-environment=*");
  refuse("", "{\"name\":", "model", TRITONSERVER_ERROR_INTERNAL, "is not JSON");
  refuse("\"node-path\":\"/nowhere/node\"", CONFIG(0, ""), "model", TRITONSERVER_ERROR_INTERNAL,
         spawn_tells() ? "Could not start Node '/nowhere/node'" : "while it was starting. It exited with code 127.");
  refuse("\"node-path\":\"/bin/false\"", CONFIG(0, ""), "model", TRITONSERVER_ERROR_INTERNAL,
         "while it was starting. It exited with code 1.");
  setenv("TRITON_TYPESCRIPT_RUNTIME", "/nowhere", 1);
  refuse("", CONFIG(0, ""), "backend", TRITONSERVER_ERROR_NOT_FOUND, "TRITON_TYPESCRIPT_RUNTIME");
  setenv("TRITON_TYPESCRIPT_RUNTIME", FAKE_RUNTIME, 1);
}

// An argument is another library.
int main(int count, char** arguments) {
  for (int fd = 3; fd < 1024; fd++) close(fd);  // what was inherited may be above the limit of open files of a test
  signal(SIGPIPE, SIG_IGN);                     // as in the server
  setenv("TRITON_TYPESCRIPT_NODE", HOSTILE_STUB, 1);  // without a list of evils it is honest
  setenv("TRITON_TYPESCRIPT_RUNTIME", FAKE_RUNTIME, 1);
  load_library(count > 1 ? arguments[1] : LIBRARY);
  test_attributes();
  test_batches_and_statistics();
  test_calls_that_fail();
  test_what_a_stub_inherits();
  test_a_folder_behind_another_root();
  test_protected_memory();
  test_memory_that_cannot_be_protected();
  test_a_limit_of_open_files();
  test_a_limit_of_processes_and_threads();
  test_instance_on_a_gpu();
  test_instance_that_is_pinned();
  test_models_that_are_refused();
  return 0;
}
