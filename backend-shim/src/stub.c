// SPDX-License-Identifier: Apache-2.0
#include "stub.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "barrier.h"
#include "layout.h"

extern char** environ;

enum { HELLO_TIMEOUT_MS = 10000 };

static struct tsb_control* stub__control(const struct tsb_stub* stub) {
  return (struct tsb_control*)stub->regions.regions[0].base;
}

static int stub__announce(void* context, const struct tsb_region* region) {
  struct tsb_stub* stub = context;
  // The socket has room: a stub reads its channel whenever it meets a region it does not know.
  int status =
      tsb_channel_send(stub->channel, TSB_CONTROL_REGION, region->id, NULL, 0, &region->fd, 1, HELLO_TIMEOUT_MS);
  // A frame that was not sent whole, or a region that the stub will never hear of: no later message can mend that.
  if (status < 0) tsb_stub_kill(stub);
  return status;
}

static int stub__make_control(struct tsb_stub* stub, const struct tsb_settings* settings) {
  struct tsb_region region;
  int status = tsb_region_create(&region, 0, sizeof(struct tsb_control));
  if (status < 0) return status;
  tsb_region_add(&stub->regions, &region);
  struct tsb_control* control = stub__control(stub);
  control->magic = TSB_PROTOCOL_MAGIC;
  control->fingerprint = tsb_layout_fingerprint();
  control->max_bytes = (uint64_t)settings->shm_max_bytes;
  control->initial_bytes = (uint64_t)settings->shm_default_bytes;
  control->growth_bytes = (uint64_t)settings->shm_growth_bytes;
  control->warm_bytes = (uint64_t)settings->shm_warm_bytes;
  tsb_ring_init(&stub->to_stub, &control->to_stub, control->to_stub_entries, stub->wake_stub_fd);
  tsb_ring_init(&stub->to_shim, &control->to_shim, control->to_shim_entries, -1);
  // Published last: who reads the version (acquire, in the stub's link.c) sees all of the above.
  tsb_store_release_u32(&control->version, TSB_PROTOCOL_VERSION);
  tsb_arena_init(&stub->inbound, &stub->regions, 1, control, stub__announce, stub);
  return 0;
}

// A copy of the environment with one variable replaced.
static char** stub__environment(const char* visible_devices, char* variable, size_t variable_bytes) {
  size_t count = 0;
  while (environ[count] != NULL) count++;
  char** copy = calloc(count + 2, sizeof *copy);
  if (copy == NULL) return NULL;
  snprintf(variable, variable_bytes, "CUDA_VISIBLE_DEVICES=%s", visible_devices);
  size_t kept = 0;
  for (size_t i = 0; i < count; i++) {
    if (strncmp(environ[i], "CUDA_VISIBLE_DEVICES=", 21) != 0) copy[kept++] = environ[i];
  }
  copy[kept] = variable;
  return copy;
}

static int stub__spawn(struct tsb_stub* stub, const struct tsb_stub_plan* plan, int channel, int out, int err) {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  sigset_t none, all;
  char heap[64], variable[256];
  char* arguments[7];
  char** environment = environ;
  int count = 0;
  arguments[count++] = (char*)plan->node;
  arguments[count++] = "--enable-source-maps";
  // V8 would look every eight seconds whether an idle process should collect its garbage; the stub does it once, see
  // garbage.ts.
  arguments[count++] = "--no-memory-reducer";
  if (plan->settings->heap_limit_mb > 0) {
    snprintf(heap, sizeof heap, "--max-old-space-size=%lld", (long long)plan->settings->heap_limit_mb);
    arguments[count++] = heap;
  }
  arguments[count++] = (char*)plan->entry;
  arguments[count] = NULL;
  if (plan->visible_devices != NULL) {
    environment = stub__environment(plan->visible_devices, variable, sizeof variable);
    if (environment == NULL) return -ENOMEM;
  }
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, out, 1);
  posix_spawn_file_actions_adddup2(&actions, err, 2);
  posix_spawn_file_actions_adddup2(&actions, channel, TSB_STUB_CHANNEL);
#if __GLIBC_PREREQ(2, 34)
  // Triton's own sockets, those of its clients among them, are not close-on-exec: a model must not keep them open.
  posix_spawn_file_actions_addclosefrom_np(&actions, TSB_STUB_CHANNEL + 1);
