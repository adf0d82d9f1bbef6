// SPDX-License-Identifier: Apache-2.0
// The only place where our statuses meet Triton's errors.
#ifndef TSB_ERROR_H
#define TSB_ERROR_H

#include <stdbool.h>
#include <stdint.h>

#include "triton_api.h"

// An error made by printf rules; the caller owns it.
TRITONSERVER_Error* tsb_error_new(TRITONSERVER_Error_Code code, const char* format, ...)
    __attribute__((format(printf, 2, 3)));
// A status of tsb_status.def as an error code of Triton; a number that is not in the list is INTERNAL.
TRITONSERVER_Error_Code tsb_error_code(uint32_t status);
// The same from the name that stands in a control message ("INVALID_ARG").
TRITONSERVER_Error_Code tsb_error_code_by_name(const char* name);
// The name of a code of Triton ("INVALID_ARG").
const char* tsb_error_code_name(TRITONSERVER_Error_Code code);
// What a negative errno means, as the end of a sentence. Limits of the system are named by what raises them.
const char* tsb_error_reason(int status);
// The same for a process or a thread that could not be started, where EAGAIN speaks of their number.
const char* tsb_error_start_reason(int status);
// Whether it is a limit of the system that keeps a process or a thread from starting: UNAVAILABLE, as it may pass.
bool tsb_error_is_limit(int status);
// A code of Triton as a status.
uint32_t tsb_error_status(TRITONSERVER_Error_Code code);
// Logs and deletes; for errors on paths where nobody is left to be told.
void tsb_error_log(TRITONSERVER_Error* error, const char* what);

// Returns from the calling function with the error, if there is one.
#define TSB_RETURN_IF_ERROR(call)              \
  do {                                         \
    TRITONSERVER_Error* tsb_error_ = (call);   \
    if (tsb_error_ != NULL) return tsb_error_; \
  } while (0)

#endif
