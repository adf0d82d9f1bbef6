// SPDX-License-Identifier: Apache-2.0
// One row of tsb_status.def, one error code of Triton.
#include "error.h"

#include <errno.h>

#include "check.h"
#include "log.h"
#include "tsb_protocol.h"

static void test_every_status_has_its_code(void) {
  static const struct {
    const char* name;
    uint32_t number;
    TRITONSERVER_Error_Code code;
  } ROWS[] = {
      {"UNKNOWN", 1, TRITONSERVER_ERROR_UNKNOWN},
      {"INTERNAL", 2, TRITONSERVER_ERROR_INTERNAL},
      {"NOT_FOUND", 3, TRITONSERVER_ERROR_NOT_FOUND},
      {"INVALID_ARG", 4, TRITONSERVER_ERROR_INVALID_ARG},
      {"UNAVAILABLE", 5, TRITONSERVER_ERROR_UNAVAILABLE},
      {"UNSUPPORTED", 6, TRITONSERVER_ERROR_UNSUPPORTED},
      {"ALREADY_EXISTS", 7, TRITONSERVER_ERROR_ALREADY_EXISTS},
      {"CANCELLED", 8, TRITONSERVER_ERROR_CANCELLED},
  };
  for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
    CHECK_INT(tsb_error_code(ROWS[i].number), ROWS[i].code);
    CHECK_INT(tsb_error_code_by_name(ROWS[i].name), ROWS[i].code);
  }
  CHECK_INT(tsb_error_code(0), TRITONSERVER_ERROR_INTERNAL);
  CHECK_INT(tsb_error_code(9), TRITONSERVER_ERROR_INTERNAL);
  CHECK_INT(tsb_error_code(UINT32_MAX), TRITONSERVER_ERROR_INTERNAL);
  CHECK_INT(tsb_error_code_by_name(""), TRITONSERVER_ERROR_INTERNAL);
  CHECK_INT(tsb_error_code_by_name("invalid_arg"), TRITONSERVER_ERROR_INTERNAL);
}

static void test_long_messages_are_cut(void) {
  char* text = malloc(10000);
  memset(text, 'x', 9999);
  text[9999] = '\0';
  TRITONSERVER_Error* error = tsb_error_new(TRITONSERVER_ERROR_INTERNAL, "%s", text);
  CHECK_INT(strlen(TRITONSERVER_ErrorMessage(error)), 4095);
  TRITONSERVER_ErrorDelete(error);
  tsb_log(TRITONSERVER_LOG_INFO, "test", 1, "%s", text);
  free(text);
}

static void test_limits_are_named_by_what_raises_them(void) {
  CHECK_CONTAINS(tsb_error_reason(-EMFILE), "(ulimit -n)");
  CHECK_CONTAINS(tsb_error_reason(-ENFILE), "fs.file-max");
  CHECK_CONTAINS(tsb_error_reason(-ENOMEM), "limit of the container");
  CHECK_CONTAINS(tsb_error_start_reason(-EAGAIN), "(ulimit -u");
  CHECK_TEXT(tsb_error_start_reason(-ENOMEM), tsb_error_reason(-ENOMEM));
  CHECK_TEXT(tsb_error_start_reason(-ENOENT), strerror(ENOENT));
  // Where memory is wanted, or something is sent, it is no number of processes.
  CHECK_TEXT(tsb_error_reason(-EAGAIN), strerror(EAGAIN));
  CHECK_TEXT(tsb_error_reason(-ENOENT), strerror(ENOENT));
}

int main(void) {
  test_every_status_has_its_code();
  test_long_messages_are_cut();
  test_limits_are_named_by_what_raises_them();
  return 0;
}
