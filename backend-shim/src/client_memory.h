// SPDX-License-Identifier: Apache-2.0
// Clients' memory as the rest of the shim knows it: an input that lies there is lent to the stub instead of copied, and
// goes back with its batch. What it takes is below: the files that a stub has (lender.h), and where in them an address
// lies (mapping.h). All of one stub; used under the lock of its memory, unless said otherwise.
#ifndef TSB_CLIENT_MEMORY_H
#define TSB_CLIENT_MEMORY_H

#include "lender.h"

struct tsb_client_memory {
  struct tsb_lender lender;
  const struct tsb_control* control;  // has the stub's two words about clients' memory
  bool is_shared;                     // batches are executed at once, so that none may have what another one has
  struct tsb_loans* lent;             // of all batches that have any
};

void tsb_client_memory_init(struct tsb_client_memory* memory, const struct tsb_control* control, int maps_fd,
                            struct tsb_sender* sender);
// The stub is gone.
void tsb_client_memory_free(struct tsb_client_memory* memory);
// Lends an input of a request: *place says where the stub finds it; place->bytes stays 0 where it must be copied.
// 0, or negative: the stub cannot be told, and never again.
int tsb_client_memory_lend(struct tsb_client_memory* memory, struct tsb_loans* loans, uint32_t request,
                           const void* data, uint64_t bytes, struct tsb_place* place);
// The batch is over; `loans` is empty afterwards.
void tsb_client_memory_return(struct tsb_client_memory* memory, struct tsb_loans* loans);
// Takes files from the stub that no batch has used for a while. Returns whether any is left; negative as above.
int tsb_client_memory_tick(struct tsb_client_memory* memory);
// Whether a place lies in clients' memory, as an answer may name it: only what is lent to its own request, and while it
// is.
bool tsb_client_memory_has(const struct tsb_place* place);
// The loan that holds such a place, or NULL. No lock, as below.
const struct tsb_loan* tsb_client_memory_find(const struct tsb_loans* loans, uint32_t request,
                                              const struct tsb_place* place);
// Copies a place out of its loan. 0, or -ENODATA: the client cut its file short.
int tsb_client_memory_copy(const struct tsb_loan* loan, const struct tsb_place* place, void* target);
// An output is about to be written to `buffer`, which may be where an input of the same request is: what the answer may
// still name is saved first. No lock: the loans are the reader's. 0, -ENOMEM, or -ENODATA: the client cut its file
// short.
int tsb_client_memory_save(const struct tsb_client_memory* memory, struct tsb_loans* loans, uint32_t request,
                           const void* buffer, uint64_t bytes);

#endif
