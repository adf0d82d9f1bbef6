// SPDX-License-Identifier: Apache-2.0
// The memory that the shim and one stub share: the control region, the regions of both, what is allocated in the shim's
// own, and what is lent of clients'. Any thread may use it.
#ifndef TSB_STUB_MEMORY_H
#define TSB_STUB_MEMORY_H

#include <pthread.h>

#include "arena.h"
#include "client_memory.h"
#include "stub_process.h"

struct tsb_stub_memory {
  struct tsb_stub_process* process;  // killed when it cannot be told of a region
  struct tsb_sender* sender;
  struct tsb_control* control;  // region 0
  uint64_t max_stub_bytes;
  pthread_mutex_t lock;  // of all below; process-local
  struct tsb_region_table regions;
  struct tsb_arena inbound;
  uint64_t stub_bytes;  // of the regions that the stub made
  struct tsb_client_memory clients;
};

// Makes the control region, without its version, and the rest empty. 0 or -errno; to be destroyed in any case.
int tsb_stub_memory_init(struct tsb_stub_memory* memory, const struct tsb_stub_plan* plan,
                         struct tsb_stub_process* process, struct tsb_sender* sender);
void tsb_stub_memory_destroy(struct tsb_stub_memory* memory);

// Whether batches are executed at once, so that none of them may be lent what another one has. No, at first.
void tsb_stub_memory_share(struct tsb_stub_memory* memory, bool is_shared);
// A block in the shim's regions. -ENOMEM: the limit does not allow it; -EPIPE or -ECONNRESET: the stub is gone.
int tsb_stub_memory_alloc(struct tsb_stub_memory* memory, uint64_t bytes, struct tsb_block* block);
// Lends an input of a request where that is possible, see client_memory.h. 0, or -EPIPE: the stub was killed.
int tsb_stub_memory_lend(struct tsb_stub_memory* memory, struct tsb_loans* loans, uint32_t request, const void* data,
                         uint64_t bytes, struct tsb_place* place);
// Frees a block (none if `bytes` is 0). -EINVAL: it was not allocated.
int tsb_stub_memory_free(struct tsb_stub_memory* memory, const struct tsb_block* block, uint64_t bytes);
// Frees the block of a batch (none if `bytes` is 0) and ends its loans. -EINVAL: the block was not allocated.
int tsb_stub_memory_release(struct tsb_stub_memory* memory, const struct tsb_block* block, uint64_t bytes,
                            struct tsb_loans* loans);
// Takes clients' files from the stub that no batch has used for a while. Whether any is left.
bool tsb_stub_memory_tick(struct tsb_stub_memory* memory);
// Size of the regions for inputs, and of those for outputs.
void tsb_stub_memory_measure(struct tsb_stub_memory* memory, uint64_t* inbound_bytes, uint64_t* stub_bytes);
// Takes a region that the stub announces. 0 or negative: it is none that a correct stub makes.
int tsb_stub_memory_adopt(struct tsb_stub_memory* memory, struct tsb_message* message);
// Address of a place in a region of the shim or of the stub, good until the stub is destroyed; NULL: there is none.
const uint8_t* tsb_stub_memory_resolve(struct tsb_stub_memory* memory, const struct tsb_place* place);

#endif
