// SPDX-License-Identifier: Apache-2.0
#include "lender.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "barrier.h"
#include "mapping.h"

enum { ELEMENT_BYTES = 8 };
// No client's file is larger, or it is copied: JavaScript has a limit for one buffer.
static const uint64_t MAX_FILE_BYTES = UINT64_C(1) << 32;

void tsb_lender_init(struct tsb_lender* lender, int maps_fd, struct tsb_sender* sender) {
  *lender = (struct tsb_lender){.maps_fd = maps_fd, .sender = sender, .next_region = TSB_REGION_OF_CLIENT};
}

static struct tsb_client_file* lender__find(struct tsb_lender* lender, const struct tsb_mapping* mapping,
                                            uint64_t end) {
  for (uint32_t i = 0; i < lender->count; i++) {
    struct tsb_client_file* file = &lender->files[i];
    // A file that has grown since is another one here; the old one will be idle.
    if (file->inode == mapping->inode && file->device == mapping->device && (file->region == 0 || end <= file->bytes)) {
      return file;
    }
  }
  return NULL;
}

void tsb_lender_free(struct tsb_lender* lender) {
  for (uint32_t i = 0; i < lender->count; i++) {
    if (lender->files[i].fd >= 0) close(lender->files[i].fd);
  }
  lender->count = 0;
}

static int lender__forget(struct tsb_lender* lender, struct tsb_client_file* file, uint64_t deadline_ns) {
  int status = 0;
  if (file->region != 0) {
    struct tsb_outgoing notice = {.method = TSB_METHOD_FORGET_REGION, .region = file->region};
    status = tsb_sender_send_by(lender->sender, &notice, deadline_ns);
    close(file->fd);
  }
  *file = lender->files[--lender->count];
  return status;
}

// Opens the file and passes it on. One that cannot be used is kept, too, so that it is not tried with every request.
static int lender__add(struct tsb_lender* lender, const struct tsb_mapping* mapping, const void* data,
                       struct tsb_client_file** added) {
  uint64_t bytes;
  if (lender->count == TSB_MAX_CLIENT_FILES) return 0;
  int fd = tsb_mapping_open(lender->maps_fd, mapping, data, &bytes);
  // No client's: the memory of another instance, for one. There are many of these, and this is told by the name alone.
  if (fd == -EXDEV) return 0;
  struct tsb_client_file* file = &lender->files[lender->count++];
  *file =
      (struct tsb_client_file){.device = mapping->device, .inode = mapping->inode, .used_ns = tsb_now_ns(), .fd = -1};
  *added = file;
  if (fd < 0) return 0;
  file->bytes = bytes;
  int status = 0;
  // What the file lacks already is noticed in the stub, which fails the request; a copy here would end the server.
  if (file->bytes < mapping->end) file->bytes = mapping->end;
  if (file->bytes <= MAX_FILE_BYTES && lender->next_region < TSB_REGION_OF_STUB) {
    char text[24];
    uint32_t region = lender->next_region++;
    int length = snprintf(text, sizeof text, "%llu", (unsigned long long)file->bytes);
    struct tsb_outgoing notice = {.method = TSB_METHOD_CLIENT_REGION,
                                  .region = region,
                                  .payload = text,
                                  .payload_bytes = (uint64_t)length,
                                  .descriptors = &fd,
                                  .descriptor_count = 1};
    status = tsb_sender_send(lender->sender, &notice);
    if (status == 0) file->region = region;
  }
  if (file->region != 0) {
    file->fd = fd;
  } else {
    close(fd);
  }
  return status;
}

int tsb_lender_note_lost(struct tsb_lender* lender, uint32_t lost) {
  if (lender->lost == lost) return 0;
  lender->lost = lost;
  uint64_t deadline_ns = tsb_sender_deadline_ns();
  for (uint32_t i = lender->count; i > 0; i--) {
    struct tsb_client_file* file = &lender->files[i - 1];
    file->inode = 0;  // no file's: what is still lent is not lent again, and soon idle
    int status = file->loans > 0 ? 0 : lender__forget(lender, file, deadline_ns);
    if (status < 0) return status;
  }
  return 0;
}

int tsb_lender_lend(struct tsb_lender* lender, const void* data, uint64_t bytes, struct tsb_loan* loan) {
  struct tsb_mapping mapping;
  if (bytes < TSB_LEND_MIN_BYTES || tsb_mapping_find(lender->maps_fd, &mapping, data, bytes) < 0) return 0;
  // JavaScript's arrays begin at multiples of their elements' size.
  if (mapping.offset % ELEMENT_BYTES != 0) return 0;
  struct tsb_client_file* file = lender__find(lender, &mapping, mapping.offset + bytes);
  if (file == NULL) {
    int status = lender__add(lender, &mapping, data, &file);
    if (status < 0) return status;
  }
  if (file == NULL || file->region == 0) return 0;
  *loan = (struct tsb_loan){.region = file->region,
                            .fd = file->fd,
                            .device = mapping.device,
                            .inode = mapping.inode,
                            .offset = mapping.offset,
                            .bytes = bytes,
                            .data = data};
  file->loans++;
  return 1;
}

