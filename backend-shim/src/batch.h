// SPDX-License-Identifier: Apache-2.0
// Batches of one instance, and the state of each of their requests. A stub names a request by the batch's index, its
// generation and an item; the pointers stay here. A batch is *executing* until the model has settled it, and *open*
// until its last request is released; its slot is free again then. Most batches end both at once, with the last
// response; those of streams are open for longer.
#ifndef TSB_BATCH_H
#define TSB_BATCH_H

#include "arena.h"
#include "client_memory.h"
#include "error.h"

// docs/protocol.md, "States of a request", has the same names. The slot of a batch that is not in use has no requests.
enum tsb_request_state {
  TSB_REQUEST_FILLED,    // the executing thread's alone; the stub does not know of it
  TSB_REQUEST_RUNNING,   // the stub may answer, more than once where the model is decoupled
  TSB_REQUEST_ANSWERED,  // its last response is here: the thread that reads answers gives it back to Triton
};

struct tsb_batch_request {
  TRITONBACKEND_Request* triton;
  enum tsb_request_state state;
  bool failed;                 // a response with an error was sent; of the thread that reads answers
  bool responded;              // a response with data or an error was sent; of the thread that reads answers
  bool cancelled;              // the stub was told that nobody waits for it; under the instance's lock
  struct tsb_request* record;  // in the shim's memory, for the one word that is written later
  struct tsb_block data;       // its inputs, where they have a block of their own
  uint64_t data_bytes;         // 0: they lie in the batch's block
};

struct tsb_batch_slot {
  bool in_use;
  uint32_t next_free;  // index + 1; of a slot that is not in use
  bool is_executing;   // counts against MAX_IN_FLIGHT_BATCHES
  uint32_t generation;
  struct tsb_batch_request* requests;
  uint32_t request_count;
  uint32_t request_capacity;
  uint32_t open_count;     // requests that are not released; of the thread that reads answers
  struct tsb_block block;  // records and inputs, in the shim's regions
  uint64_t block_bytes;
  struct tsb_loans loans;     // inputs that were not copied
  uint64_t exec_start_ns;     // Execute was entered
  uint64_t compute_start_ns;  // inputs are in shared memory
  uint64_t deadline_ns;       // 0: none
  uint64_t waited_ns;         // for the model, in the stub; known once the batch is settled
  uint64_t batch_size;        // sum of first dimensions; request count for a model that does not batch
  bool warned;                // of its long run
  bool is_in_cycle;  // the log was told of models that wait for each other, and for this batch; see wait_cycle.h
};

struct tsb_batch_table {
  struct tsb_batch_slot* slots;
  uint32_t count;
  uint32_t used_count;       // slots from here on were never in use
  uint32_t first_free;       // index + 1 of one that is not in use any more; 0: none
  uint32_t open_count;       // slots in use
  uint32_t request_count;    // requests that are open: handed over, and not answered for the last time
  uint32_t executing_count;  // of these, batches that the model has not settled
  uint64_t claims;           // so far
};

int tsb_batch_table_init(struct tsb_batch_table* table, uint32_t count);  // 0 or -ENOMEM
void tsb_batch_table_free(struct tsb_batch_table* table);
// Takes a free slot for these requests, which are FILLED then; NULL: none is free, or no memory.
struct tsb_batch_slot* tsb_batch_claim(struct tsb_batch_table* table, TRITONBACKEND_Request** requests, uint32_t count);
// How an entry names a batch.
struct tsb_owner tsb_batch_owner(const struct tsb_batch_table* table, const struct tsb_batch_slot* slot);
// The stub is about to be told: from here on its requests are RUNNING.
void tsb_batch_run(struct tsb_batch_slot* slot);
// The slot of a request that an entry of a stub names, if that is RUNNING. With `ends` it takes the request, which is
// ANSWERED then. NULL: it names none.
struct tsb_batch_slot* tsb_batch_answer(struct tsb_batch_table* table, const struct tsb_owner* owner, bool ends);
// Takes a request that is not ANSWERED yet, which nobody else may take.
void tsb_batch_take(struct tsb_batch_table* table, struct tsb_batch_slot* slot, uint32_t item);
// The slot of a batch that an entry of a stub names, if that is executing. NULL: it names none.
struct tsb_batch_slot* tsb_batch_executing(struct tsb_batch_table* table, const struct tsb_owner* owner);
// A request was given back to Triton. Returns whether it was the batch's last one that was open.
bool tsb_batch_note_release(struct tsb_batch_slot* slot);
// The model has settled the batch: it does not count as executing any more.
void tsb_batch_settle(struct tsb_batch_table* table, struct tsb_batch_slot* slot);
// The slot is free again.
void tsb_batch_close(struct tsb_batch_table* table, struct tsb_batch_slot* slot);

#endif
