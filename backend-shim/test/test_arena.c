// SPDX-License-Identifier: Apache-2.0
// The arena against a model that knows who owns each unit, and at its limits.
#include "arena.h"

#include <errno.h>

#include "check.h"

enum { KIB = 1024, PAGE = 4096, MAX_LIVE = 64 };

static int announced;
static int announce_result;

static int announce(void* context, const struct tsb_region* region) {
  (void)context;
  (void)region;
  announced++;
  return announce_result;
}

struct fixture {
  struct tsb_region_table table;
  struct tsb_arena arena;
};

static void open_arena(struct fixture* fixture, uint64_t initial, uint64_t growth, uint64_t max) {
  struct tsb_control limits = {
      .initial_bytes = initial, .growth_bytes = growth, .max_bytes = max, .warm_bytes = 16 * KIB};
  memset(&fixture->table, 0, sizeof fixture->table);
  announced = announce_result = 0;
  tsb_arena_init(&fixture->arena, &fixture->table, TSB_REGION_OF_STUB, &limits, announce, NULL);
}

static void close_arena(struct fixture* fixture) {
  tsb_arena_destroy(&fixture->arena);
  tsb_region_close_all(&fixture->table);
}

static void test_blocks_are_aligned_and_apart(void) {
  struct fixture fixture;
  struct tsb_block a, b;
  open_arena(&fixture, PAGE, PAGE, 16 * PAGE);
  CHECK_INT(tsb_arena_alloc(&fixture.arena, 1, &a), 0);
  CHECK_INT(tsb_arena_alloc(&fixture.arena, 0, &b), 0);
  CHECK_INT(a.region, TSB_REGION_OF_STUB);
  CHECK_INT(a.offset, 0);
  CHECK_INT(b.offset, TSB_DATA_ALIGNMENT);
  CHECK_INT(b.base - a.base, TSB_DATA_ALIGNMENT);
  CHECK_INT(fixture.arena.used_bytes, 2 * TSB_DATA_ALIGNMENT);
  CHECK_INT(announced, 1);
  close_arena(&fixture);
}

static void test_free_refuses_what_was_not_allocated(void) {
  struct fixture fixture;
  struct tsb_block block;
  open_arena(&fixture, PAGE, PAGE, 16 * PAGE);
  CHECK_INT(tsb_arena_alloc(&fixture.arena, 256, &block), 0);
  CHECK_INT(tsb_arena_free(&fixture.arena, block.region + 1, block.offset, 256), -EINVAL);
  CHECK_INT(tsb_arena_free(&fixture.arena, block.region, block.offset + 1, 64), -EINVAL);
  CHECK_INT(tsb_arena_free(&fixture.arena, block.region, block.offset, 320), -EINVAL);
  CHECK_INT(tsb_arena_free(&fixture.arena, block.region, PAGE, 64), -EINVAL);
  CHECK_INT(tsb_arena_free(&fixture.arena, block.region, 1024, 64), -EINVAL);  // in the middle of what is free
  CHECK_INT(tsb_arena_free(&fixture.arena, block.region, UINT64_MAX - 63, 64), -EINVAL);
  CHECK_INT(tsb_arena_free(&fixture.arena, block.region, block.offset, UINT64_MAX), -EINVAL);
  CHECK_INT(fixture.arena.used_bytes, 256);
  CHECK_INT(tsb_arena_free(&fixture.arena, block.region, block.offset, 256), 0);
  CHECK_INT(tsb_arena_free(&fixture.arena, block.region, block.offset, 256), -EINVAL);
  CHECK_INT(fixture.arena.used_bytes, 0);
  close_arena(&fixture);
}

