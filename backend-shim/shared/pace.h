// SPDX-License-Identifier: Apache-2.0
// The pace: how long a side waits awake for the other one before it sleeps. All decisions are pure (numbers in, a time
// out) and all their numbers stand here; ring.c does the waiting. docs/protocol.md, "Sleeping and waking", tells why.
#ifndef TSB_PACE_H
#define TSB_PACE_H

#include <stdbool.h>
#include <stdint.h>

enum {
  // A hand-off between cores takes well under a microsecond, a sleep and a wake-up up to 100: so long is always worth
  // it.
  TSB_PACE_BRIEF_NS = 20000,
  // Who waits longer gives the core away meanwhile; not getting it back for so long means that somebody computes on it.
  TSB_PACE_LOST_CORE_NS = 500000,
  // Execute that comes again within so long has more requests waiting.
  TSB_PACE_AT_ONCE_NS = 20000,
  // Answers that take longer than half of this are not waited for awake.
  TSB_PACE_MAX_ANSWER_NS = 150000,
  // A batch that is expected later than this is not waited for awake: a core that sleeps takes as long to wake up.
  TSB_PACE_MAX_GAP_NS = 400000,
  // Calls of other models that take longer are not waited for awake.
  TSB_PACE_MAX_CALL_NS = 500000,
  // For the average, the first call of a batch that comes later than this, or never, comes then: a model that has
  // stopped to call is not waited for after a few batches, and one that calls again is after a few, too.
  TSB_PACE_LATE_CALL_NS = 2 * TSB_PACE_MAX_CALL_NS,
  // How much work may wait in the stub behind the batch that the model is busy with. Little, because a request that
  // waits there cannot go to another instance any more, nor be overtaken by one of a higher priority.
  TSB_PACE_PREFETCH_NS = 250000,
  TSB_PACE_MAX_PREFETCH = 4,  // batches
};

// Averages over the last eight or so: one that lost its processor for a moment says little about the next.
uint64_t tsb_pace_average(uint64_t average_ns, uint64_t ns);
// The same, where an average of 0 says that nothing was measured yet.
uint64_t tsb_pace_first_average(uint64_t average_ns, uint64_t ns);
// The same for how long after a batch its first call comes, bounded by TSB_PACE_LATE_CALL_NS.
uint64_t tsb_pace_first_call_average(uint64_t average_ns, uint64_t ns);

// The share of the last calls of Execute that followed at once on the one before, of TSB_PACE_ALL.
enum { TSB_PACE_ALL = 1 << 16 };
uint32_t tsb_pace_share(uint32_t share, bool at_once);
// Whether requests come few at a time. When more of them are waiting, cores have better things to do than to wait.
bool tsb_pace_is_sparse(uint32_t share);

// How long the thread that reads answers waits awake beyond the brief wait, when the last batches took so long; 0: it
// sleeps. Waking up takes as long as computing a short answer.
uint64_t tsb_pace_for_answer_ns(bool is_sparse, uint64_t compute_ns);
// The same for a stub whose model has answered everything, when the next batch came so long after the last answers. One
// that gets batch after batch has nothing better to do; instances that share the cores get fewer each, and so stop.
uint64_t tsb_pace_for_batch_ns(bool is_sparse, uint64_t gap_ns);
// The same for both of them while calls of other models are open, the last of which took so long; 0: nobody knows.
uint64_t tsb_pace_for_call_ns(bool is_sparse, uint64_t call_ns);
// How many batches may wait in the stub when one takes so long; 0: nobody knows yet how fast the model is.
uint32_t tsb_pace_prefetch(uint64_t compute_ns);

// How often a kind of waiting is left out after it was of no use.
struct tsb_pace_patience {
  uint32_t skip;     // waits left that are left out
  uint32_t penalty;  // how many the next useless one costs
};
// Whether to wait this time.
bool tsb_pace_may_wait(struct tsb_pace_patience* patience);
// The brief wait: a useless one doubles the number of those left out, as on a shared core it never pays off.
void tsb_pace_note_brief(struct tsb_pace_patience* patience, bool found);
// The longer wait: only a lost core is a reason to leave some out.
void tsb_pace_note_found(struct tsb_pace_patience* patience);
void tsb_pace_note_lost_core(struct tsb_pace_patience* patience);

#endif
