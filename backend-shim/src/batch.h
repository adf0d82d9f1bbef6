// SPDX-License-Identifier: Apache-2.0
// Batches in flight of one instance. A stub names a batch by index and generation; the pointers stay here.
#ifndef TSB_BATCH_H
#define TSB_BATCH_H

#include "arena.h"
#include "client_memory.h"
#include "error.h"

struct tsb_batch_slot {
  bool in_use;
  bool sent;  // the stub may answer; before, the requests and the block are the executing thread's alone
  uint32_t generation;
  TRITONBACKEND_Request** requests;  // NULL once answered and released
  uint32_t request_count;
  uint32_t request_capacity;
  uint32_t unanswered;
  struct tsb_block block;  // records and inputs, in the shim's regions
  uint64_t block_bytes;
  struct tsb_loans loans;     // inputs that were not copied
  uint64_t exec_start_ns;     // Execute was entered
  uint64_t compute_start_ns;  // inputs are in shared memory
  uint64_t deadline_ns;       // 0: none
  uint64_t batch_size;        // sum of first dimensions; request count for a model that does not batch
  bool warned;                // of its long run
};

struct tsb_batch_table {
  struct tsb_batch_slot* slots;
  uint32_t count;
  uint32_t in_flight;
  uint64_t claims;  // so far
};

int tsb_batch_table_init(struct tsb_batch_table* table, uint32_t count);  // 0 or -ENOMEM
void tsb_batch_table_free(struct tsb_batch_table* table);
// Takes a free slot for these requests; NULL: none is free, or no memory.
struct tsb_batch_slot* tsb_batch_claim(struct tsb_batch_table* table, TRITONBACKEND_Request** requests, uint32_t count);
// The request that an entry of a stub names, or NULL when it names none that is waiting.
TRITONBACKEND_Request* tsb_batch_request(struct tsb_batch_table* table, const struct tsb_owner* owner);
// How an entry names a batch.
struct tsb_owner tsb_batch_owner(const struct tsb_batch_table* table, const struct tsb_batch_slot* slot);
void tsb_batch_release(struct tsb_batch_table* table, struct tsb_batch_slot* slot);

#endif