static void test_cap_is_a_clear_error(void) {
  struct fixture fixture;
  struct tsb_block block, other;
  open_arena(&fixture, PAGE, PAGE, 4 * PAGE);
  CHECK_INT(tsb_arena_alloc(&fixture.arena, 4 * PAGE + 1, &block), -ENOMEM);
  CHECK_INT(tsb_arena_alloc(&fixture.arena, UINT64_MAX, &block), -ENOMEM);
  CHECK_INT(announced, 0);
  CHECK_INT(tsb_arena_alloc(&fixture.arena, PAGE, &block), 0);
  CHECK_INT(tsb_arena_alloc(&fixture.arena, 3 * PAGE, &other), 0);
  CHECK_INT(fixture.arena.total_bytes, 4 * PAGE);
  struct tsb_block refused;
  CHECK_INT(tsb_arena_alloc(&fixture.arena, 1, &refused), -ENOMEM);
  CHECK_INT(tsb_arena_free(&fixture.arena, other.region, other.offset, 3 * PAGE), 0);
  CHECK_INT(tsb_arena_alloc(&fixture.arena, 1, &refused), 0);
  close_arena(&fixture);
}

static void test_number_of_regions_is_bounded(void) {
  struct fixture fixture;
  struct tsb_block block;
  open_arena(&fixture, PAGE, 1, UINT64_C(1) << 40);
  // A full table: every alloc that needs a new region fails, and nothing is written behind the table's end.
  for (uint32_t i = 0; i < TSB_MAX_REGIONS; i++) {
    struct tsb_region region;
    CHECK_INT(tsb_region_create(&region, 1 + i, PAGE), 0);
    CHECK_INT(tsb_region_add(&fixture.table, &region), 0);
  }
  CHECK_INT(tsb_arena_alloc(&fixture.arena, 64, &block), -ENOSPC);
  CHECK_INT(fixture.arena.region_count, 0);
  CHECK_INT(announced, 0);
  close_arena(&fixture);
}

static void test_announce_that_fails_is_reported(void) {
  struct fixture fixture;
  struct tsb_block block;
  open_arena(&fixture, PAGE, PAGE, 16 * PAGE);
  announce_result = -EPIPE;
  CHECK_INT(tsb_arena_alloc(&fixture.arena, 64, &block), -EPIPE);
  CHECK_INT(fixture.arena.used_bytes, 0);
  close_arena(&fixture);
}

static void test_unused_memory_beyond_the_warm_limit_is_given_back(void) {
  struct fixture fixture;
  struct tsb_block small, large;
  open_arena(&fixture, 64 * KIB, PAGE, 1024 * KIB);
  CHECK_INT(tsb_arena_alloc(&fixture.arena, 8 * KIB, &small), 0);
  small.base[0] = 1;
  CHECK_INT(tsb_arena_free(&fixture.arena, small.region, small.offset, 8 * KIB), 0);
  CHECK_INT(small.base[0], 1);  // below the limit it stays warm
  CHECK_INT(tsb_arena_alloc(&fixture.arena, 32 * KIB, &large), 0);
  large.base[0] = 2;
  CHECK_INT(tsb_arena_free(&fixture.arena, large.region, large.offset, 32 * KIB), 0);
  CHECK_INT(large.base[0], 0);
  close_arena(&fixture);
}

// Who hands a block out to be filled must know what of it is not zero.
static void test_what_was_used_before_is_dirty(void) {
  struct fixture fixture;
  struct tsb_block block, other;
  open_arena(&fixture, 64 * KIB, PAGE, 1024 * KIB);
  CHECK_INT(tsb_arena_alloc(&fixture.arena, 1000, &block), 0);
  CHECK_INT(block.dirty_bytes, 0);
  CHECK_INT(tsb_arena_alloc(&fixture.arena, 64, &other), 0);
  CHECK_INT(other.dirty_bytes, 0);
  CHECK_INT(tsb_arena_free(&fixture.arena, block.region, block.offset, 1000), 0);
  CHECK_INT(tsb_arena_alloc(&fixture.arena, 500, &block), 0);
  CHECK_INT(block.dirty_bytes, 512);  // all of it
  CHECK_INT(tsb_arena_free(&fixture.arena, block.region, block.offset, 500), 0);
  CHECK_INT(tsb_arena_free(&fixture.arena, other.region, other.offset, 64), 0);
  CHECK_INT(tsb_arena_alloc(&fixture.arena, 32 * KIB, &block), 0);
  CHECK_INT(block.dirty_bytes, 1024 + 64);  // as far as anybody was before
  CHECK_INT(tsb_arena_free(&fixture.arena, block.region, block.offset, 32 * KIB), 0);
  CHECK_INT(tsb_arena_alloc(&fixture.arena, 32 * KIB, &block), 0);
  CHECK_INT(block.dirty_bytes, 0);  // beyond the warm limit it went back to the system
  close_arena(&fixture);
}

