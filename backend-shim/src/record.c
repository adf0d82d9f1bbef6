// SPDX-License-Identifier: Apache-2.0
#include "record.h"

#include <errno.h>
#include <string.h>

bool tsb_record_holds(const struct tsb_record* record, uint64_t offset, uint64_t bytes) {
  return offset <= record->length && bytes <= record->length - offset;
}

int tsb_record_take(const struct tsb_record* record, uint64_t* at, void* target, uint64_t bytes) {
  if (!tsb_record_holds(record, *at, bytes)) return -EPROTO;
  memcpy(target, record->bytes + *at, bytes);
  *at += bytes;
  return 0;
}

uint64_t tsb_record_align(uint64_t bytes, uint64_t unit) { return (bytes + unit - 1) & ~(unit - 1); }

uint32_t tsb_record_put(struct tsb_record_writer* writer, const void* bytes, uint64_t length) {
  uint64_t at = writer->used;
  if (length > 0) memcpy(writer->bytes + at, bytes, length);
  writer->used = at + tsb_record_align(length, 8);
  return (uint32_t)at;
}
