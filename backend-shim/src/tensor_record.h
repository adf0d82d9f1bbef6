// SPDX-License-Identifier: Apache-2.0
// A tensor in a record, of a request or of a response: its head and its dimensions. The data lies elsewhere.
#ifndef TSB_TENSOR_RECORD_H
#define TSB_TENSOR_RECORD_H

#include "record.h"
#include "tsb_protocol.h"

uint64_t tsb_tensor_record_bytes(uint32_t dims_count);
// Appends a tensor.
void tsb_tensor_record_write(struct tsb_record_writer* writer, const struct tsb_tensor* head, const int64_t* dims);
// Reads the tensor at *at and moves behind it. 0, or -EPROTO: the record ends before, or it has too many dimensions.
int tsb_tensor_record_read(const struct tsb_record* record, uint64_t* at, struct tsb_tensor* head,
                           int64_t dims[TSB_MAX_DIMS]);
// Elements of a shape; -1 for a negative dimension or more elements than any memory holds.
int64_t tsb_tensor_record_elements(const int64_t* dims, uint32_t count);
// Whether a tensor has as many bytes as its shape and datatype say; of BYTES, whether it has any.
bool tsb_tensor_record_fits(const struct tsb_tensor* head, const int64_t* dims);

#endif
