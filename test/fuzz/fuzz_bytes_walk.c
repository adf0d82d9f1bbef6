// SPDX-License-Identifier: Apache-2.0
// Elements of BYTES in buffers that end anywhere: what is found does not depend on where they end, and is what a reader
// finds that has all bytes in one piece.
#include "bytes_walk.h"
#include "fuzz.h"

enum { MAX_DIMS = 8, MAX_ELEMENTS = 1 << 20 };

// -1: not all elements are there; else what they take.
static int64_t walk_plainly(const uint8_t* data, size_t size, uint64_t elements) {
  size_t at = 0;
  for (uint64_t i = 0; i < elements; i++) {
    uint32_t length;
    if (size - at < sizeof length) return -1;
    memcpy(&length, data + at, sizeof length);
    at += sizeof length;
    if (size - at < length) return -1;
    at += length;
  }
  return (int64_t)at;
}

static int64_t result(const struct tsb_bytes_walk* walk) {
  return tsb_bytes_walk_complete(walk) ? (int64_t)walk->used_bytes : -1;
}

static uint64_t count_elements(const int64_t* shape, uint32_t dims_count) {
  unsigned __int128 elements = 1;
  bool is_empty = false;
  for (uint32_t i = 0; i < dims_count; i++) {
    if (shape[i] <= 0) is_empty = true;
    if (elements <= MAX_ELEMENTS) elements *= shape[i] <= 0 ? 1 : (uint64_t)shape[i];
  }
  return is_empty ? 0 : elements > MAX_ELEMENTS ? UINT64_MAX : (uint64_t)elements;
}

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  struct fuzz_input input = {data, size};
  struct tsb_bytes_walk whole, pieces;
  int64_t shape[MAX_DIMS];
  uint32_t dims_count = fuzz_u8(&input) % (MAX_DIMS + 1);
  uint8_t step = fuzz_u8(&input);
  for (uint32_t i = 0; i < dims_count; i++) {
    uint8_t dim = fuzz_u8(&input);
    shape[i] = dim < 0xf0 ? dim : (int64_t)fuzz_u64(&input);
  }
  tsb_bytes_walk_begin(&whole, shape, dims_count);
  tsb_bytes_walk_begin(&pieces, shape, dims_count);
  tsb_bytes_walk_buffer(&whole, input.at, input.left);
  for (size_t at = 0; at < input.left;) {
    size_t bytes = 1 + (at * 7 + step) % (1u + step);
    if (bytes > input.left - at) bytes = input.left - at;
    tsb_bytes_walk_buffer(&pieces, input.at + at, bytes);
    tsb_bytes_walk_buffer(&pieces, NULL, 0);
    at += bytes;
  }
  int64_t expected = walk_plainly(input.at, input.left, count_elements(shape, dims_count));
  CHECK_INT(result(&whole), expected);
  CHECK_INT(result(&pieces), expected);
  return 0;
}

void fuzz_seeds(fuzz_take take) {
  static const uint8_t ROW[] = {1, 2, 3, 3, 0, 0, 0, 'o', 'n', 'e', 0, 0, 0, 0, 3, 0, 0, 0, 't', 'w', 'o'};
  static const uint8_t SCALAR[] = {0, 0, 2, 0, 0, 0, 'h', 'i'};
  static const uint8_t TABLE[] = {2, 5, 2, 2, 1, 0, 0, 0, 'a', 1, 0, 0, 0, 'b', 0, 0, 0, 0, 0, 0, 0, 0, 'x'};
  static const uint8_t LARGE[] = {2, 0, 0xff, 0, 0, 0, 0, 1, 0, 0, 0, 0xff, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0};
  static const uint8_t NONE[] = {2, 1, 0, 9, 4, 0, 0, 0};
  take(ROW, sizeof ROW);
  take(SCALAR, sizeof SCALAR);
  take(TABLE, sizeof TABLE);
  take(LARGE, sizeof LARGE);
  take(NONE, sizeof NONE);
}