#endif
  // Its own process group: Ctrl-C reaches the server only, which then stops its stubs in order; and a kill of the
  // group takes the model's own children along. Signals as at login, whatever Triton's thread has blocked.
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  int status = -posix_spawn(&stub->pid, plan->node, &actions, &attributes, arguments, environment);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (environment != environ) free(environment);
  if (status < 0) {
    stub->pid = -1;
    return status;
  }
  stub->pidfd = (int)syscall(SYS_pidfd_open, stub->pid, 0);
  return stub->pidfd < 0 ? -errno : 0;
}

// Makes the descriptors, spawns, and keeps the shim's ends only. dup2 onto 0-3 in the child must not hit one of the
// descriptors still to be copied, so all of them are moved above 3 first.
static int stub__launch(struct tsb_stub* stub, const struct tsb_stub_plan* plan) {
  int sockets[2] = {-1, -1}, out[2] = {-1, -1}, err[2] = {-1, -1}, high[3] = {-1, -1, -1};
  int status = -1;
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) != 0) goto done;
  if (pipe2(out, O_CLOEXEC) != 0 || pipe2(err, O_CLOEXEC) != 0) goto done;
  high[0] = fcntl(sockets[1], F_DUPFD_CLOEXEC, 16);
  high[1] = fcntl(out[1], F_DUPFD_CLOEXEC, 16);
  high[2] = fcntl(err[1], F_DUPFD_CLOEXEC, 16);
  if (high[0] < 0 || high[1] < 0 || high[2] < 0) goto done;
  fcntl(out[0], F_SETFL, O_NONBLOCK);
  fcntl(err[0], F_SETFL, O_NONBLOCK);
  status = stub__spawn(stub, plan, high[0], high[1], high[2]);
  errno = -status;
  stub->channel = sockets[0];
  tsb_lender_init(&stub->lender, plan->maps_fd, stub->channel);
  tsb_log_pipe_init(&stub->out, out[0], TRITONSERVER_LOG_INFO);
  tsb_log_pipe_init(&stub->err, err[0], TRITONSERVER_LOG_WARN);
  sockets[0] = out[0] = err[0] = -1;
done:
  status = status == 0 ? 0 : -errno;
  for (int i = 0; i < 2; i++) {
    if (sockets[i] >= 0) close(sockets[i]);
    if (out[i] >= 0) close(out[i]);
    if (err[i] >= 0) close(err[i]);
  }
  for (int i = 0; i < 3; i++) {
    if (high[i] >= 0) close(high[i]);
  }
  return status;
}

static TRITONSERVER_Error* stub__hello(struct tsb_stub* stub, const struct tsb_settings* settings) {
  int descriptors[] = {stub->regions.regions[0].fd, stub->wake_stub_fd, stub->wake_shim_fds[TSB_WAKER_SUPERVISOR],
                       stub->wake_shim_fds[TSB_WAKER_EXECUTE]};
  struct tsb_message answer;
  // Failure shows in the call below, together with the reason.
  tsb_channel_send(stub->channel, TSB_CONTROL_HELLO, 0, NULL, 0, descriptors, 4, HELLO_TIMEOUT_MS);
  TSB_RETURN_IF_ERROR(
      tsb_stub_call(stub, TSB_CONTROL_HELLO, NULL, 0, TSB_CONTROL_HELLO_ACK, settings->stub_timeout_ms, -1, &answer));
  tsb_message_free(&answer);
  return NULL;
}

