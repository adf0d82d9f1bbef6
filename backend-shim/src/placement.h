// SPDX-License-Identifier: Apache-2.0
// Where the kernel may run a thread and take its memory: what --host-policy sets for the threads of an instance, and
// what a process has from the thread that starts it.
#ifndef TSB_PLACEMENT_H
#define TSB_PLACEMENT_H

#include <sched.h>
#include <stdbool.h>

enum { TSB_PLACEMENT_MAX_NODES = 1024 };

// Zeros where the system does not say (more processors than a cpu_set_t holds, NUMA calls that a container forbids).
struct tsb_placement {
  cpu_set_t cpus;
  int memory_policy;
  unsigned long nodes[TSB_PLACEMENT_MAX_NODES / (8 * sizeof(unsigned long))];
};

struct tsb_placement tsb_placement_of_this_thread(void);
bool tsb_placement_same(const struct tsb_placement* a, const struct tsb_placement* b);

#endif
