// SPDX-License-Identifier: Apache-2.0
// How the fake stub ends, or does not.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <unistd.h>

#include "hostile_stub.h"

void hang(void) {
  struct pollfd item = {.fd = CHANNEL, .events = POLLRDHUP};
  while (poll(&item, 1, -1) <= 0) {
  }
  _exit(0);
}

void block_the_server(void) {
  int descriptors[] = {CHANNEL, connection_.watch_fd, connection_.wake_shim_fds[0], connection_.wake_shim_fds[1]};
  uint64_t full = UINT64_MAX - 1, count;
  for (int i = 0; i < 4; i++) {
    fcntl(descriptors[i], F_SETFL, fcntl(descriptors[i], F_GETFL) & ~O_NONBLOCK);
    if (i == 0) continue;
    struct pollfd item = {.fd = descriptors[i], .events = POLLIN};
    ssize_t done = poll(&item, 1, 0) > 0 ? read(descriptors[i], &count, sizeof count) : 0;
    done = write(descriptors[i], &full, sizeof full);
    (void)done;  // refused where this is no eventfd
  }
  hang();
}

// A tracer of its own keeps a dead process from being reaped. It ends with its control channel.
static void die_traced(void) {
  int ready[2];
  char byte;
  if (pipe(ready) != 0) _exit(111);
  prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
  pid_t traced = getpid();
  if (fork() == 0) {
    setsid();
    if (ptrace(PTRACE_SEIZE, traced, NULL, NULL) != 0) fprintf(stderr, "This process may not be traced.\n");
    if (write(ready[1], "x", 1) != 1) _exit(112);
    hang();
  }
  if (read(ready[0], &byte, 1) != 1) _exit(113);
  _exit(7);
}

void evil_process(void) {
  if (is("dies_traced")) die_traced();
  if (is("exit_in_batch")) _exit(7);
  if (is("kill_in_batch")) raise(SIGKILL);
  if (is("abort_in_batch")) abort();
  if (is("stop_in_batch")) raise(SIGSTOP);
  if (is("hang_in_batch")) hang();
  if (is("child_left_behind")) {
    if (fork() == 0) pause();
    _exit(7);
  }
  if (is("flood_of_output")) {
    char line[1024];
    memset(line, 'f', sizeof line);
    line[sizeof line - 1] = '\n';
    for (int i = 0; i < 4096; i++) {
      if (write(1 + i % 2, line, sizeof line) < 0) _exit(102);
    }
  }
}