TRITONSERVER_Error* tsb_stub_start(struct tsb_stub** result, const struct tsb_stub_plan* plan) {
  *result = NULL;
  struct tsb_stub* stub = calloc(1, sizeof *stub);
  if (stub == NULL) return tsb_error_new(TRITONSERVER_ERROR_INTERNAL, "Out of memory while starting a stub process.");
  stub->pid = -1;
  stub->pidfd = stub->channel = stub->out.fd = stub->err.fd = -1;
  stub->started_ns = tsb_now_ns();
  stub->max_region_bytes = (uint64_t)plan->settings->shm_max_bytes;
  pthread_mutex_init(&stub->channel_lock, NULL);
  pthread_mutex_init(&stub->memory_lock, NULL);
  stub->name = strdup(plan->name);
  stub->wake_stub_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  bool made = stub->wake_stub_fd >= 0;
  for (int i = 0; i < TSB_WAKER_COUNT; i++) {
    stub->wake_shim_fds[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    made = made && stub->wake_shim_fds[i] >= 0;
  }
  int status = -ENOMEM;
  if (stub->name != NULL) {
    status = made ? stub__make_control(stub, plan->settings) : -errno;
  }
  if (status == 0) status = stub__launch(stub, plan);
  if (status < 0) {
    tsb_stub_destroy(stub);
    return tsb_error_new(
        TRITONSERVER_ERROR_INTERNAL,
        "Could not start Node '%s' for '%s': %s. Give the path of a Node binary in the environment variable "
        "TRITON_TYPESCRIPT_NODE or with --backend-config=typescript,node-path=PATH.",
        plan->node, plan->name, strerror(-status));
  }
  TRITONSERVER_Error* error = stub__hello(stub, plan->settings);
  if (error != NULL) {
    tsb_stub_destroy(stub);
    return error;
  }
  *result = stub;
  return NULL;
}

bool tsb_stub_writes_inputs(const struct tsb_stub* stub) {
  return tsb_load_acquire_u32(&stub__control(stub)->inputs_written) != 0;
}

uint32_t tsb_stub_regions_lost(const struct tsb_stub* stub) {
  return tsb_load_acquire_u32(&stub__control(stub)->regions_lost);
}

int tsb_stub_free_batch(struct tsb_stub* stub, struct tsb_batch_slot* slot) {
  int status = 0;
  pthread_mutex_lock(&stub->memory_lock);
  tsb_lender_return(&stub->lender, &slot->loans);
  if (slot->block_bytes > 0) {
    status = tsb_arena_free(&stub->inbound, slot->block.region, slot->block.offset, slot->block_bytes);
  }
  pthread_mutex_unlock(&stub->memory_lock);
  return status;
}

bool tsb_stub_is_dead(const struct tsb_stub* stub) {
  siginfo_t info = {0};
  return waitid(P_PID, (id_t)stub->pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid != 0;
}

void tsb_stub_kill(struct tsb_stub* stub) {
  siginfo_t info;
  if (stub->pid <= 0) return;
  // The number is this stub's only as long as the process is this one's child, a zombie included: where SIGCHLD is
  // ignored the system reaps by itself and may give the number away. The pidfd names the process in any case.
  if (waitid(P_PID, (id_t)stub->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0) kill(-stub->pid, SIGKILL);
  if (stub->pidfd >= 0) syscall(SYS_pidfd_send_signal, stub->pidfd, SIGKILL, NULL, 0);
}

void tsb_stub_describe_death(struct tsb_stub* stub, char* text, size_t bytes) {
  siginfo_t info = {0};
  // WNOWAIT: the process stays a zombie until tsb_stub_destroy, so that every thread may ask.
  if (waitid(P_PID, (id_t)stub->pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == 0) {
    snprintf(text, bytes, "It closed its connection to the server.");
  } else if (stub->err.fatal[0] != '\0') {
    snprintf(text, bytes, "Node stopped it: %s.", stub->err.fatal);
  } else if (info.si_code == CLD_EXITED) {
    snprintf(text, bytes, "It exited with code %d.", info.si_status);
  } else {
    snprintf(text, bytes, "It was killed by signal %d (%s).", info.si_status, strsignal(info.si_status));
  }
}

void tsb_stub_destroy(struct tsb_stub* stub) {
  if (stub == NULL) return;
  if (stub->pid > 0) {
    siginfo_t info;
    tsb_stub_kill(stub);
    while (waitid(P_PID, (id_t)stub->pid, &info, WEXITED) != 0 && errno == EINTR) {
    }
  }
  // What a dead process wrote is still in the pipes.
  tsb_log_pipe_drain(&stub->out, stub->name);
  tsb_log_pipe_drain(&stub->err, stub->name);
  tsb_log_pipe_close(&stub->out, stub->name);
  tsb_log_pipe_close(&stub->err, stub->name);
  if (stub->pidfd >= 0) close(stub->pidfd);
  if (stub->channel >= 0) close(stub->channel);
  tsb_lender_free(&stub->lender);
  if (stub->wake_stub_fd >= 0) close(stub->wake_stub_fd);
  for (int i = 0; i < TSB_WAKER_COUNT; i++) {
    if (stub->wake_shim_fds[i] >= 0) close(stub->wake_shim_fds[i]);
  }
  tsb_arena_destroy(&stub->inbound);
  tsb_region_close_all(&stub->regions);
  pthread_mutex_destroy(&stub->channel_lock);
  pthread_mutex_destroy(&stub->memory_lock);
  free(stub->name);
  free(stub);
}