void tsb_lender_return(struct tsb_lender* lender, struct tsb_loans* loans) {
  uint64_t now = loans->count > 0 ? tsb_now_ns() : 0;
  for (uint32_t i = 0; i < loans->count; i++) {
    free(loans->items[i].saved);
    for (uint32_t j = 0; j < lender->count; j++) {
      struct tsb_client_file* file = &lender->files[j];
      if (file->region != loans->items[i].region) continue;
      file->loans--;
      file->used_ns = now;
    }
  }
  loans->count = 0;
}

int tsb_lender_drop_idle(struct tsb_lender* lender, uint64_t now_ns) {
  uint64_t deadline_ns = tsb_sender_deadline_ns();  // of all files at once: the caller holds the lock of the memory
  for (uint32_t i = lender->count; i > 0; i--) {
    struct tsb_client_file* file = &lender->files[i - 1];
    if (file->loans > 0 || now_ns < file->used_ns + TSB_CLIENT_FILE_IDLE_MS * UINT64_C(1000000)) continue;
    int status = lender__forget(lender, file, deadline_ns);
    if (status < 0) return status;
  }
  return lender->count > 0;
}

bool tsb_loans_overlap(const struct tsb_loans* loans, const struct tsb_loan* loan) {
  for (uint32_t i = 0; i < loans->count; i++) {
    const struct tsb_loan* other = &loans->items[i];
    if (other->inode == loan->inode && other->device == loan->device && loan->offset < other->offset + other->bytes &&
        other->offset < loan->offset + loan->bytes) {
      return true;
    }
  }
  return false;
}

int tsb_loans_add(struct tsb_loans* loans, const struct tsb_loan* loan) {
  if (loans->count == loans->capacity) {
    uint32_t capacity = loans->capacity == 0 ? 8 : loans->capacity * 2;
    struct tsb_loan* larger = realloc(loans->items, capacity * sizeof *larger);
    if (larger == NULL) return -ENOMEM;
    loans->items = larger;
    loans->capacity = capacity;
  }
  loans->items[loans->count++] = *loan;
  return 0;
}

// Copies a part of a loan, from `at` on. What is cut short right now still ends the server, as it does with any backend
// that copies; reading the file instead takes twice as long.
static int loan__copy(const struct tsb_loan* loan, uint64_t at, void* target, uint64_t bytes) {
  struct stat info;
  if (loan->saved != NULL) {
    memcpy(target, loan->saved + at, bytes);
    return 0;
  }
  if (fstat(loan->fd, &info) != 0 || loan->offset + at + bytes > (uint64_t)info.st_size) return -ENODATA;
  memcpy(target, loan->data + at, bytes);
  return 0;
}

static int loan__save(struct tsb_loan* loan) {
  uint8_t* saved = malloc(loan->bytes);
  if (saved == NULL) return -ENOMEM;
  int status = loan__copy(loan, 0, saved, loan->bytes);
  if (status < 0) {
    free(saved);
    return status;
  }
  loan->saved = saved;
  return 0;
}

int tsb_loans_save(struct tsb_loans* loans, uint32_t request, int maps_fd, const void* buffer, uint64_t bytes) {
  struct tsb_mapping mapping;
  bool asked = false;
  for (uint32_t i = 0; i < loans->count; i++) {
    struct tsb_loan* loan = &loans->items[i];
    if (loan->request != request || loan->saved != NULL) continue;
    // By file, not by address: a client may register a file twice.
    if (!asked && tsb_mapping_find(maps_fd, &mapping, buffer, bytes) < 0) return 0;
    asked = true;
    if (loan->inode != mapping.inode || loan->device != mapping.device || loan->offset >= mapping.offset + bytes ||
        mapping.offset >= loan->offset + loan->bytes) {
      continue;
    }
    int status = loan__save(loan);
    if (status < 0) return status;
  }
  return 0;
}

const struct tsb_loan* tsb_loans_find(const struct tsb_loans* loans, uint32_t request, const struct tsb_place* place) {
  for (uint32_t i = 0; i < loans->count; i++) {
    const struct tsb_loan* loan = &loans->items[i];
    if (loan->request != request || loan->region != place->region) continue;
    if (place->offset < loan->offset || place->offset - loan->offset > loan->bytes) continue;
    if (place->bytes <= loan->bytes - (place->offset - loan->offset)) return loan;
  }
  return NULL;
}

int tsb_loan_copy(const struct tsb_loan* loan, const struct tsb_place* place, void* target) {
  return loan__copy(loan, place->offset - loan->offset, target, place->bytes);
}

void tsb_loans_free(struct tsb_loans* loans) {
  free(loans->items);
  *loans = (struct tsb_loans){0};
}
