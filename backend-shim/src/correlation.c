// SPDX-License-Identifier: Apache-2.0
#include "correlation.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "dtype.h"

static uint64_t correlation__largest(TRITONSERVER_DataType datatype) {
  switch (datatype) {
    case TRITONSERVER_TYPE_INT32: return INT32_MAX;
    case TRITONSERVER_TYPE_UINT32: return UINT32_MAX;
    case TRITONSERVER_TYPE_INT64: return INT64_MAX;
    default: return UINT64_MAX;
  }
}

static void correlation__write_number(uint64_t number, uint8_t element[TSB_CORRELATION_BYTES], uint32_t* bytes) {
  char digits[TSB_CORRELATION_BYTES];
  uint32_t length = (uint32_t)snprintf(digits, sizeof digits, "%" PRIu64, number);
  memcpy(element, &length, sizeof length);
  memcpy(element + sizeof length, digits, length);
  *bytes = (uint32_t)sizeof length + length;
}

TRITONSERVER_Error* tsb_correlation_check(const struct tsb_correlation* id, const char* input,
                                          TRITONSERVER_DataType datatype, uint8_t element[TSB_CORRELATION_BYTES],
                                          uint32_t* bytes) {
  *bytes = 0;
  if (id->text[0] == '\0') {
    if (datatype == TRITONSERVER_TYPE_BYTES) {
      // Without a sequence the bytes of the number are those of an empty text.
      if (id->number != 0) correlation__write_number(id->number, element, bytes);
      return NULL;
    }
    if (id->number <= correlation__largest(datatype)) return NULL;
    return tsb_error_new(TRITONSERVER_ERROR_INVALID_ARG,
                         "The sequence id %" PRIu64
                         " does not fit into %s, the type of the control input '%s' that "
                         "carries it. Use smaller numbers as sequence ids.",
                         id->number, tsb_dtype_name(datatype), input);
  }
  if (datatype == TRITONSERVER_TYPE_BYTES) return NULL;
  return tsb_error_new(
      TRITONSERVER_ERROR_INVALID_ARG,
      "The sequence id '%s' is a text, but the control input '%s' that carries it is %s. Use numbers as "
      "sequence ids of this model.",
      id->text, input, tsb_dtype_name(datatype));
}
