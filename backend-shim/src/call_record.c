// SPDX-License-Identifier: Apache-2.0
#include "call_record.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int tsb_call_record_read(struct tsb_record* record, struct tsb_call* head) {
  uint64_t at = 0;
  if (tsb_record_take(record, &at, head, sizeof *head) < 0 || head->record_bytes < sizeof *head ||
      head->record_bytes > record->length) {
    return -EPROTO;
  }
  record->length = head->record_bytes;
  return 0;
}

int tsb_call_record_text(const struct tsb_record* record, struct tsb_text_place place, uint64_t* left, char** text) {
  *text = NULL;
  if (!tsb_record_holds(record, place.offset, place.bytes) || place.bytes > *left) return -EPROTO;
  *left -= place.bytes;
  const char* bytes = (const char*)record->bytes + place.offset;
  if (memchr(bytes, 0, place.bytes) != NULL) return -EPROTO;
  *text = strndup(bytes, place.bytes);
  return *text == NULL ? -ENOMEM : 0;
}

int tsb_call_record_requested(const struct tsb_record* record, const struct tsb_call* head, uint32_t index,
                              uint64_t* left, char** name) {
  struct tsb_text_place place;
  uint64_t at = head->requested_offset + (uint64_t)index * sizeof place;
  *name = NULL;
  if (tsb_record_take(record, &at, &place, sizeof place) < 0) return -EPROTO;
  return tsb_call_record_text(record, place, left, name);
}
