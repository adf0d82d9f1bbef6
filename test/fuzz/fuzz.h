// SPDX-License-Identifier: Apache-2.0
// What each fuzz target has: a function that is given hostile bytes, which libFuzzer makes by what they reach; and
// seeds to begin with, made of the protocol's own structs, so that they are right whatever the layout becomes.
// replay.c runs a target where there is no libFuzzer.
#ifndef FUZZ_H
#define FUZZ_H

// libFuzzer keeps the input of a process that aborts.
#define CHECK_END() abort()
#include "check.h"

typedef void (*fuzz_take)(const void* seed, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);
void fuzz_seeds(fuzz_take take);

// What is left of an input. Behind its end there are zeros.
struct fuzz_input {
  const uint8_t* at;
  size_t left;
};

// The next bytes, fewer where there are no more. Returns how many.
static inline size_t fuzz_bytes(struct fuzz_input* input, void* target, size_t wanted) {
  size_t taken = input->left < wanted ? input->left : wanted;
  memset(target, 0, wanted);
  if (taken > 0) memcpy(target, input->at, taken);
  input->at += taken;
  input->left -= taken;
  return taken;
}

static inline uint8_t fuzz_u8(struct fuzz_input* input) {
  uint8_t value;
  fuzz_bytes(input, &value, sizeof value);
  return value;
}

static inline uint16_t fuzz_u16(struct fuzz_input* input) {
  uint16_t value;
  fuzz_bytes(input, &value, sizeof value);
  return value;
}

static inline uint64_t fuzz_u64(struct fuzz_input* input) {
  uint64_t value;
  fuzz_bytes(input, &value, sizeof value);
  return value;
}

// A seed that is put together piece by piece.
struct fuzz_seed {
  uint8_t bytes[8192];
  size_t size;
};

static inline void fuzz_add(struct fuzz_seed* seed, const void* bytes, size_t size) {
  CHECK(size <= sizeof seed->bytes - seed->size);
  memcpy(seed->bytes + seed->size, bytes, size);
  seed->size += size;
}

static inline void fuzz_add_u8(struct fuzz_seed* seed, unsigned value) {
  fuzz_add(seed, &(uint8_t){(uint8_t)value}, 1);
}
static inline void fuzz_add_u16(struct fuzz_seed* seed, unsigned value) {
  fuzz_add(seed, &(uint16_t){(uint16_t)value}, 2);
}

static inline int fuzz_lowest_free_descriptor(void) {
  int fd = dup(0);
  CHECK(fd >= 0);
  close(fd);
  return fd;
}

// None is left open. Those that nobody asked for are closed by a thread of their own (discard.h), so it may take a
// moment.
static inline void fuzz_expect_free_descriptor(int expected) {
  enum { PATIENCE_US = 10000000, LOOK_US = 100 };
  for (int waited = 0; waited < PATIENCE_US && fuzz_lowest_free_descriptor() != expected; waited += LOOK_US) {
    usleep(LOOK_US);
  }
  CHECK_INT(fuzz_lowest_free_descriptor(), expected);
}

#endif
