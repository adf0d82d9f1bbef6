// SPDX-License-Identifier: Apache-2.0
#include "error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "log.h"
#include "tsb_protocol.h"

TRITONSERVER_Error* tsb_error_new(TRITONSERVER_Error_Code code, const char* format, ...) {
  char message[4096];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(message, sizeof message, format, arguments);
  va_end(arguments);
  return TRITONSERVER_ErrorNew(code, message);
}

TRITONSERVER_Error_Code tsb_error_code(uint32_t status) {
  switch (status) {
#define TSB_STATUS(name, number, suffix) \
  case number: return TRITONSERVER_ERROR_##suffix;
#include "tsb_status.def"
#undef TSB_STATUS
    default: return TRITONSERVER_ERROR_INTERNAL;
  }
}

TRITONSERVER_Error_Code tsb_error_code_by_name(const char* name) {
#define TSB_STATUS(status, number, suffix) \
  if (strcmp(name, #status) == 0) return TRITONSERVER_ERROR_##suffix;
#include "tsb_status.def"
#undef TSB_STATUS
  return TRITONSERVER_ERROR_INTERNAL;
}

const char* tsb_error_code_name(TRITONSERVER_Error_Code code) {
  switch (code) {
#define TSB_STATUS(name, number, suffix) \
  case TRITONSERVER_ERROR_##suffix: return #name;
#include "tsb_status.def"
#undef TSB_STATUS
  }
  return "INTERNAL";
}

const char* tsb_error_reason(int status) {
  switch (-status) {
    case EMFILE:
      return "the server has as many open files as it may (ulimit -n); an instance takes about ten. Raise that limit "
             "where the server is started";
    case ENFILE: return "the machine has as many open files as it may (sysctl fs.file-max). Raise that limit";
    case ENOMEM:
      return "there is not enough memory (of the machine, or within the limit of the container). Raise that limit, or "
             "serve fewer instances";
    default: return strerror(-status);
  }
}

const char* tsb_error_start_reason(int status) {
  if (status != -EAGAIN) return tsb_error_reason(status);
  return "there are as many processes and threads as there may be (ulimit -u, or the limit of the container). Raise "
         "that limit";
}

bool tsb_error_is_limit(int status) {
  return status == -EMFILE || status == -ENFILE || status == -EAGAIN || status == -ENOMEM;
}

uint32_t tsb_error_status(TRITONSERVER_Error_Code code) {
  switch (code) {
#define TSB_STATUS(name, number, suffix) \
  case TRITONSERVER_ERROR_##suffix: return number;
#include "tsb_status.def"
#undef TSB_STATUS
  }
  return tsb_error_status(TRITONSERVER_ERROR_INTERNAL);
}

void tsb_error_log(TRITONSERVER_Error* error, const char* what) {
  if (error == NULL) return;
  TSB_LOG(ERROR, "%s: %s", what, TRITONSERVER_ErrorMessage(error));
  TRITONSERVER_ErrorDelete(error);
}
