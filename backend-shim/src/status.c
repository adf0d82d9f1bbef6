// SPDX-License-Identifier: Apache-2.0
#include "status.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "tsb_protocol.h"

// Triton's numbers, which the protocol and the TypeScript side rely on.
#define TSB_DTYPE(name, number, bytes, array) \
  static_assert(TRITONSERVER_TYPE_##name == (number), "number of datatype " #name);
#include "tsb_dtype.def"
#undef TSB_DTYPE

TRITONSERVER_Error* tsb_error_new(TRITONSERVER_Error_Code code, const char* format, ...) {
  char message[4096];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(message, sizeof message, format, arguments);
  va_end(arguments);
  return TRITONSERVER_ErrorNew(code, message);
}

TRITONSERVER_Error_Code tsb_status_code(uint32_t status) {
  switch (status) {
#define TSB_STATUS(name, number, suffix) \
  case number: return TRITONSERVER_ERROR_##suffix;
#include "tsb_status.def"
#undef TSB_STATUS
    default: return TRITONSERVER_ERROR_INTERNAL;
  }
}

TRITONSERVER_Error_Code tsb_status_code_by_name(const char* name) {
#define TSB_STATUS(status, number, suffix) \
  if (strcmp(name, #status) == 0) return TRITONSERVER_ERROR_##suffix;
#include "tsb_status.def"
#undef TSB_STATUS
  return TRITONSERVER_ERROR_INTERNAL;
}

int64_t tsb_dtype_bytes(uint32_t datatype) {
  switch (datatype) {
#define TSB_DTYPE(name, number, bytes, array) \
  case number: return bytes;
#include "tsb_dtype.def"
#undef TSB_DTYPE
    default: return -1;
  }
}

const char* tsb_dtype_name(uint32_t datatype) {
  switch (datatype) {
#define TSB_DTYPE(name, number, bytes, array) \
  case number: return #name;
#include "tsb_dtype.def"
#undef TSB_DTYPE
    default: return "an unknown datatype";
  }
}

uint32_t tsb_dtype_from_config(const char* config_name) {
  if (strcmp(config_name, "TYPE_STRING") == 0) return TRITONSERVER_TYPE_BYTES;
#define TSB_DTYPE(name, number, bytes, array) \
  if (strcmp(config_name, "TYPE_" #name) == 0) return number;
#include "tsb_dtype.def"
#undef TSB_DTYPE
  return TRITONSERVER_TYPE_INVALID;
}

void tsb_log(TRITONSERVER_LogLevel level, const char* file, int line, const char* format, ...) {
  char message[8192];
  if (!TRITONSERVER_LogIsEnabled(level)) return;
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(message, sizeof message, format, arguments);
  va_end(arguments);
  TRITONSERVER_Error* error = TRITONSERVER_LogMessage(level, file, line, message);
  if (error != NULL) TRITONSERVER_ErrorDelete(error);  // there is no place left to report it to
}

void tsb_error_log(TRITONSERVER_Error* error, const char* what) {
  if (error == NULL) return;
  TSB_LOG(ERROR, "%s: %s", what, TRITONSERVER_ErrorMessage(error));
  TRITONSERVER_ErrorDelete(error);
}
