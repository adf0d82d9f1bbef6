// SPDX-License-Identifier: Apache-2.0
// The protocol's numbers as a list: printed for TypeScript by tools/gen_layout.c, and hashed into the fingerprint that
// both sides compare at the handshake.
#ifndef TSB_LAYOUT_H
#define TSB_LAYOUT_H

#include <stdint.h>

struct tsb_layout_item {
  const char* name;  // in the TypeScript file
  uint64_t value;
};

extern const struct tsb_layout_item tsb_layout_items[];
extern const uint32_t tsb_layout_count;

// FNV-1a over every name and value above.
uint64_t tsb_layout_fingerprint(void);

#endif
