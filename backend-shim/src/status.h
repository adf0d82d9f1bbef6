// SPDX-License-Identifier: Apache-2.0
// The only place where our statuses and datatypes meet Triton's errors and types.
#ifndef TSB_STATUS_H
#define TSB_STATUS_H

#include <stdint.h>

#include "triton_api.h"

// An error made by printf rules; the caller owns it.
TRITONSERVER_Error* tsb_error_new(TRITONSERVER_Error_Code code, const char* format, ...)
    __attribute__((format(printf, 2, 3)));
// A status of tsb_status.def as an error code of Triton; a number that is not in the list is INTERNAL.
TRITONSERVER_Error_Code tsb_status_code(uint32_t status);
// The same from the name that stands in a control message ("INVALID_ARG").
TRITONSERVER_Error_Code tsb_status_code_by_name(const char* name);
// Bytes of one element; 0 for BYTES; -1 for what is no datatype.
int64_t tsb_dtype_bytes(uint32_t datatype);
const char* tsb_dtype_name(uint32_t datatype);  // "an unknown datatype" otherwise
// The number for "TYPE_FP32" (model configuration); 0 when unknown.
uint32_t tsb_dtype_from_config(const char* config_name);
// Logs by printf rules.
void tsb_log(TRITONSERVER_LogLevel level, const char* file, int line, const char* format, ...)
    __attribute__((format(printf, 4, 5)));
#define TSB_LOG(level, ...) tsb_log(TRITONSERVER_LOG_##level, __FILE_NAME__, __LINE__, __VA_ARGS__)
#ifndef __FILE_NAME__
#define __FILE_NAME__ (__builtin_strrchr("/" __FILE__, '/') + 1)
#endif
// Logs and deletes; for errors on paths where nobody is left to be told.
void tsb_error_log(TRITONSERVER_Error* error, const char* what);

// Returns from the calling function with the error, if there is one.
#define TSB_RETURN_IF_ERROR(call)              \
  do {                                         \
    TRITONSERVER_Error* tsb_error_ = (call);   \
    if (tsb_error_ != NULL) return tsb_error_; \
  } while (0)

#endif
