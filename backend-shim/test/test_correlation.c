// SPDX-License-Identifier: Apache-2.0
// The id of a sequence against the type of the control input that carries it.
#include "correlation.h"

#include "check.h"

static uint8_t element[TSB_CORRELATION_BYTES];
static uint32_t bytes;

static TRITONSERVER_Error* check(const char* text, uint64_t number, TRITONSERVER_DataType datatype) {
  struct tsb_correlation id = {.text = text, .number = number};
  bytes = 99;
  return tsb_correlation_check(&id, "CORRID", datatype, element, &bytes);
}

static void passes(const char* text, uint64_t number, TRITONSERVER_DataType datatype) {
  CHECK(check(text, number, datatype) == NULL);
  CHECK_INT(bytes, 0);
}

static void refused(const char* text, uint64_t number, TRITONSERVER_DataType datatype, const char* part) {
  TRITONSERVER_Error* error = check(text, number, datatype);
  CHECK(error != NULL);
  CHECK_INT(TRITONSERVER_ErrorCode(error), TRITONSERVER_ERROR_INVALID_ARG);
  CHECK_CONTAINS(TRITONSERVER_ErrorMessage(error), part);
  CHECK_INT(bytes, 0);
  TRITONSERVER_ErrorDelete(error);
}

static void becomes(uint64_t number, const char* text) {
  uint32_t length = (uint32_t)strlen(text);
  CHECK(check("", number, TRITONSERVER_TYPE_BYTES) == NULL);
  CHECK_INT(bytes, 4 + length);
  CHECK_INT(memcmp(element, &length, 4), 0);
  CHECK_INT(memcmp(element + 4, text, length), 0);
}

int main(void) {
  static const TRITONSERVER_DataType NUMBERS[] = {TRITONSERVER_TYPE_INT32, TRITONSERVER_TYPE_UINT32,
                                                  TRITONSERVER_TYPE_INT64, TRITONSERVER_TYPE_UINT64};
  static const uint64_t LARGEST[] = {INT32_MAX, UINT32_MAX, INT64_MAX, UINT64_MAX};
  for (int i = 0; i < 4; i++) {
    passes("", 1, NUMBERS[i]);
    passes("", LARGEST[i], NUMBERS[i]);
    if (LARGEST[i] < UINT64_MAX) refused("", LARGEST[i] + 1, NUMBERS[i], "does not fit into");
    refused("a", 0, NUMBERS[i], "The sequence id 'a' is a text, but the control input 'CORRID'");
  }
  refused("", UINT64_C(4294967301), TRITONSERVER_TYPE_INT32, "4294967301 does not fit into INT32");
  passes("a", 0, TRITONSERVER_TYPE_BYTES);
  passes("", 0, TRITONSERVER_TYPE_BYTES);  // no sequence
  becomes(99, "99");
  becomes(129, "129");
  becomes(UINT64_MAX, "18446744073709551615");
  return 0;
}
