// SPDX-License-Identifier: Apache-2.0
#include "arena.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

// First fit over few, address-ordered extents: batches in flight are few, the lowest addresses stay warm, and memory
// that is free again is one extent again.

static uint64_t arena__round(uint64_t bytes) {
  uint64_t unit = TSB_DATA_ALIGNMENT;
  return bytes == 0 ? unit : (bytes + unit - 1) & ~(unit - 1);
}

void tsb_arena_init(struct tsb_arena* arena, struct tsb_region_table* table, uint32_t first_id,
                    const struct tsb_control* limits, tsb_arena_announce announce, void* context) {
  *arena = (struct tsb_arena){.table = table,
                              .next_id = first_id,
                              .initial_bytes = limits->initial_bytes,
                              .growth_bytes = limits->growth_bytes,
                              .max_bytes = limits->max_bytes,
                              .warm_bytes = limits->warm_bytes,
                              .announce = announce,
                              .context = context};
}

void tsb_arena_destroy(struct tsb_arena* arena) {
  for (uint32_t i = 0; i < arena->region_count; i++) free(arena->regions[i].free_extents);
  arena->region_count = 0;
}

static int arena__insert(struct tsb_arena_region* region, uint32_t index, struct tsb_extent extent) {
  if (region->free_count == region->free_capacity) {
    uint32_t capacity = region->free_capacity == 0 ? 16 : region->free_capacity * 2;
    struct tsb_extent* extents = realloc(region->free_extents, capacity * sizeof *extents);
    if (extents == NULL) return -ENOMEM;
    region->free_extents = extents;
    region->free_capacity = capacity;
  }
  struct tsb_extent* at = region->free_extents + index;
  memmove(at + 1, at, (region->free_count - index) * sizeof *at);
  *at = extent;
  region->free_count++;
  return 0;
}

static void arena__remove(struct tsb_arena_region* region, uint32_t index) {
  struct tsb_extent* at = region->free_extents + index;
  memmove(at, at + 1, (region->free_count - index - 1) * sizeof *at);
  region->free_count--;
}

static int arena__take(struct tsb_arena* arena, struct tsb_arena_region* region, uint64_t bytes,
                       struct tsb_block* block) {
  for (uint32_t i = 0; i < region->free_count; i++) {
    struct tsb_extent* extent = &region->free_extents[i];
    if (extent->bytes < bytes) continue;
    block->region = region->id;
    block->offset = extent->offset;
    block->base = tsb_region_find(arena->table, region->id)->base + extent->offset;
    uint64_t touched = region->touched_bytes > extent->offset ? region->touched_bytes - extent->offset : 0;
    block->dirty_bytes = touched < bytes ? touched : bytes;
    extent->offset += bytes;
    extent->bytes -= bytes;
    if (extent->bytes == 0) arena__remove(region, i);
    region->used_bytes += bytes;
    arena->used_bytes += bytes;
    if (block->offset + bytes > region->touched_bytes) region->touched_bytes = block->offset + bytes;
    return 1;
  }
  return 0;
}

static int arena__grow(struct tsb_arena* arena, uint64_t bytes) {
  struct tsb_region region;
  uint64_t size = arena->region_count == 0 ? arena->initial_bytes : arena->growth_bytes;
  // Doubling keeps the number of regions small however small growth_bytes is.
  if (size < arena->total_bytes) size = arena->total_bytes;
  if (size < bytes) size = bytes;
  if (bytes > arena->max_bytes || arena->total_bytes > arena->max_bytes - bytes) return -ENOMEM;
  if (size > arena->max_bytes - arena->total_bytes) size = arena->max_bytes - arena->total_bytes;
  if (arena->region_count == TSB_MAX_REGIONS) return -ENOMEM;
  int status = tsb_region_create(&region, arena->next_id, size);
  if (status < 0) return status;
  struct tsb_arena_region* added = &arena->regions[arena->region_count];
  *added = (struct tsb_arena_region){.id = region.id, .bytes = region.bytes};
  status = arena__insert(added, 0, (struct tsb_extent){0, region.bytes});
  if (status < 0) goto err_region;
  status = tsb_region_add(arena->table, &region);
  if (status < 0) goto err_extents;
  arena->next_id++;
  arena->region_count++;
  arena->total_bytes += region.bytes;
  // From here on the region stays, announced or not: a peer that cannot be told is as good as dead.
  return arena->announce(arena->context, &region);

err_extents:
  free(added->free_extents);
err_region:
  tsb_region_close(&region);
  return status;
}

int tsb_arena_alloc(struct tsb_arena* arena, uint64_t bytes, struct tsb_block* block) {
  if (bytes > arena->max_bytes) return -ENOMEM;
  uint64_t rounded = arena__round(bytes);
  for (uint32_t i = 0; i < arena->region_count; i++) {
    if (arena__take(arena, &arena->regions[i], rounded, block)) return 0;
  }
  int status = arena__grow(arena, rounded);
  if (status < 0) return status;
  return arena__take(arena, &arena->regions[arena->region_count - 1], rounded, block) ? 0 : -ENOMEM;
}

static struct tsb_arena_region* arena__region(struct tsb_arena* arena, uint32_t id) {
  for (uint32_t i = 0; i < arena->region_count; i++) {
    if (arena->regions[i].id == id) return &arena->regions[i];
  }
  return NULL;
}

// Freed memory stays warm, because touching new pages costs eight times a copy into old ones; beyond the limit, an
// unused region goes back to the system.
static void arena__cool(struct tsb_arena* arena, struct tsb_arena_region* region) {
  if (region->used_bytes != 0 || region->touched_bytes <= arena->warm_bytes) return;
  if (tsb_region_discard(tsb_region_find(arena->table, region->id), 0, region->bytes) == 0) region->touched_bytes = 0;
}

int tsb_arena_free(struct tsb_arena* arena, uint32_t id, uint64_t offset, uint64_t bytes) {
  struct tsb_arena_region* region = arena__region(arena, id);
  if (region == NULL || bytes > region->bytes) return -EINVAL;  // before rounding up, which may overflow
  bytes = arena__round(bytes);
  if (offset % TSB_DATA_ALIGNMENT != 0) return -EINVAL;
  if (offset > region->bytes || bytes > region->bytes - offset) return -EINVAL;
  uint32_t next = 0;
  while (next < region->free_count && region->free_extents[next].offset < offset) next++;
  struct tsb_extent* after = next < region->free_count ? &region->free_extents[next] : NULL;
  struct tsb_extent* before = next > 0 ? &region->free_extents[next - 1] : NULL;
  if (after != NULL && offset + bytes > after->offset) return -EINVAL;
  if (before != NULL && before->offset + before->bytes > offset) return -EINVAL;
  int joins_before = before != NULL && before->offset + before->bytes == offset;
  int joins_after = after != NULL && offset + bytes == after->offset;
  if (joins_before && joins_after) {
    before->bytes += bytes + after->bytes;
    arena__remove(region, next);
  } else if (joins_before) {
    before->bytes += bytes;
  } else if (joins_after) {
    after->offset = offset;
    after->bytes += bytes;
  } else {
    int status = arena__insert(region, next, (struct tsb_extent){offset, bytes});
    if (status < 0) return status;
  }
  region->used_bytes -= bytes;
  arena->used_bytes -= bytes;
  arena__cool(arena, region);
  return 0;
}
