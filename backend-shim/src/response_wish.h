// SPDX-License-Identifier: Apache-2.0
// What the request at hand allows the answer to it to have: the outputs that it asks for, each of them once, with its
// own first dimension if the model batches. The stub checks the same (answers.ts), but with what stands in memory that
// a model may write to; a client cannot decode an answer that has more.
#ifndef TSB_RESPONSE_WISH_H
#define TSB_RESPONSE_WISH_H

#include "model.h"

enum { TSB_WISH_SMALL = 64 };

struct tsb_response_wish {
  int64_t rows;    // the first dimension of each output; negative: any
  uint8_t* marks;  // for each output of the model, bits; `small` unless it has more of them
  uint8_t small[TSB_WISH_SMALL];
};

// Asks Triton about the request. To be freed in any case.
TRITONSERVER_Error* tsb_response_wish_read(const struct tsb_model* model, TRITONBACKEND_Request* request,
                                           struct tsb_response_wish* wish);
// Takes an output of the answer, or says why it must not be there.
TRITONSERVER_Error* tsb_response_wish_check(struct tsb_response_wish* wish, const struct tsb_io* io,
                                            const struct tsb_tensor* tensor, const int64_t* dims);
void tsb_response_wish_free(struct tsb_response_wish* wish);

#endif
