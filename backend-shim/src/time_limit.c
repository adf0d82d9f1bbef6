// SPDX-License-Identifier: Apache-2.0
#include "time_limit.h"

#include "barrier.h"
#include "log.h"

enum { LONG_RUN_MS = 60000 };

void tsb_time_limit_check(struct tsb_instance* instance, struct tsb_stub* stub) {
  uint64_t now = tsb_now_ns();
  pthread_mutex_lock(&instance->lock);
  for (uint32_t i = 0; i < instance->batches.used_count; i++) {
    struct tsb_batch_slot* slot = &instance->batches.slots[i];
    if (!slot->in_use || !slot->is_executing) continue;
    // What waited behind another batch did not run yet; see answers__set_times.
    uint64_t waited_ns = 0;
    if (instance->concurrency == 1 && instance->last_answer_ns > slot->exec_start_ns) {
      waited_ns = instance->last_answer_ns - slot->exec_start_ns;
    }
    if (slot->deadline_ns != 0 && now >= slot->deadline_ns + waited_ns && !instance->timed_out) {
      instance->timed_out = true;
      tsb_stub_process_kill(&stub->process);
    } else if (!slot->warned && now - slot->exec_start_ns > UINT64_C(1000000) * LONG_RUN_MS + waited_ns) {
      slot->warned = true;
      TSB_LOG(WARN,
              "The model's execute in '%s' has not answered for %d seconds. Set the model parameter "
              "EXECUTE_TIMEOUT_SECONDS to give such a batch up.",
              instance->name, LONG_RUN_MS / 1000);
    }
  }
  pthread_mutex_unlock(&instance->lock);
}
