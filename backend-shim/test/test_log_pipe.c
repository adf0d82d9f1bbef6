// SPDX-License-Identifier: Apache-2.0
// What a stub prints becomes lines of the log.
#include "log_pipe.h"

#include <fcntl.h>
#include <unistd.h>

#include "check.h"
#include "fake_triton.h"

static struct tsb_log_pipe log_pipe;
static int writer;

static void open_pipe(TRITONSERVER_LogLevel level) {
  int ends[2];
  CHECK_INT(pipe2(ends, O_CLOEXEC), 0);
  CHECK_INT(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
  CHECK_INT(fcntl(ends[1], F_SETPIPE_SZ, 1 << 20) > 0, 1);
  tsb_log_pipe_init(&log_pipe, ends[0], level);
  writer = ends[1];
  fake_log_clear();
}

static void print(const char* text) { CHECK_INT(write(writer, text, strlen(text)), strlen(text)); }

static void test_lines_and_levels(void) {
  open_pipe(TRITONSERVER_LOG_WARN);
  print(
      "plain\n\x1e"
      "Iinfo\n\x1e"
      "Eerror\r\n\n\x1e"
      "Vverbose\n\x1eXodd\nhalf");
  CHECK_INT(tsb_log_pipe_drain(&log_pipe, "m_0"), 1);
  CHECK(fake_log_has("W [m_0] plain\n"));
  CHECK(fake_log_has("I [m_0] info\n"));
  CHECK(fake_log_has("E [m_0] error\n"));
  CHECK(fake_log_has("V [m_0] verbose\n"));
  CHECK(fake_log_has("W [m_0] odd\n"));
  CHECK(!fake_log_has("half"));
  print(" and half\nlast");
  CHECK_INT(tsb_log_pipe_drain(&log_pipe, "m_0"), 1);
  CHECK(fake_log_has("W [m_0] half and half\n"));
  close(writer);
  CHECK_INT(tsb_log_pipe_drain(&log_pipe, "m_0"), 0);
  CHECK(fake_log_has("W [m_0] last\n"));
  CHECK_INT(log_pipe.fd, -1);
  CHECK_INT(tsb_log_pipe_drain(&log_pipe, "m_0"), 0);
  tsb_log_pipe_close(&log_pipe, "m_0");
}

static void test_zeros_do_not_end_a_line(void) {
  open_pipe(TRITONSERVER_LOG_INFO);
  CHECK_INT(write(writer, "a\0b\0\0c\n", 8), 8);
  tsb_log_pipe_drain(&log_pipe, "m_0");
  CHECK(fake_log_has("I [m_0] a?b??c\n"));
  close(writer);
  tsb_log_pipe_close(&log_pipe, "m_0");
}

static void test_a_line_without_end_is_logged_in_pieces(void) {
  char piece[1001];
  open_pipe(TRITONSERVER_LOG_INFO);
  memset(piece, 'y', 1000);
  piece[1000] = '\0';
  for (int i = 0; i < 20; i++) print(piece);
  CHECK_INT(tsb_log_pipe_drain(&log_pipe, "m"), 1);
  CHECK(fake_log_lines() >= 4);
  CHECK(log_pipe.used < TSB_LOG_LINE_BYTES);
  close(writer);
  tsb_log_pipe_close(&log_pipe, "m");
}

static void test_bytes_of_any_kind_do_no_harm(void) {
  uint64_t state = 3;
  open_pipe(TRITONSERVER_LOG_INFO);
  for (int i = 0; i < 2000; i++) {
    char bytes[97];
    for (size_t j = 0; j < sizeof bytes; j++) bytes[j] = (char)check_random(&state);
    if (check_random(&state) % 4 == 0) bytes[check_random(&state) % sizeof bytes] = '\x1e';
    CHECK_INT(write(writer, bytes, sizeof bytes), sizeof bytes);
    if (i % 16 == 0) CHECK_INT(tsb_log_pipe_drain(&log_pipe, "m"), 1);
  }
  close(writer);
  while (tsb_log_pipe_drain(&log_pipe, "m") != 0) {
  }
}

static void test_one_call_reads_a_bounded_amount(void) {
  char bytes[4096];
  open_pipe(TRITONSERVER_LOG_INFO);
  memset(bytes, 'z', sizeof bytes);
  for (int i = 0; i < 200; i++) CHECK_INT(write(writer, bytes, sizeof bytes), sizeof bytes);
  CHECK_INT(tsb_log_pipe_drain(&log_pipe, "m"), 1);
  CHECK(read(log_pipe.fd, bytes, 1) == 1);  // something is left for the next call
  close(writer);
  tsb_log_pipe_close(&log_pipe, "m");
}

static void test_the_reason_of_a_fatal_error_is_kept(void) {
  open_pipe(TRITONSERVER_LOG_WARN);
  print("<--- Last few GCs --->\nFATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory\n");
  CHECK_INT(tsb_log_pipe_drain(&log_pipe, "m"), 1);
  CHECK_TEXT(log_pipe.fatal, "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory");
  close(writer);
  tsb_log_pipe_close(&log_pipe, "m");
}

int main(void) {
  test_lines_and_levels();
  test_zeros_do_not_end_a_line();
  test_a_line_without_end_is_logged_in_pieces();
  test_bytes_of_any_kind_do_no_harm();
  test_one_call_reads_a_bounded_amount();
  test_the_reason_of_a_fatal_error_is_kept();
  return 0;
}
