// SPDX-License-Identifier: Apache-2.0
// Parameters in records: what is written is read again, and nothing outside of a record is.
#include "parameter_record.h"

#include <errno.h>

#include "check.h"

static struct tsb_parameter_value value_of(uint32_t type, const char* key, const char* text) {
  return (struct tsb_parameter_value){
      .type = type, .key = key, .key_bytes = (uint32_t)strlen(key), .text = text, .text_bytes = (uint32_t)strlen(text)};
}

static void test_there_and_back(void) {
  uint8_t bytes[512] = {0};
  struct tsb_record_writer writer = {.bytes = bytes};
  struct tsb_parameter_value values[] = {
      value_of(TSB_PARAMETER_STRING, "mode", "fast"), value_of(TSB_PARAMETER_STRING, "empty", ""),
      value_of(TSB_PARAMETER_INT, "count", ""), value_of(TSB_PARAMETER_BOOL, "on", ""),
      value_of(TSB_PARAMETER_DOUBLE, "", "")};
  enum { COUNT = sizeof values / sizeof values[0] };
  values[2].integer = INT64_MIN;
  values[3].bits = 1;
  values[4].number = -0.25;
  uint64_t bytes_wanted = 0;
  for (int i = 0; i < COUNT; i++) {
    bytes_wanted += tsb_parameter_record_bytes(values[i].key_bytes, values[i].text_bytes);
    tsb_parameter_record_write(&writer, &values[i]);
    CHECK_INT(writer.used, bytes_wanted);
    CHECK_INT(writer.used % 8, 0);
  }
  struct tsb_record record = {.bytes = bytes, .length = writer.used};
  uint64_t at = 0;
  for (int i = 0; i < COUNT; i++) {
    struct tsb_parameter_value read;
    CHECK_INT(tsb_parameter_record_read(&record, &at, &read), 0);
    CHECK_INT(read.type, values[i].type);
    CHECK_INT(read.bits, values[i].bits);
    CHECK_INT(read.key_bytes, values[i].key_bytes);
    CHECK_INT(memcmp(read.key, values[i].key, read.key_bytes), 0);
    CHECK_INT(read.text_bytes, values[i].text_bytes);
    CHECK_INT(memcmp(read.text, values[i].text, read.text_bytes), 0);
  }
  CHECK_INT(at, writer.used);
}

static void test_what_does_not_lie_in_the_record(void) {
  uint8_t bytes[128] = {0};
  struct tsb_record_writer writer = {.bytes = bytes};
  struct tsb_parameter_value value = value_of(TSB_PARAMETER_STRING, "key", "text");
  tsb_parameter_record_write(&writer, &value);
  for (uint64_t length = 0; length < sizeof(struct tsb_parameter) + 7; length++) {
    struct tsb_record record = {.bytes = bytes, .length = length};
    uint64_t at = 0;
    CHECK_INT(tsb_parameter_record_read(&record, &at, &value), -EPROTO);
  }
  static const struct {
    uint32_t type, key_bytes, value_bytes;
  } HEADS[] = {
      {0, 3, 4},          {TSB_PARAMETER_DOUBLE + 1, 3, 4}, {UINT32_MAX, 3, 4}, {1, UINT32_MAX, 4},
      {1, 3, UINT32_MAX}, {1, UINT32_MAX, UINT32_MAX},
  };
  for (size_t i = 0; i < sizeof HEADS / sizeof HEADS[0]; i++) {
    struct tsb_parameter head = {
        .type = HEADS[i].type, .key_bytes = HEADS[i].key_bytes, .value_bytes = HEADS[i].value_bytes};
    struct tsb_record record = {.bytes = bytes, .length = sizeof bytes};
    uint64_t at = 0;
    memcpy(bytes, &head, sizeof head);
    CHECK_INT(tsb_parameter_record_read(&record, &at, &value), -EPROTO);
  }
}

int main(void) {
  test_there_and_back();
  test_what_does_not_lie_in_the_record();
  return 0;
}
