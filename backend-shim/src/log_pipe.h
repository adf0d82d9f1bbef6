// SPDX-License-Identifier: Apache-2.0
// Carries what a stub prints into Triton's log, line by line, with the name of the instance.
#ifndef TSB_LOG_PIPE_H
#define TSB_LOG_PIPE_H

#include <stdint.h>

#include "log.h"

// A line that begins with TSB_LOG_MARK was written by the stub's console (stub/src/runtime/logging.ts) and names its
// own level; any other line has the pipe's level.
enum { TSB_LOG_LINE_BYTES = 4096 };

struct tsb_log_pipe {
  int fd;
  TRITONSERVER_LogLevel level;
  uint32_t used;
  char line[TSB_LOG_LINE_BYTES];
  char fatal[512];  // the last line in which Node said why it had to stop
};

void tsb_log_pipe_init(struct tsb_log_pipe* pipe, int fd, TRITONSERVER_LogLevel level);
// Logs what is there without waiting, at most some 256 KiB a call, so that one chatty model cannot keep the caller.
// Returns 0 when the other end is closed, else 1.
int tsb_log_pipe_drain(struct tsb_log_pipe* pipe, const char* name);
// Logs an unfinished last line and closes.
void tsb_log_pipe_close(struct tsb_log_pipe* pipe, const char* name);

#endif
