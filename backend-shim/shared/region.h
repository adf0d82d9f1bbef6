// SPDX-License-Identifier: Apache-2.0
// Regions: sealed anonymous memory files (memfd), mapped by both processes, known to both by an id.
// Their size never changes and a mapping never moves, so a pointer or a view into one stays good until the end. (The
// files of clients, which stand in a stub's table beside them, come and go: see client_regions.h.)
#ifndef TSB_REGION_H
#define TSB_REGION_H

#include <stdint.h>

#include "tsb_protocol.h"

struct tsb_region {
  uint32_t id;
  int fd;
  uint8_t* base;
  uint64_t bytes;
};

// Makes, seals (no growing, no shrinking) and maps a region. 0 or -errno.
int tsb_region_create(struct tsb_region* region, uint32_t id, uint64_t bytes);
// Maps a region that the other process made. Owns fd afterwards, also on failure. -EPROTO: the file can shrink, so
// reading it could kill this process; -E2BIG: it is larger than max_bytes. 0 or -errno.
int tsb_region_adopt(struct tsb_region* region, uint32_t id, int fd, uint64_t max_bytes);
void tsb_region_close(struct tsb_region* region);
// Gives the memory of [offset, offset + bytes) back to the system; it reads as zero afterwards.
int tsb_region_discard(const struct tsb_region* region, uint64_t offset, uint64_t bytes);

// All regions of one stub, by id. A table is used under its owner's lock.
struct tsb_region_table {
  struct tsb_region regions[TSB_MAX_REGIONS];
  uint32_t count;
  uint64_t bytes;
};

struct tsb_region* tsb_region_find(struct tsb_region_table* table, uint32_t id);
// -ENOSPC: the table is full; -EEXIST: the id is taken.
int tsb_region_add(struct tsb_region_table* table, const struct tsb_region* region);
// Unmaps a region and takes it out of the table.
void tsb_region_remove(struct tsb_region_table* table, struct tsb_region* region);
void tsb_region_close_all(struct tsb_region_table* table);
// Address of a place, or NULL when the region is unknown or the range does not lie in it whole.
uint8_t* tsb_region_resolve(struct tsb_region_table* table, const struct tsb_place* place);

#endif
