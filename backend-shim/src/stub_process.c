// SPDX-License-Identifier: Apache-2.0
#include "stub_process.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "barrier.h"
#include "environment.h"
#include "log.h"
#include "tsb_protocol.h"

// SIGKILL ends a process at once, unless it hangs in a driver.
enum { END_PATIENCE_MS = 10000 };

// Node runs this at the start of each thread, the worker threads of a model among them; the stub's main thread says
// which file they need (stub/src/runtime/model_threads.ts).
static const char PRELOAD[] =
    "data:text/javascript,import{getEnvironmentData}from'node:worker_threads';"
    "const%20file=getEnvironmentData('triton-typescript:preload');if(file!==undefined)await%20import(file);";

// Of glibc 2.34 and newer. Looked up, as a library that was built for older ones runs there, too.
typedef int (*stub_process__add_close_from)(posix_spawn_file_actions_t* actions, int from);

static stub_process__add_close_from stub_process__find_add_close_from(void) {
#ifdef TSB_CLOSE_ONE_BY_ONE
  return NULL;
#else
  return (stub_process__add_close_from)dlsym(RTLD_DEFAULT, "posix_spawn_file_actions_addclosefrom_np");
#endif
}

// Triton's own sockets, those of its clients among them, are not close-on-exec: a model must not keep them open.
static int stub_process__close_others(posix_spawn_file_actions_t* actions) {
  stub_process__add_close_from add_close_from = stub_process__find_add_close_from();
  if (add_close_from != NULL) return -add_close_from(actions, TSB_STUB_CHANNEL + 1);
  // Those that are there now; what another thread opens before the spawn, it has to mark itself.
  DIR* folder = opendir("/proc/self/fd");
  if (folder == NULL) return -errno;
  int status = 0;
  for (struct dirent* entry; status == 0 && (entry = readdir(folder)) != NULL;) {
    int fd = atoi(entry->d_name);
    if (fd > (int)TSB_STUB_CHANNEL && (fcntl(fd, F_GETFD) & FD_CLOEXEC) == 0) {
      status = -posix_spawn_file_actions_addclose(actions, fd);
    }
  }
  closedir(folder);
  return status == -EBADF ? -EMFILE : status;  // one that is open and above the limit, which was lowered since
}

static int stub_process__spawn(struct tsb_stub_process* process, const struct tsb_stub_plan* plan, int channel, int out,
                               int err) {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  sigset_t none, all;
  char heap[64];
  char* arguments[10];
  int count = 0;
  arguments[count++] = (char*)plan->node;
  arguments[count++] = "--enable-source-maps";
  // V8 would look every eight seconds whether an idle process should collect its garbage; the stub does it once, see
  // garbage.ts.
  arguments[count++] = "--no-memory-reducer";
  arguments[count++] = "--import";
  arguments[count++] = (char*)PRELOAD;
  if (plan->settings->heap_limit_mb > 0) {
    snprintf(heap, sizeof heap, "--max-old-space-size=%lld", (long long)plan->settings->heap_limit_mb);
    arguments[count++] = heap;
  }
  // Where a resolved name leads elsewhere, Node must take every file under the name that it is asked for.
  if (plan->keeps_links) arguments[count++] = "--preserve-symlinks";
  arguments[count++] = (char*)plan->entry;
  arguments[count] = NULL;
  char** environment = tsb_environment_new(plan->settings->environment, plan->visible_devices);
  if (environment == NULL) return -ENOMEM;
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, out, 1);
  posix_spawn_file_actions_adddup2(&actions, err, 2);
  posix_spawn_file_actions_adddup2(&actions, channel, TSB_STUB_CHANNEL);
  int status = stub_process__close_others(&actions);
  // Its own process group: Ctrl-C reaches the server only, which then stops its stubs in order; and a kill of the
  // group takes the model's own children along. Signals as at login, whatever Triton's thread has blocked.
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  if (status == 0) {
    status = -posix_spawn(&process->pid, plan->node, &actions, &attributes, arguments, environment);
  }
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  free(environment);
  if (status < 0) {
    process->pid = -1;
    return status;
  }
  process->pidfd = (int)syscall(SYS_pidfd_open, process->pid, 0);
  return process->pidfd < 0 ? -errno : 0;
}

