// SPDX-License-Identifier: Apache-2.0
#include "response_wish.h"

#include <stdlib.h>

enum { WISH_ASKED_FOR = 1, WISH_GIVEN = 2 };

void tsb_response_wish_free(struct tsb_response_wish* wish) {
  if (wish->marks != wish->small) free(wish->marks);
}

static TRITONSERVER_Error* response_wish__rows(TRITONBACKEND_Request* request, int64_t* rows) {
  uint32_t inputs, dims_count;
  TRITONBACKEND_Input* input;
  const int64_t* dims;
  TSB_RETURN_IF_ERROR(TRITONBACKEND_RequestInputCount(request, &inputs));
  if (inputs == 0) return NULL;
  TSB_RETURN_IF_ERROR(TRITONBACKEND_RequestInputByIndex(request, 0, &input));
  TSB_RETURN_IF_ERROR(TRITONBACKEND_InputProperties(input, NULL, NULL, &dims, &dims_count, NULL, NULL));
  if (dims_count > 0) *rows = dims[0];
  return NULL;
}

static TRITONSERVER_Error* response_wish__outputs(const struct tsb_model* model, TRITONBACKEND_Request* request,
                                                  struct tsb_response_wish* wish) {
  uint32_t count;
  TSB_RETURN_IF_ERROR(TRITONBACKEND_RequestOutputCount(request, &count));
  for (uint32_t i = 0; i < count; i++) {
    const char* name;
    TSB_RETURN_IF_ERROR(TRITONBACKEND_RequestOutputName(request, i, &name));
    uint32_t index = tsb_io_table_index(&model->outputs, name);
    if (index != TSB_NAME_INLINE) wish->marks[index] = WISH_ASKED_FOR;
  }
  return NULL;
}

TRITONSERVER_Error* tsb_response_wish_read(const struct tsb_model* model, TRITONBACKEND_Request* request,
                                           struct tsb_response_wish* wish) {
  *wish = (struct tsb_response_wish){.rows = -1, .marks = wish->small};
  if (model->outputs.count > TSB_WISH_SMALL) wish->marks = calloc(model->outputs.count, 1);
  if (wish->marks == NULL) {
    return tsb_error_new(TRITONSERVER_ERROR_INTERNAL, "Out of memory while sending a response.");
  }
  if (model->max_batch_size > 0) TSB_RETURN_IF_ERROR(response_wish__rows(request, &wish->rows));
  return response_wish__outputs(model, request, wish);
}

TRITONSERVER_Error* tsb_response_wish_check(struct tsb_response_wish* wish, const struct tsb_io* io,
                                            const struct tsb_tensor* tensor, const int64_t* dims) {
  uint8_t* marks = &wish->marks[tensor->name];
  if ((*marks & WISH_ASKED_FOR) == 0) {
    return tsb_error_new(TRITONSERVER_ERROR_INTERNAL,
                         "The model answered output '%s', which the request did not ask for.", io->name);
  }
  if ((*marks & WISH_GIVEN) != 0) {
    return tsb_error_new(TRITONSERVER_ERROR_INTERNAL, "The model answered output '%s' twice in one response.",
                         io->name);
  }
  *marks |= WISH_GIVEN;
  if (wish->rows < 0 || (tensor->dims_count > 0 && dims[0] == wish->rows)) return NULL;
  return tsb_error_new(TRITONSERVER_ERROR_INTERNAL,
                       "The model answered output '%s' with another first dimension than that of the request, which is "
                       "%lld.",
                       io->name, (long long)wish->rows);
}
