// SPDX-License-Identifier: Apache-2.0
// Folders behind /proc/PID/root, which have no name here.
#ifndef OTHER_ROOT_H
#define OTHER_ROOT_H

#include <sys/types.h>

// A process whose root is a file system that nobody else sees, with the folder /models/1 in it; 0: not allowed here.
pid_t other_root_start(void);

#endif
