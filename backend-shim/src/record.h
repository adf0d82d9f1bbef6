// SPDX-License-Identifier: Apache-2.0
// A record of the protocol: a head, and what its offsets name. Read from a private copy and within its bounds only;
// written into a block that was measured before.
#ifndef TSB_RECORD_H
#define TSB_RECORD_H

#include <stdbool.h>
#include <stdint.h>

struct tsb_record {
  const uint8_t* bytes;  // the other process cannot change them
  uint64_t length;
};

// Whether `bytes` at `offset` lie in the record.
bool tsb_record_holds(const struct tsb_record* record, uint64_t offset, uint64_t bytes);
// Copies from the record and moves *at behind. 0, or -EPROTO: it does not hold as much.
int tsb_record_take(const struct tsb_record* record, uint64_t* at, void* target, uint64_t bytes);

struct tsb_record_writer {
  uint8_t* bytes;
  uint64_t used;
};

uint64_t tsb_record_align(uint64_t bytes, uint64_t unit);  // a power of two
// Appends and pads to 8 bytes. Returns the offset of what was written.
uint32_t tsb_record_put(struct tsb_record_writer* writer, const void* bytes, uint64_t length);

#endif
