// SPDX-License-Identifier: Apache-2.0
// Assertions for the C tests. They print both values, stay in release builds, and end the process at the first failure:
// 0 passed, 1 failed, 77 skipped with a printed reason.
#ifndef TSB_CHECK_H
#define TSB_CHECK_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CHECK_SKIPPED = 77 };

// How a failure ends the process.
#ifndef CHECK_END
#define CHECK_END() _Exit(1)
#endif

#define CHECK_FAIL(...)                             \
  do {                                              \
    fprintf(stderr, "%s:%d: ", __FILE__, __LINE__); \
    fprintf(stderr, __VA_ARGS__);                   \
    fputc('\n', stderr);                            \
    CHECK_END();                                    \
  } while (0)

#define CHECK(condition)                                     \
  do {                                                       \
    if (!(condition)) CHECK_FAIL("%s is false", #condition); \
  } while (0)
// What another thread is about to do.
#define CHECK_SOON(condition)                                        \
  do {                                                               \
    for (int i_ = 0; i_ < 30000 && !(condition); i_++) usleep(1000); \
    CHECK(condition);                                                \
  } while (0)

#define CHECK_INT(actual, expected)                                                                            \
  do {                                                                                                         \
    long long actual_ = (long long)(actual), expected_ = (long long)(expected);                                \
    if (actual_ != expected_) {                                                                                \
      CHECK_FAIL("%s is %lld (0x%llx), expected %lld (0x%llx)", #actual, actual_, (unsigned long long)actual_, \
                 expected_, (unsigned long long)expected_);                                                    \
    }                                                                                                          \
  } while (0)

#define CHECK_TEXT(actual, expected)                                                                 \
  do {                                                                                               \
    const char *actual_ = (actual), *expected_ = (expected);                                         \
    if (actual_ == NULL || strcmp(actual_, expected_) != 0) {                                        \
      CHECK_FAIL("%s is \"%s\", expected \"%s\"", #actual, actual_ ? actual_ : "(null)", expected_); \
    }                                                                                                \
  } while (0)

#define CHECK_CONTAINS(actual, part)                                                                           \
  do {                                                                                                         \
    const char *actual_ = (actual), *part_ = (part);                                                           \
    if (actual_ == NULL || strstr(actual_, part_) == NULL) {                                                   \
      CHECK_FAIL("%s is \"%s\", expected it to contain \"%s\"", #actual, actual_ ? actual_ : "(null)", part_); \
    }                                                                                                          \
  } while (0)

// A small generator of numbers with a fixed seed: a failure shows again in the next run.
static inline uint64_t check_random(uint64_t* state) {
  *state ^= *state << 13;
  *state ^= *state >> 7;
  *state ^= *state << 17;
  return *state;
}

#endif
