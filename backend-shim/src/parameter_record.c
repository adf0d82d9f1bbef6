// SPDX-License-Identifier: Apache-2.0
#include "parameter_record.h"

#include <errno.h>
#include <string.h>

uint64_t tsb_parameter_record_bytes(uint64_t key_bytes, uint64_t text_bytes) {
  return sizeof(struct tsb_parameter) + tsb_record_align(key_bytes + text_bytes, 8);
}

void tsb_parameter_record_write(struct tsb_record_writer* writer, const struct tsb_parameter_value* value) {
  struct tsb_parameter head = {
      .type = value->type, .key_bytes = value->key_bytes, .value_bytes = value->text_bytes, .value = value->bits};
  tsb_record_put(writer, &head, sizeof head);
  // Two texts, padded together.
  memcpy(writer->bytes + writer->used, value->key, value->key_bytes);
  if (value->text_bytes > 0) memcpy(writer->bytes + writer->used + value->key_bytes, value->text, value->text_bytes);
  writer->used += tsb_record_align((uint64_t)value->key_bytes + value->text_bytes, 8);
}

int tsb_parameter_record_read(const struct tsb_record* record, uint64_t* at, struct tsb_parameter_value* value) {
  struct tsb_parameter head;
  if (tsb_record_take(record, at, &head, sizeof head) < 0) return -EPROTO;
  uint64_t texts = (uint64_t)head.key_bytes + head.value_bytes;
  if (!tsb_record_holds(record, *at, texts)) return -EPROTO;
  if (head.type < TSB_PARAMETER_STRING || head.type > TSB_PARAMETER_DOUBLE) return -EPROTO;
  *value = (struct tsb_parameter_value){.type = head.type,
                                        .key = (const char*)record->bytes + *at,
                                        .key_bytes = head.key_bytes,
                                        .text = (const char*)record->bytes + *at + head.key_bytes,
                                        .text_bytes = head.value_bytes,
                                        .bits = head.value};
  *at += tsb_record_align(texts, 8);
  return 0;
}
