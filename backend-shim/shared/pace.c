// SPDX-License-Identifier: Apache-2.0
#include "pace.h"

enum {
  BRIEF_PENALTY_CAP = 64,
  LOST_CORE_PENALTY = 64,
  LOST_CORE_PENALTY_CAP = 4096,
};

uint64_t tsb_pace_average(uint64_t average_ns, uint64_t ns) { return average_ns + ns / 8 - average_ns / 8; }

uint64_t tsb_pace_first_average(uint64_t average_ns, uint64_t ns) {
  return tsb_pace_average(average_ns == 0 ? ns + 1 : average_ns, ns);
}

uint64_t tsb_pace_first_call_average(uint64_t average_ns, uint64_t ns) {
  return tsb_pace_first_average(average_ns, ns < TSB_PACE_LATE_CALL_NS ? ns : TSB_PACE_LATE_CALL_NS);
}

uint32_t tsb_pace_share(uint32_t share, bool at_once) { return share + (at_once ? TSB_PACE_ALL / 16 : 0) - share / 16; }

bool tsb_pace_is_sparse(uint32_t share) { return share < TSB_PACE_ALL / 5; }

uint64_t tsb_pace_for_answer_ns(bool is_sparse, uint64_t compute_ns) {
  uint64_t expected_ns = 2 * compute_ns;
  return is_sparse && expected_ns > TSB_PACE_BRIEF_NS && expected_ns <= TSB_PACE_MAX_ANSWER_NS ? expected_ns : 0;
}

uint64_t tsb_pace_for_batch_ns(bool is_sparse, uint64_t gap_ns) {
  return is_sparse && gap_ns < TSB_PACE_MAX_GAP_NS ? 2 * gap_ns : 0;
}

uint64_t tsb_pace_for_call_ns(bool is_sparse, uint64_t call_ns) {
  return is_sparse && call_ns <= TSB_PACE_MAX_CALL_NS ? 2 * call_ns : 0;
}

uint32_t tsb_pace_prefetch(uint64_t compute_ns) {
  uint64_t batches = compute_ns > 0 ? TSB_PACE_PREFETCH_NS / compute_ns : 0;
  return batches > TSB_PACE_MAX_PREFETCH ? TSB_PACE_MAX_PREFETCH : (uint32_t)batches;
}

bool tsb_pace_may_wait(struct tsb_pace_patience* patience) {
  if (patience->skip == 0) return true;
  patience->skip--;
  return false;
}

void tsb_pace_note_brief(struct tsb_pace_patience* patience, bool found) {
  if (found) {
    patience->penalty = 0;
    return;
  }
  patience->penalty = patience->penalty == 0 ? 1 : patience->penalty * 2;
  if (patience->penalty > BRIEF_PENALTY_CAP) patience->penalty = BRIEF_PENALTY_CAP;
  patience->skip = patience->penalty;
}

void tsb_pace_note_found(struct tsb_pace_patience* patience) {
  if (patience->penalty > 0) patience->penalty--;
}

void tsb_pace_note_lost_core(struct tsb_pace_patience* patience) {
  patience->penalty = patience->penalty < LOST_CORE_PENALTY ? LOST_CORE_PENALTY : patience->penalty * 2;
  if (patience->penalty > LOST_CORE_PENALTY_CAP) patience->penalty = LOST_CORE_PENALTY_CAP;
  patience->skip = patience->penalty;
}
