// SPDX-License-Identifier: Apache-2.0
#include "client_memory.h"

#include "barrier.h"

void tsb_client_memory_init(struct tsb_client_memory* memory, const struct tsb_control* control, int maps_fd,
                            struct tsb_sender* sender) {
  *memory = (struct tsb_client_memory){.control = control};
  tsb_lender_init(&memory->lender, maps_fd, sender);
}

void tsb_client_memory_free(struct tsb_client_memory* memory) { tsb_lender_free(&memory->lender); }

// No byte is lent twice at a time: what a model writes into one input must not show in another one.
static bool client_memory__is_lent(const struct tsb_client_memory* memory, const struct tsb_loans* loans,
                                   const struct tsb_loan* loan) {
  if (tsb_loans_overlap(loans, loan)) return true;
  if (!memory->is_shared) return false;  // the other batches wait until this one is over, or are over when it begins
  for (const struct tsb_loans* other = memory->lent; other != NULL; other = other->next) {
    if (other != loans && tsb_loans_overlap(other, loan)) return true;
  }
  return false;
}

static bool client_memory__add(struct tsb_client_memory* memory, struct tsb_loans* loans, const struct tsb_loan* loan) {
  bool is_first = loans->count == 0;
  if (client_memory__is_lent(memory, loans, loan) || tsb_loans_add(loans, loan) < 0) return false;
  if (is_first) {
    loans->next = memory->lent;
    memory->lent = loans;
  }
  return true;
}

int tsb_client_memory_lend(struct tsb_client_memory* memory, struct tsb_loans* loans, uint32_t request,
                           const void* data, uint64_t bytes, struct tsb_place* place) {
  struct tsb_loan loan;
  // The model writes into its inputs: a private page of the stub would hide what the client writes there next.
  if (tsb_load_acquire_u32(&memory->control->inputs_written) != 0) return 0;
  int status = tsb_lender_note_lost(&memory->lender, tsb_load_acquire_u32(&memory->control->regions_lost));
  if (status == 0) status = tsb_lender_lend(&memory->lender, data, bytes, &loan);
  if (status <= 0) return status;
  loan.request = request;
  if (client_memory__add(memory, loans, &loan)) {
    *place = (struct tsb_place){.region = loan.region, .offset = loan.offset, .bytes = loan.bytes};
  } else {
    struct tsb_loans one = {.items = &loan, .count = 1};
    tsb_lender_return(&memory->lender, &one);
  }
  return 0;
}

void tsb_client_memory_return(struct tsb_client_memory* memory, struct tsb_loans* loans) {
  if (loans->count == 0) return;
  for (struct tsb_loans** at = &memory->lent; *at != NULL; at = &(*at)->next) {
    if (*at != loans) continue;
    *at = loans->next;
    break;
  }
  tsb_lender_return(&memory->lender, loans);
}

int tsb_client_memory_tick(struct tsb_client_memory* memory) {
  return tsb_lender_drop_idle(&memory->lender, tsb_now_ns());
}

bool tsb_client_memory_has(const struct tsb_place* place) {
  return (place->region & TSB_REGION_OF_STUB) == 0 && (place->region & TSB_REGION_OF_CLIENT) != 0;
}

const struct tsb_loan* tsb_client_memory_find(const struct tsb_loans* loans, uint32_t request,
                                              const struct tsb_place* place) {
  return tsb_loans_find(loans, request, place);
}

int tsb_client_memory_copy(const struct tsb_loan* loan, const struct tsb_place* place, void* target) {
  return tsb_loan_copy(loan, place, target);
}

int tsb_client_memory_save(const struct tsb_client_memory* memory, struct tsb_loans* loans, uint32_t request,
                           const void* buffer, uint64_t bytes) {
  return tsb_loans_save(loans, request, memory->lender.maps_fd, buffer, bytes);
}
