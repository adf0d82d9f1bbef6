// SPDX-License-Identifier: Apache-2.0
#include "log_pipe.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tsb_protocol.h"

enum { READS_PER_DRAIN = 64 };

void tsb_log_pipe_init(struct tsb_log_pipe* pipe, int fd, TRITONSERVER_LogLevel level) {
  pipe->fd = fd;
  pipe->level = level;
  pipe->used = 0;
  pipe->fatal[0] = '\0';
}

static void log_pipe__emit(struct tsb_log_pipe* pipe, const char* name, uint32_t length) {
  TRITONSERVER_LogLevel level = pipe->level;
  char* text = pipe->line;
  if (length >= 2 && text[0] == TSB_LOG_MARK) {
    switch (text[1]) {
      case 'I': level = TRITONSERVER_LOG_INFO; break;
      case 'W': level = TRITONSERVER_LOG_WARN; break;
      case 'E': level = TRITONSERVER_LOG_ERROR; break;
      case 'V': level = TRITONSERVER_LOG_VERBOSE; break;
      default: break;
    }
    text += 2;
    length -= 2;
  }
  if (length > 0 && text[length - 1] == '\r') length--;
  if (length == 0) return;
  // Triton's log ends at the first zero.
  for (char* zero; (zero = memchr(text, '\0', length)) != NULL;) *zero = '?';
  const char* fatal = memmem(text, length, "FATAL ERROR: ", 13);
  if (fatal != NULL) {
    snprintf(pipe->fatal, sizeof pipe->fatal, "%.*s", (int)(length - (uint32_t)(fatal - text)), fatal);
  }
  tsb_log(level, "model", 0, "[%s] %.*s", name, (int)length, text);
}

// Logs all whole lines in the buffer; a line that fills the buffer is logged in pieces.
static void log_pipe__lines(struct tsb_log_pipe* pipe, const char* name) {
  for (;;) {
    char* end = memchr(pipe->line, '\n', pipe->used);
    if (end == NULL && pipe->used < sizeof pipe->line) return;
    uint32_t length = end == NULL ? pipe->used : (uint32_t)(end - pipe->line);
    log_pipe__emit(pipe, name, length);
    uint32_t taken = end == NULL ? length : length + 1;
    pipe->used -= taken;
    memmove(pipe->line, pipe->line + taken, pipe->used);
  }
}

int tsb_log_pipe_drain(struct tsb_log_pipe* pipe, const char* name) {
  if (pipe->fd < 0) return 0;
  for (int i = 0; i < READS_PER_DRAIN; i++) {
    ssize_t got = read(pipe->fd, pipe->line + pipe->used, sizeof pipe->line - pipe->used);
    if (got > 0) {
      pipe->used += (uint32_t)got;
      log_pipe__lines(pipe, name);
    } else if (got == 0) {
      tsb_log_pipe_close(pipe, name);
      return 0;
    } else if (errno != EINTR) {
      return 1;
    }
  }
  return 1;
}

void tsb_log_pipe_close(struct tsb_log_pipe* pipe, const char* name) {
  if (pipe->fd < 0) return;
  if (pipe->used > 0) log_pipe__emit(pipe, name, pipe->used);
  pipe->used = 0;
  close(pipe->fd);
  pipe->fd = -1;
}
