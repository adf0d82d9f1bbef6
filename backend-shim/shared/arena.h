// SPDX-License-Identifier: Apache-2.0
// Allocates blocks in the regions that this process writes. All bookkeeping is private memory of the one writer, so a
// process that dies in the middle leaves nothing locked or half-written for the other.
#ifndef TSB_ARENA_H
#define TSB_ARENA_H

#include "region.h"

struct tsb_extent {
  uint64_t offset;
  uint64_t bytes;
};

struct tsb_arena_region {
  uint32_t id;
  uint64_t bytes;
  uint64_t used_bytes;
  // End of the highest block since the last discard: at most this much is resident, and all behind it is zero.
  uint64_t touched_bytes;
  struct tsb_extent* free_extents;  // ascending, never adjacent
  uint32_t free_count;
  uint32_t free_capacity;
};

// Called for each new region, after it stands in the table: tells the other process. 0 or negative.
typedef int (*tsb_arena_announce)(void* context, const struct tsb_region* region);

struct tsb_arena {
  struct tsb_region_table* table;
  struct tsb_arena_region regions[TSB_MAX_REGIONS];
  uint32_t region_count;
  uint32_t next_id;
  uint64_t initial_bytes, growth_bytes, max_bytes, warm_bytes;
  uint64_t total_bytes;
  uint64_t used_bytes;
  tsb_arena_announce announce;
  void* context;
};

struct tsb_block {
  uint32_t region;
  uint64_t offset;
  uint8_t* base;
  uint64_t dirty_bytes;  // at its beginning: they may hold what an earlier block has left, the others are zero
};

// first_id also says whose regions these are (TSB_REGION_OF_STUB).
void tsb_arena_init(struct tsb_arena* arena, struct tsb_region_table* table, uint32_t first_id,
                    const struct tsb_control* limits, tsb_arena_announce announce, void* context);
void tsb_arena_destroy(struct tsb_arena* arena);  // not the regions: they are the table's
// -ENOMEM: the cap (max_bytes) does not allow it; other negative values from the system or from announce.
int tsb_arena_alloc(struct tsb_arena* arena, uint64_t bytes, struct tsb_block* block);
// `bytes` as asked for. -EINVAL: no such block (nothing changes).
int tsb_arena_free(struct tsb_arena* arena, uint32_t region, uint64_t offset, uint64_t bytes);

#endif
