// SPDX-License-Identifier: Apache-2.0
// What a stub prints, in pieces: the lines in the log do not depend on where the pieces end.
#include <fcntl.h>
#include <unistd.h>

#include "fuzz.h"
#include "log_pipe.h"
#include "tsb_protocol.h"

// The log of this program, as a digest: of the lines of one run.
static uint64_t digest;
static unsigned line_count;

bool TRITONSERVER_LogIsEnabled(TRITONSERVER_LogLevel level) {
  (void)level;
  return true;
}

TRITONSERVER_Error* TRITONSERVER_LogMessage(TRITONSERVER_LogLevel level, const char* file, int line, const char* text) {
  CHECK(level <= TRITONSERVER_LOG_VERBOSE);
  CHECK_TEXT(file, "model");
  CHECK_INT(line, 0);
  CHECK_INT(strncmp(text, "[name] ", 7), 0);
  CHECK(strchr(text, '\n') == NULL);
  CHECK(strlen(text) <= 7 + TSB_LOG_LINE_BYTES);
  digest = digest * 31 + level;
  for (const char* at = text; *at != '\0'; at++) digest = (digest ^ (uint8_t)*at) * UINT64_C(0x100000001b3);
  line_count++;
  return NULL;
}

void TRITONSERVER_ErrorDelete(TRITONSERVER_Error* error) { CHECK(error == NULL); }

struct outcome {
  uint64_t digest;
  unsigned line_count;
  char fatal[512];
};

static void print(const uint8_t* text, size_t size, size_t piece, struct outcome* outcome) {
  struct tsb_log_pipe pipe;
  int ends[2];
  CHECK_INT(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
  tsb_log_pipe_init(&pipe, ends[0], TRITONSERVER_LOG_INFO);
  digest = line_count = 0;
  for (size_t at = 0; at < size; at += piece) {
    size_t bytes = size - at < piece ? size - at : piece;
    CHECK_INT(write(ends[1], text + at, bytes), bytes);
    CHECK_INT(tsb_log_pipe_drain(&pipe, "name"), 1);
  }
  close(ends[1]);
  CHECK_INT(tsb_log_pipe_drain(&pipe, "name"), 0);
  CHECK_INT(pipe.fd, -1);
  *outcome = (struct outcome){.digest = digest, .line_count = line_count};
  memcpy(outcome->fatal, pipe.fatal, sizeof outcome->fatal);
}

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  struct outcome whole, pieces;
  if (size == 0 || size > 32768) return 0;  // what a pipe holds at once
  size_t piece = 1 + (size_t)data[0] * 16;
  print(data + 1, size - 1, size, &whole);
  print(data + 1, size - 1, piece, &pieces);
  CHECK_INT(pieces.digest, whole.digest);
  CHECK_INT(pieces.line_count, whole.line_count);
  CHECK_INT(memcmp(pieces.fatal, whole.fatal, strlen(whole.fatal) + 1), 0);
  return 0;
}

void fuzz_seeds(fuzz_take take) {
  static const char* const SEEDS[] = {
      "\1plain line\n\036Iinfo\r\n\036Wwarning\n\036Eerror\n\036Vverbose\n\036?unknown\n\036\n\n\r\nno end",
      "\0a\nb",
      "\2<--- Last few GCs --->\nFATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory\n",
  };
  struct fuzz_seed seed = {0};
  take(SEEDS[0], strlen(SEEDS[0]));
  take(SEEDS[1], 4);
  take(SEEDS[2], strlen(SEEDS[2]));
  // A line that fills the buffer.
  fuzz_add_u8(&seed, 255);
  for (int i = 0; i < TSB_LOG_LINE_BYTES + 10; i++) fuzz_add_u8(&seed, i == TSB_LOG_LINE_BYTES ? TSB_LOG_MARK : 'E');
  take(seed.bytes, seed.size);
}
