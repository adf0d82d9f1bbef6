// SPDX-License-Identifier: Apache-2.0
#include "cancels.h"

#include "barrier.h"

// Whether a request that is not told of yet is cancelled; if so, it is written down.
static bool cancels__has(struct tsb_batch_request* request) {
  bool cancelled = false;
  if (request->cancelled || TRITONBACKEND_RequestIsCancelled == NULL) return false;  // nobody can tell then
  tsb_error_log(TRITONBACKEND_RequestIsCancelled(request->triton, &cancelled), "TRITONBACKEND_RequestIsCancelled");
  if (!cancelled) return false;
  request->cancelled = true;
  tsb_store_seq_u32(&request->record->cancelled, 1);
  return true;
}

void tsb_cancels_look(struct tsb_instance* instance, struct tsb_stub* stub) {
  pthread_mutex_lock(&instance->lock);
  for (uint32_t i = 0; i < instance->batches.used_count; i++) {
    struct tsb_batch_slot* slot = &instance->batches.slots[i];
    if (!slot->in_use) continue;
    for (uint32_t j = 0; j < slot->request_count; j++) {
      // One that is RUNNING while the lock is held is not released either.
      if (slot->requests[j].state != TSB_REQUEST_RUNNING || !cancels__has(&slot->requests[j])) continue;
      struct tsb_entry entry = {.kind = TSB_ENTRY_CANCEL, .owner = tsb_batch_owner(&instance->batches, slot)};
      entry.owner.item = j;
      tsb_stub_post(stub, &entry, 1);
    }
  }
  pthread_mutex_unlock(&instance->lock);
}

void tsb_cancels_note(struct tsb_batch_slot* slot) {
  for (uint32_t i = 0; i < slot->request_count; i++) cancels__has(&slot->requests[i]);
}
