// SPDX-License-Identifier: Apache-2.0
#include "other_root.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

pid_t other_root_start(void) {
  int ready[2];
  char byte = 0;
  CHECK_INT(pipe(ready), 0);
  pid_t pid = fork();
  if (pid == 0) {
    close(ready[0]);
    if (unshare(CLONE_NEWNS) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) _exit(1);
    if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 || mount("none", "/tmp", "tmpfs", 0, NULL) != 0 ||
        chroot("/tmp") != 0 || mkdir("/models", 0755) != 0 || mkdir("/models/1", 0755) != 0) {
      _exit(1);
    }
    if (write(ready[1], "r", 1) == 1) pause();
    _exit(1);
  }
  close(ready[1]);
  ssize_t got = read(ready[0], &byte, 1);
  close(ready[0]);
  if (got == 1) return pid;
  waitpid(pid, NULL, 0);
  return 0;
}
