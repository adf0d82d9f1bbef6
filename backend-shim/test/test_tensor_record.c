// SPDX-License-Identifier: Apache-2.0
// Tensors in records: what is written is read again, and nothing outside of a record is.
#include "tensor_record.h"

#include <errno.h>

#include "check.h"

static void test_there_and_back(void) {
  uint8_t bytes[256] = {0};
  static const int64_t DIMS[] = {2, -1, 3};
  struct tsb_record_writer writer = {.bytes = bytes, .used = 8};
  struct tsb_tensor first = {
      .name = 7, .datatype = 11, .dims_count = 3, .place = {.region = 9, .offset = 64, .bytes = 24}};
  struct tsb_tensor scalar = {.name = 8, .datatype = 1};
  tsb_tensor_record_write(&writer, &first, DIMS);
  tsb_tensor_record_write(&writer, &scalar, NULL);
  CHECK_INT(writer.used, 8 + tsb_tensor_record_bytes(3) + tsb_tensor_record_bytes(0));
  struct tsb_record record = {.bytes = bytes, .length = writer.used};
  uint64_t at = 8;
  struct tsb_tensor head;
  int64_t dims[TSB_MAX_DIMS];
  CHECK_INT(tsb_tensor_record_read(&record, &at, &head, dims), 0);
  CHECK_INT(memcmp(&head, &first, sizeof head), 0);
  CHECK_INT(memcmp(dims, DIMS, sizeof DIMS), 0);
  CHECK_INT(tsb_tensor_record_read(&record, &at, &head, dims), 0);
  CHECK_INT(memcmp(&head, &scalar, sizeof head), 0);
  CHECK_INT(at, writer.used);
  CHECK_INT(tsb_tensor_record_read(&record, &at, &head, dims), -EPROTO);
}

static void test_what_does_not_lie_in_the_record(void) {
  uint8_t bytes[1024] = {0};
  struct tsb_record_writer writer = {.bytes = bytes};
  struct tsb_tensor tensor = {.dims_count = 2};
  static const int64_t DIMS[] = {4, 5};
  tsb_tensor_record_write(&writer, &tensor, DIMS);
  int64_t dims[TSB_MAX_DIMS];
  for (uint64_t length = 0; length < writer.used; length++) {
    struct tsb_record record = {.bytes = bytes, .length = length};
    uint64_t at = 0;
    CHECK_INT(tsb_tensor_record_read(&record, &at, &tensor, dims), -EPROTO);
  }
  struct tsb_record record = {.bytes = bytes, .length = writer.used};
  static const uint64_t PLACES[] = {17, 64, UINT64_MAX, UINT64_MAX - 40};
  for (size_t i = 0; i < sizeof PLACES / sizeof PLACES[0]; i++) {
    uint64_t at = PLACES[i];
    CHECK_INT(tsb_tensor_record_read(&record, &at, &tensor, dims), -EPROTO);
  }
  static const uint32_t COUNTS[] = {TSB_MAX_DIMS + 1, UINT32_MAX};
  for (size_t i = 0; i < sizeof COUNTS / sizeof COUNTS[0]; i++) {
    uint64_t at = 0;
    record.length = sizeof bytes;
    ((struct tsb_tensor*)bytes)->dims_count = COUNTS[i];
    CHECK_INT(tsb_tensor_record_read(&record, &at, &tensor, dims), -EPROTO);
  }
}

static void test_elements(void) {
  CHECK_INT(tsb_tensor_record_elements(NULL, 0), 1);
  CHECK_INT(tsb_tensor_record_elements((int64_t[]){2, 3, 4}, 3), 24);
  CHECK_INT(tsb_tensor_record_elements((int64_t[]){2, 0}, 2), 0);
  CHECK_INT(tsb_tensor_record_elements((int64_t[]){-1, 4}, 2), -1);
  CHECK_INT(tsb_tensor_record_elements((int64_t[]){INT64_MAX, 2}, 2), -1);
}

static bool fits(uint32_t datatype, int64_t elements, uint64_t bytes) {
  const int64_t dims[] = {elements, 2};
  struct tsb_tensor head = {.datatype = datatype, .dims_count = 2, .place = {.bytes = bytes}};
  return tsb_tensor_record_fits(&head, dims);
}

static void test_bytes_of_a_shape(void) {
  enum { FP32 = 11, BYTES = 13, NONE = 99 };
  CHECK(fits(FP32, 3, 24));
  CHECK(fits(FP32, 0, 0));
  CHECK(!fits(FP32, 3, 20));
  CHECK(!fits(FP32, 0, 4));
  CHECK(!fits(FP32, -1, 8));
  CHECK(!fits(FP32, INT64_MAX / 4, 8));
  CHECK(!fits(NONE, 0, 0));
  CHECK(fits(BYTES, 1, 9));
  CHECK(fits(BYTES, 0, 0));
  CHECK(!fits(BYTES, 1, 0));
  CHECK(!fits(BYTES, 0, 9));
}

int main(void) {
  test_bytes_of_a_shape();
  test_there_and_back();
  test_what_does_not_lie_in_the_record();
  test_elements();
  return 0;
}
