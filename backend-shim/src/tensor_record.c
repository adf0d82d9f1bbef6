// SPDX-License-Identifier: Apache-2.0
#include "tensor_record.h"

#include <errno.h>

#include "dtype.h"

uint64_t tsb_tensor_record_bytes(uint32_t dims_count) {
  return sizeof(struct tsb_tensor) + dims_count * sizeof(int64_t);
}

void tsb_tensor_record_write(struct tsb_record_writer* writer, const struct tsb_tensor* head, const int64_t* dims) {
  tsb_record_put(writer, head, sizeof *head);
  tsb_record_put(writer, dims, head->dims_count * sizeof *dims);
}

int tsb_tensor_record_read(const struct tsb_record* record, uint64_t* at, struct tsb_tensor* head,
                           int64_t dims[TSB_MAX_DIMS]) {
  if (tsb_record_take(record, at, head, sizeof *head) < 0 || head->dims_count > TSB_MAX_DIMS) return -EPROTO;
  return tsb_record_take(record, at, dims, head->dims_count * sizeof *dims);
}

int64_t tsb_tensor_record_elements(const int64_t* dims, uint32_t count) {
  int64_t elements = 1;
  for (uint32_t i = 0; i < count; i++) {
    if (dims[i] < 0 || __builtin_mul_overflow(elements, dims[i], &elements)) return -1;
  }
  return elements;
}

bool tsb_tensor_record_fits(const struct tsb_tensor* head, const int64_t* dims) {
  int64_t elements = tsb_tensor_record_elements(dims, head->dims_count), bytes;
  int64_t element_bytes = tsb_dtype_bytes(head->datatype);
  if (elements < 0 || element_bytes < 0) return false;
  if (element_bytes == 0) return (elements > 0) == (head->place.bytes > 0);
  return !__builtin_mul_overflow(elements, element_bytes, &bytes) && head->place.bytes == (uint64_t)bytes;
}
