// SPDX-License-Identifier: Apache-2.0
#include "placement.h"

#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

struct tsb_placement tsb_placement_of_this_thread(void) {
  struct tsb_placement placement;
  memset(&placement, 0, sizeof placement);
  if (sched_getaffinity(0, sizeof placement.cpus, &placement.cpus) != 0) CPU_ZERO(&placement.cpus);
  if (syscall(SYS_get_mempolicy, &placement.memory_policy, placement.nodes, TSB_PLACEMENT_MAX_NODES, NULL, 0) != 0) {
    placement.memory_policy = 0;
    memset(placement.nodes, 0, sizeof placement.nodes);
  }
  return placement;
}

bool tsb_placement_same(const struct tsb_placement* a, const struct tsb_placement* b) {
  return CPU_EQUAL(&a->cpus, &b->cpus) && a->memory_policy == b->memory_policy &&
         memcmp(a->nodes, b->nodes, sizeof a->nodes) == 0;
}
