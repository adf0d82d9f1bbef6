// SPDX-License-Identifier: Apache-2.0
#include "bytes_walk.h"

#include <string.h>

void tsb_bytes_walk_begin(struct tsb_bytes_walk* walk, const int64_t* shape, uint32_t dims_count) {
  *walk = (struct tsb_bytes_walk){.elements_left = 1};
  for (uint32_t i = 0; i < dims_count; i++) {
    uint64_t dim = shape[i] > 0 ? (uint64_t)shape[i] : 0;
    // More elements than any tensor can hold are never complete, which is right; a product that wraps could be.
    if (__builtin_mul_overflow(walk->elements_left, dim, &walk->elements_left)) walk->elements_left = UINT64_MAX;
  }
}

static uint32_t bytes_walk__length(const uint8_t head[4]) {
  return head[0] | (uint32_t)head[1] << 8 | (uint32_t)head[2] << 16 | (uint32_t)head[3] << 24;
}

void tsb_bytes_walk_buffer(struct tsb_bytes_walk* walk, const uint8_t* data, uint64_t bytes) {
  uint64_t at = 0;
  while (at < bytes && walk->elements_left > 0) {
    if (walk->head_bytes == 0 && bytes - at >= sizeof walk->head) {  // nearly always
      walk->body_left = bytes_walk__length(data + at);
      walk->head_bytes = sizeof walk->head;
      at += sizeof walk->head;
    } else if (walk->head_bytes < sizeof walk->head) {
      uint64_t wanted = sizeof walk->head - walk->head_bytes;
      uint64_t taken = bytes - at < wanted ? bytes - at : wanted;
      memcpy(walk->head + walk->head_bytes, data + at, taken);
      walk->head_bytes += (uint32_t)taken;
      at += taken;
      if (taken < wanted) break;
      walk->body_left = bytes_walk__length(walk->head);
    }
    uint64_t taken = bytes - at < walk->body_left ? bytes - at : walk->body_left;
    walk->body_left -= taken;
    at += taken;
    if (walk->body_left > 0) break;
    walk->head_bytes = 0;
    walk->elements_left--;
  }
  walk->used_bytes += at;
}

bool tsb_bytes_walk_complete(const struct tsb_bytes_walk* walk) { return walk->elements_left == 0; }
