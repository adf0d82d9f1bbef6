// SPDX-License-Identifier: Apache-2.0
// Runs a fuzz target without libFuzzer, so that targets cannot rot where there is none:
//
//   replay_NAME                the seeds, each cut short at every byte, and with each byte changed (of a long one:
//   some) replay_NAME FILE...        inputs, as libFuzzer has kept them replay_NAME --write DIR    writes the seeds,
//   for libFuzzer to begin with
#include "fuzz.h"

enum { PLACES = 512 };  // of a seed, at most

static const char* folder;
static unsigned seed_count;
static unsigned long run_count;

// In memory of its own that ends where the input does: a sanitizer sees a read behind it.
static void run(const uint8_t* bytes, size_t size) {
  uint8_t* copy = malloc(size == 0 ? 1 : size);
  if (size > 0) memcpy(copy, bytes, size);
  LLVMFuzzerTestOneInput(copy, size);
  free(copy);
  run_count++;
}

static void run_variants(const void* seed, size_t size) {
  static const uint8_t CHANGES[] = {0x01, 0x20, 0x80, 0xff};
  uint8_t* bytes = malloc(size);
  memcpy(bytes, seed, size);
  seed_count++;
  run(bytes, size);
  for (size_t i = 0; i < size; i += 1 + size / PLACES) {
    run(bytes, i);
    for (size_t j = 0; j < sizeof CHANGES; j++) {
      bytes[i] ^= CHANGES[j];
      run(bytes, size);
      bytes[i] ^= CHANGES[j];
    }
  }
  free(bytes);
}

static void write_seed(const void* seed, size_t size) {
  char path[4096];
  snprintf(path, sizeof path, "%s/seed-%u", folder, seed_count++);
  FILE* file = fopen(path, "wb");
  if (file == NULL || fwrite(seed, 1, size, file) != size || fclose(file) != 0) CHECK_FAIL("Could not write %s", path);
}

static void run_file(const char* path) {
  static uint8_t bytes[1 << 20];
  FILE* file = fopen(path, "rb");
  if (file == NULL) CHECK_FAIL("Could not open %s", path);
  size_t size = fread(bytes, 1, sizeof bytes, file);
  fclose(file);
  run(bytes, size);
}

int main(int count, char** arguments) {
  if (count == 3 && strcmp(arguments[1], "--write") == 0) {
    folder = arguments[2];
    fuzz_seeds(write_seed);
    return 0;
  }
  for (int i = 1; i < count; i++) run_file(arguments[i]);
  if (count == 1) fuzz_seeds(run_variants);
  printf("%lu inputs, of %u seeds\n", run_count, seed_count);
  return 0;
}