// Makes the descriptors, spawns, and keeps the shim's ends only. dup2 onto 0-3 in the child must not hit one of the
// descriptors still to be copied, so all of them are moved above 3 first.
static int stub_process__launch(struct tsb_stub_process* process, const struct tsb_stub_plan* plan, int* channel) {
  int sockets[2] = {-1, -1}, out[2] = {-1, -1}, err[2] = {-1, -1}, high[3] = {-1, -1, -1};
  int status = -1;
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) != 0) goto done;
  if (pipe2(out, O_CLOEXEC) != 0 || pipe2(err, O_CLOEXEC) != 0) goto done;
  high[0] = fcntl(sockets[1], F_DUPFD_CLOEXEC, 16);
  high[1] = fcntl(out[1], F_DUPFD_CLOEXEC, 16);
  high[2] = fcntl(err[1], F_DUPFD_CLOEXEC, 16);
  if (high[0] < 0 || high[1] < 0 || high[2] < 0) {
    if (errno == EINVAL) errno = EMFILE;  // the limit is below 16
    goto done;
  }
  fcntl(out[0], F_SETFL, O_NONBLOCK);
  fcntl(err[0], F_SETFL, O_NONBLOCK);
  status = stub_process__spawn(process, plan, high[0], high[1], high[2]);
  errno = -status;
  *channel = sockets[0];
  tsb_log_pipe_init(&process->out, out[0], TRITONSERVER_LOG_INFO);
  tsb_log_pipe_init(&process->err, err[0], TRITONSERVER_LOG_WARN);
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

int tsb_stub_process_start(struct tsb_stub_process* process, const struct tsb_stub_plan* plan, int* channel) {
  *channel = -1;
  *process = (struct tsb_stub_process){
      .name = strdup(plan->name), .pid = -1, .pidfd = -1, .started_ns = tsb_now_ns(), .out.fd = -1, .err.fd = -1};
  return process->name == NULL ? -ENOMEM : stub_process__launch(process, plan, channel);
}

bool tsb_stub_process_rename(struct tsb_stub_process* process, const char* name) {
  char* copy = strdup(name);
  if (copy == NULL) return false;
  free(process->name);
  process->name = copy;
  return true;
}

void tsb_stub_process_log(struct tsb_stub_process* process) {
  tsb_log_pipe_drain(&process->out, process->name);
  tsb_log_pipe_drain(&process->err, process->name);
}

bool tsb_stub_process_is_dead(const struct tsb_stub_process* process) {
  siginfo_t info = {0};
  return waitid(P_PID, (id_t)process->pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid != 0;
}

bool tsb_stub_process_wait(const struct tsb_stub_process* process, int timeout_ms) {
  struct pollfd death = {.fd = process->pidfd, .events = POLLIN};
  while (poll(&death, 1, timeout_ms) < 0 && errno == EINTR) {
  }
  return death.revents != 0;
}

void tsb_stub_process_kill(struct tsb_stub_process* process) {
  siginfo_t info;
  if (process->pid <= 0) return;
  // The number is this stub's only as long as the process is this one's child, a zombie included: where SIGCHLD is
  // ignored the system reaps by itself and may give the number away. The pidfd names the process in any case.
  if (waitid(P_PID, (id_t)process->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0) kill(-process->pid, SIGKILL);
  if (process->pidfd >= 0) syscall(SYS_pidfd_send_signal, process->pidfd, SIGKILL, NULL, 0);
}

void tsb_stub_process_describe_end(const struct tsb_stub_process* process, char* text, size_t bytes) {
  siginfo_t info = {0};
  // WNOWAIT: the process stays a zombie until tsb_stub_process_destroy, so that every thread may ask.
  if (waitid(P_PID, (id_t)process->pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == 0) {
    snprintf(text, bytes, "It closed its connection to the server.");
  } else if (process->err.fatal[0] != '\0') {
    snprintf(text, bytes, "Node stopped it: %s.", process->err.fatal);
  } else if (info.si_code == CLD_EXITED) {
    snprintf(text, bytes, "It exited with code %d.", info.si_status);
  } else {
    snprintf(text, bytes, "It was killed by signal %d (%s).", info.si_status, strsignal(info.si_status));
  }
}

// Takes a dead process off the list of children. One that does not end, or whose end another process holds back (a
// tracer does, even one that the process has started itself), stays there; nobody waits for it.
static void stub_process__reap(struct tsb_stub_process* process) {
  siginfo_t info = {0};
  if (process->pidfd < 0) {  // there were no descriptors left for one: it has just been started
    while (waitid(P_PID, (id_t)process->pid, &info, WEXITED) != 0 && errno == EINTR) {
    }
    return;
  }
  bool ended = tsb_stub_process_wait(process, END_PATIENCE_MS);
  if (ended && (waitid(P_PID, (id_t)process->pid, &info, WEXITED | WNOHANG) != 0 || info.si_pid != 0)) return;
  TSB_LOG(WARN, "Stub process '%s' (%d) was killed, but it cannot be reaped; it is left behind.", process->name,
          (int)process->pid);
}

void tsb_stub_process_destroy(struct tsb_stub_process* process) {
  if (process->pid > 0) {
    tsb_stub_process_kill(process);
    stub_process__reap(process);
  }
  // What a dead process wrote is still in the pipes.
  tsb_stub_process_log(process);
  tsb_log_pipe_close(&process->out, process->name);
  tsb_log_pipe_close(&process->err, process->name);
  if (process->pidfd >= 0) close(process->pidfd);
  free(process->name);
}
