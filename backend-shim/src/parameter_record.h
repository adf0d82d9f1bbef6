// SPDX-License-Identifier: Apache-2.0
// A parameter in a record, of a request or of a response: a key and a value of one of four types.
#ifndef TSB_PARAMETER_RECORD_H
#define TSB_PARAMETER_RECORD_H

#include "record.h"
#include "tsb_protocol.h"

struct tsb_parameter_value {
  uint32_t type;  // TSB_PARAMETER_*
  const char* key;
  uint32_t key_bytes;
  const char* text;  // of a string
  uint32_t text_bytes;
  union {
    int64_t integer;
    double number;
    uint64_t bits;  // 0 or 1 for a boolean, 0 for a string
  };
};

uint64_t tsb_parameter_record_bytes(uint64_t key_bytes, uint64_t text_bytes);
void tsb_parameter_record_write(struct tsb_record_writer* writer, const struct tsb_parameter_value* value);
// Reads the parameter at *at and moves behind it; its texts stand in the record and do not end with a zero. 0, or
// -EPROTO: the record ends before, or it is of no known type.
int tsb_parameter_record_read(const struct tsb_record* record, uint64_t* at, struct tsb_parameter_value* value);

#endif
