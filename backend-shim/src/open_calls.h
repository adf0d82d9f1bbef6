// SPDX-License-Identifier: Apache-2.0
// The calls of other models that one stub has made and that are not over, and the answers to them that it still views.
// Callbacks of the server use it from any thread, also when the stub is dead: `lock` is held while they use the stub,
// and nothing that the server may call back from is called under it.
#ifndef TSB_OPEN_CALLS_H
#define TSB_OPEN_CALLS_H

#include <pthread.h>

#include "arena.h"
#include "error.h"

struct tsb_stub;

// A block of memory that a stub views.
struct tsb_viewed_block {
  struct tsb_block block;
  uint64_t bytes;
};

struct tsb_open_call {
  struct tsb_stub* stub;    // kept in memory until the call is over
  void* context;            // of who makes calls
  struct tsb_owner parent;  // the request that it is made for, as the stub says
  char* model;              // its name; NULL until the request is made
  int64_t model_version;    // -1: as the server's policy says
  struct tsb_owner owner;   // as the stub names it
  TRITONSERVER_InferenceRequest* request;
  void** copies;  // of inputs that the server must not read where they are, nor the stub change
  uint32_t copy_count;
  uint64_t copied_bytes;
  // Of inputs that were copied where the stub may see them; who ends the call frees them.
  struct tsb_viewed_block* blocks;
  uint32_t block_count;
  uint64_t began_ns;
  // --- Under `lock`
  bool was_sent;     // it may be cancelled; what is above is known from here on
  uint32_t looks;    // how often it was met by who looks for calls that wait, see wait_cycle.h
  bool is_released;  // the server does not read the inputs any more
  bool has_last;     // the last response has come; it is told to the stub once the inputs are released, too
  struct tsb_entry last;
};

struct tsb_viewed_answer {
  bool in_use;
  uint32_t generation;
  uint32_t next_free;  // index + 1
  struct tsb_viewed_block* blocks;
  uint32_t count;
};

struct tsb_open_calls {
  pthread_mutex_t lock;
  bool is_closed;                // the stub is dead: nothing is told to it any more
  struct tsb_open_call** calls;  // by the stub's index
  uint32_t capacity;
  uint32_t count;
  uint64_t copied_bytes;  // of inputs, for all calls that are open
  uint64_t call_ns;       // how long one takes, averaged over the last few; 0: not known
  uint64_t batch_ns;      // when a batch was handed over, until a call is made for it; 0: none was
  bool waited_for_first;  // for a call of that batch, and none came
  uint64_t first_ns;      // how long after that its first call comes, averaged likewise
  struct tsb_viewed_answer* answers;
  uint32_t answer_capacity, used_answers, first_free;
};

void tsb_open_calls_init(struct tsb_open_calls* calls);
void tsb_open_calls_destroy(struct tsb_open_calls* calls);
// Begins a call that the stub names so. 0; -EPROTO: it has one of that name already, or the name is none; -ENOMEM.
int tsb_open_calls_begin(struct tsb_open_calls* calls, const struct tsb_owner* owner, struct tsb_open_call** call);
// The call is over: takes it out. The caller holds `lock`.
void tsb_open_calls_end(struct tsb_open_calls* calls, struct tsb_open_call* call);
// A batch was handed over at that time, which may make calls. Only for the thread that begins calls.
void tsb_open_calls_note_batch(struct tsb_open_calls* calls, uint64_t now_ns);
// How soon the stub is expected to say something, as a call of its is open or may be about to be made. Both are 0 if
// that is not so. Only for the thread that begins calls.
struct tsb_open_calls_expected {
  uint64_t call_ns;   // how long a call takes
  uint64_t first_ns;  // how long after a batch the first one is made; not if that is too long to be waited for awake
};
struct tsb_open_calls_expected tsb_open_calls_expect(struct tsb_open_calls* calls);
// Nothing came while the first call of a batch was waited for: that is not done again before the next batch. For the
// same thread.
void tsb_open_calls_note_no_first(struct tsb_open_calls* calls);
// Frees a call that was taken out, with its request.
void tsb_open_call_free(struct tsb_open_call* call);
// Counts bytes that are to be copied for a call, until it ends. False: they would be more than `limit` for all calls
// that are open, and are not counted.
bool tsb_open_calls_reserve_copy(struct tsb_open_calls* calls, struct tsb_open_call* call, uint64_t bytes,
                                 uint64_t limit);
// Asks the server to give a call up, if it is open. 0, or -EPROTO: no correct stub names it so.
int tsb_open_calls_cancel(struct tsb_open_calls* calls, const struct tsb_owner* owner);
// The stub is dead: asks the server to give all of its calls up, and closes.
void tsb_open_calls_close(struct tsb_open_calls* calls);
// Writes down that the stub views these blocks, and how it names them. Takes `blocks`. The caller holds `lock`. 0 or
// -ENOMEM.
int tsb_open_calls_view(struct tsb_open_calls* calls, struct tsb_viewed_block* blocks, uint32_t count,
                        struct tsb_owner* owner);
// The stub views an answer no more. On success the caller frees the blocks and *blocks. 0, or -EPROTO: there is none of
// that name.
int tsb_open_calls_unview(struct tsb_open_calls* calls, const struct tsb_owner* owner, struct tsb_viewed_block** blocks,
                          uint32_t* count);

#endif
