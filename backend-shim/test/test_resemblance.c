// SPDX-License-Identifier: Apache-2.0
// Which names are taken for misspellings.
#include "resemblance.h"

#include "check.h"

int main(void) {
  static const char* const ALIKE[][2] = {
      {"MAX_INFLIGHT_BATCHES", "MAX_IN_FLIGHT_BATCHES"},
      {"max-in-flight-batches", "MAX_IN_FLIGHT_BATCHES"},
      {"MAX_IN_FLIGHT_BATCH", "MAX_IN_FLIGHT_BATCHES"},
      {"EXECUTION_TIMEOUT_SECONDS", "EXECUTE_TIMEOUT_SECONDS"},
      {"EXECUTE_TIMEOUT", "EXECUTE_TIMEOUT_SECONDS"},
      {"HEAP_LIMIT", "HEAP_LIMIT_MB"},
      {"shm_max_byte_size", "shm-max-byte-size"},
      {"LOADERS", "LOADER"},
      {"restarts", "restart"},
      {"TYPECHECK", "TYPE_CHECK"},
  };
  static const char* const APART[][2] = {
      {"MAX_BATCHES", "MAX_IN_FLIGHT_BATCHES"},
      {"TIMEOUT_SECONDS", "EXECUTE_TIMEOUT_SECONDS"},
      {"HEADER", "LOADER"},
      {"MAX", "MAX_IN_FLIGHT_BATCHES"},
      {"default-max-batch-size", "shm-max-byte-size"},
      {"", "LOADER"},
      {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "LOADER"},
  };
  for (size_t i = 0; i < sizeof ALIKE / sizeof ALIKE[0]; i++) {
    if (!tsb_resembles(ALIKE[i][0], ALIKE[i][1])) CHECK_FAIL("%s is not taken for %s", ALIKE[i][0], ALIKE[i][1]);
  }
  for (size_t i = 0; i < sizeof APART / sizeof APART[0]; i++) {
    if (tsb_resembles(APART[i][0], APART[i][1])) CHECK_FAIL("%s is taken for %s", APART[i][0], APART[i][1]);
  }
  return 0;
}
