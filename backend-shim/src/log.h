// SPDX-License-Identifier: Apache-2.0
// Lines in the server's log.
#ifndef TSB_LOG_H
#define TSB_LOG_H

#include "triton_api.h"

// Logs by printf rules.
void tsb_log(TRITONSERVER_LogLevel level, const char* file, int line, const char* format, ...)
    __attribute__((format(printf, 4, 5)));
#define TSB_LOG(level, ...) tsb_log(TRITONSERVER_LOG_##level, __FILE_NAME__, __LINE__, __VA_ARGS__)
#ifndef __FILE_NAME__
#define __FILE_NAME__ (__builtin_strrchr("/" __FILE__, '/') + 1)
#endif

#endif
