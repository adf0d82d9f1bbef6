// SPDX-License-Identifier: Apache-2.0
#include "log.h"

#include <stdarg.h>
#include <stdio.h>

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
