// SPDX-License-Identifier: Apache-2.0
// Follows the elements of a BYTES tensor, each a 32-bit little-endian length and that many bytes, over any number of
// buffers. The server does not check them, and a model should not fail a whole batch for one client's mistake.
#ifndef TSB_BYTES_WALK_H
#define TSB_BYTES_WALK_H

#include <stdbool.h>
#include <stdint.h>

struct tsb_bytes_walk {
  uint64_t elements_left;
  uint64_t used_bytes;  // of the elements so far
  uint64_t body_left;   // of the element that a buffer ended in
  uint32_t head_bytes;  // of its length that were read
  uint8_t head[4];
};

void tsb_bytes_walk_begin(struct tsb_bytes_walk* walk, const int64_t* shape, uint32_t dims_count);
// Goes through the next buffer, at most to the end of the last element.
void tsb_bytes_walk_buffer(struct tsb_bytes_walk* walk, const uint8_t* data, uint64_t bytes);
// Whether every element was there. used_bytes is then what they take.
bool tsb_bytes_walk_complete(const struct tsb_bytes_walk* walk);

#endif
