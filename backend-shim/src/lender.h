// SPDX-License-Identifier: Apache-2.0
// Inputs that are not copied: they lie in memory that a client registered with the server (system shared memory), whose
// file the stub maps, too. A loan lasts as long as its batch; the file is given back when no loan has been for a while.
#ifndef TSB_LENDER_H
#define TSB_LENDER_H

#include <stdbool.h>

#include "sender.h"

enum {
  TSB_MAX_CLIENT_FILES = 64,       // of one stub, at once
  TSB_LEND_MIN_BYTES = 16384,      // below, a copy costs less than finding the mapping
  TSB_CLIENT_FILE_IDLE_MS = 2000,  // after that without a loan the stub lets the file go
};

struct tsb_client_file {
  uint32_t region;  // 0: it could not be opened; asked again when it has been idle
  uint32_t loans;
  int fd;  // for reading; negative without a region
  uint64_t device, inode;
  uint64_t bytes;    // that the server or the file has, whichever is more
  uint64_t used_ns;  // when the last loan ended or was made
};

// Part of a client's file that is an input of one request. The client may cut the file short while the model executes,
// and reading it would then end the server: before it is read, `fd` tells its size.
struct tsb_loan {
  uint32_t region;
  uint32_t request;  // index in the batch
  int fd;            // the file's, which is open as long as it has loans
  uint64_t device, inode;
  uint64_t offset;  // in the file
  uint64_t bytes;
  const uint8_t* data;  // in this process; the server's until the request is released
  uint8_t* saved;       // NULL, or what was there before an output was written over it
};

struct tsb_loans {
  struct tsb_loan* items;
  uint32_t count, capacity;
  struct tsb_loans* next;  // see client_memory.h
};

struct tsb_lender {
  int maps_fd;                // see mapping.h; the backend's
  struct tsb_sender* sender;  // to the stub
  uint32_t next_region;
  uint32_t lost;  // regions_lost of the control region, as it was when the files were passed on
  uint32_t count;
  struct tsb_client_file files[TSB_MAX_CLIENT_FILES];
};

void tsb_lender_init(struct tsb_lender* lender, int maps_fd, struct tsb_sender* sender);
// Closes the files; the stub is gone.
void tsb_lender_free(struct tsb_lender* lender);
// The stub's regions_lost is `lost` now: if that is news, no file that it has is lent any more; it is passed on anew. 0
// or negative as below.
int tsb_lender_note_lost(struct tsb_lender* lender, uint32_t lost);
// Lends `bytes` at `data` as an input of a request: 1, and *loan says where it is. 0: it is no client's memory, or
// cannot be lent; copy it. Negative: the stub cannot be told, and never again.
int tsb_lender_lend(struct tsb_lender* lender, const void* data, uint64_t bytes, struct tsb_loan* loan);
// Loans end; `loans` is empty afterwards.
void tsb_lender_return(struct tsb_lender* lender, struct tsb_loans* loans);
// Tells the stub to let go of files without a loan for a while. Returns whether any file is left; negative as above.
int tsb_lender_drop_idle(struct tsb_lender* lender, uint64_t now_ns);

// Whether some of the bytes are lent already: what a model writes into one of its inputs must not show in another one.
bool tsb_loans_overlap(const struct tsb_loans* loans, const struct tsb_loan* loan);
int tsb_loans_add(struct tsb_loans* loans, const struct tsb_loan* loan);  // 0 or -ENOMEM
// Saves the request's loans that `bytes` at `buffer` are about to be written over: a client may have its outputs where
// its inputs are, under another name, too. 0, -ENOMEM, or -ENODATA as below.
int tsb_loans_save(struct tsb_loans* loans, uint32_t request, int maps_fd, const void* buffer, uint64_t bytes);
// The one of the request's own loans that a place lies in, or NULL.
const struct tsb_loan* tsb_loans_find(const struct tsb_loans* loans, uint32_t request, const struct tsb_place* place);
// Copies from a place in a loan, which tsb_loans_find gave for it. 0, or -ENODATA: the client cut its file short.
int tsb_loan_copy(const struct tsb_loan* loan, const struct tsb_place* place, void* target);
void tsb_loans_free(struct tsb_loans* loans);

#endif
