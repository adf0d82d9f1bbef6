// SPDX-License-Identifier: Apache-2.0
// The protocol's lists as one table: printed for TypeScript by tools/gen_layout.c, and hashed into the fingerprint that
// both sides compare at the handshake.
#ifndef TSB_LAYOUT_H
#define TSB_LAYOUT_H

#include <stdint.h>

struct tsb_layout_item {
  const char* name;  // in the TypeScript file
  uint64_t value;    // a number, the size of a struct, or the offset of a field
  uint64_t bytes;    // of a field; else 0
};

extern const struct tsb_layout_item tsb_layout_items[];
extern const uint32_t tsb_layout_count;

// The keys of the control channel's payloads, in the order of enum tsb_key (tsb_protocol.h).
struct tsb_layout_key {
  const char* part;  // "LOAD_CALL"
  const char* key;
};
extern const struct tsb_layout_key tsb_layout_keys[];
extern const uint32_t tsb_layout_key_count;

// FNV-1a over every name and number above.
uint64_t tsb_layout_fingerprint(void);

#endif
