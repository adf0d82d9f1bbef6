// SPDX-License-Identifier: Apache-2.0
#include "tensor_record.h"

#include <errno.h>

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