struct live {
  struct tsb_block block;
  uint64_t bytes;
  uint8_t mark;
};

static void check_marks(const struct live* live, int count) {
  for (int i = 0; i < count; i++) {
    CHECK_INT(live[i].block.base[0], live[i].mark);
    CHECK_INT(live[i].block.base[live[i].bytes - 1], live[i].mark);
  }
}

static uint64_t rounded(uint64_t bytes) {
  return (bytes + TSB_DATA_ALIGNMENT - 1) / TSB_DATA_ALIGNMENT * TSB_DATA_ALIGNMENT;
}

// Blocks carry a mark at both ends: one that overlaps another would lose it.
static void test_random_use_keeps_blocks_apart(void) {
  struct fixture fixture;
  struct live live[MAX_LIVE];
  int count = 0;
  uint64_t used = 0, state = 42;
  open_arena(&fixture, 16 * KIB, 16 * KIB, 512 * KIB);
  for (int step = 0; step < 60000; step++) {
    if (count < MAX_LIVE && check_random(&state) % 5 < 3) {
      struct live* added = &live[count];
      added->bytes = 1 + check_random(&state) % (check_random(&state) % 16 == 0 ? 40000 : 900);
      added->mark = (uint8_t)(1 + check_random(&state) % 255);
      int status = tsb_arena_alloc(&fixture.arena, added->bytes, &added->block);
      if (status == -ENOMEM) continue;
      CHECK_INT(status, 0);
      CHECK_INT(added->block.offset % TSB_DATA_ALIGNMENT, 0);
      memset(added->block.base, added->mark, added->bytes);
      used += rounded(added->bytes);
      count++;
    } else if (count > 0) {
      int index = (int)(check_random(&state) % (uint64_t)count);
      struct live gone = live[index];
      CHECK_INT(tsb_arena_free(&fixture.arena, gone.block.region, gone.block.offset, gone.bytes), 0);
      used -= rounded(gone.bytes);
      live[index] = live[--count];
    }
    CHECK_INT(fixture.arena.used_bytes, used);
    CHECK(fixture.arena.total_bytes <= 512 * KIB);
    if (step % 64 == 0) check_marks(live, count);
  }
  while (count > 0) {
    count--;
    CHECK_INT(tsb_arena_free(&fixture.arena, live[count].block.region, live[count].block.offset, live[count].bytes), 0);
  }
  // All free again: each region is one extent.
  for (uint32_t i = 0; i < fixture.arena.region_count; i++) {
    CHECK_INT(fixture.arena.regions[i].free_count, 1);
    CHECK_INT(fixture.arena.regions[i].free_extents[0].bytes, fixture.arena.regions[i].bytes);
  }
  close_arena(&fixture);
}

int main(void) {
  test_blocks_are_aligned_and_apart();
  test_free_refuses_what_was_not_allocated();
  test_cap_is_a_clear_error();
  test_number_of_regions_is_bounded();
  test_announce_that_fails_is_reported();
  test_unused_memory_beyond_the_warm_limit_is_given_back();
  test_what_was_used_before_is_dirty();
  test_random_use_keeps_blocks_apart();
  return 0;
}
