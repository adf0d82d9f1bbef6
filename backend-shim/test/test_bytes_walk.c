// SPDX-License-Identifier: Apache-2.0
#include "bytes_walk.h"

#include "check.h"

// "ab", "", "c" and 5 bytes that belong to no element.
static const uint8_t THREE[] = {2, 0, 0, 0, 'a', 'b', 0, 0, 0, 0, 1, 0, 0, 0, 'c', 9, 9, 9, 9, 9};
enum { THREE_BYTES = 15 };

static struct tsb_bytes_walk begin(int64_t count) {
  struct tsb_bytes_walk walk;
  tsb_bytes_walk_begin(&walk, &count, 1);
  return walk;
}

static void test_one_buffer(void) {
  struct tsb_bytes_walk walk = begin(3);
  tsb_bytes_walk_buffer(&walk, THREE, sizeof THREE);
  CHECK(tsb_bytes_walk_complete(&walk));
  CHECK_INT(walk.used_bytes, THREE_BYTES);
}

static void test_every_cut_into_two_buffers(void) {
  for (uint64_t cut = 0; cut <= sizeof THREE; cut++) {
    struct tsb_bytes_walk walk = begin(3);
    tsb_bytes_walk_buffer(&walk, THREE, cut);
    CHECK_INT(tsb_bytes_walk_complete(&walk), cut >= THREE_BYTES);
    tsb_bytes_walk_buffer(&walk, THREE + cut, sizeof THREE - cut);
    CHECK(tsb_bytes_walk_complete(&walk));
    CHECK_INT(walk.used_bytes, THREE_BYTES);
  }
}

static void test_one_byte_buffers(void) {
  struct tsb_bytes_walk walk = begin(3);
  for (uint64_t i = 0; i < sizeof THREE; i++) tsb_bytes_walk_buffer(&walk, THREE + i, 1);
  CHECK(tsb_bytes_walk_complete(&walk));
  CHECK_INT(walk.used_bytes, THREE_BYTES);
}

static void test_what_is_missing(void) {
  for (uint64_t bytes = 0; bytes < THREE_BYTES; bytes++) {
    struct tsb_bytes_walk walk = begin(3);
    tsb_bytes_walk_buffer(&walk, THREE, bytes);
    CHECK(!tsb_bytes_walk_complete(&walk));
  }
  static const uint8_t HUGE_LENGTH[] = {0xff, 0xff, 0xff, 0xff, 'a'};
  struct tsb_bytes_walk walk = begin(1);
  tsb_bytes_walk_buffer(&walk, HUGE_LENGTH, sizeof HUGE_LENGTH);
  CHECK(!tsb_bytes_walk_complete(&walk));
}

static void test_shapes(void) {
  struct tsb_bytes_walk walk = begin(0);
  CHECK(tsb_bytes_walk_complete(&walk));
  CHECK_INT(walk.used_bytes, 0);
  tsb_bytes_walk_begin(&walk, NULL, 0);
  CHECK_INT(walk.elements_left, 1);
  tsb_bytes_walk_begin(&walk, (const int64_t[]){3, 4, 5}, 3);
  CHECK_INT(walk.elements_left, 60);
  tsb_bytes_walk_begin(&walk, (const int64_t[]){INT64_MAX, INT64_MAX, 4}, 3);
  CHECK(!tsb_bytes_walk_complete(&walk));
}

int main(void) {
  test_one_buffer();
  test_every_cut_into_two_buffers();
  test_one_byte_buffers();
  test_what_is_missing();
  test_shapes();
  return 0;
}
