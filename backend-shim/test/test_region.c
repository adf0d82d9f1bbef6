// SPDX-License-Identifier: Apache-2.0
// Regions: what may be mapped, and which places lie in them.
#include "region.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "check.h"

enum { PAGE = 4096 };

static int memfd(off_t bytes, int seals) {
  int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  CHECK(fd >= 0);
  CHECK_INT(ftruncate(fd, bytes), 0);
  if (seals != 0) CHECK_INT(fcntl(fd, F_ADD_SEALS, seals), 0);
  return fd;
}

static bool is_open(int fd) { return fcntl(fd, F_GETFD) >= 0; }

static void test_a_region_is_sealed_and_shared(void) {
  struct tsb_region made, adopted;
  CHECK_INT(tsb_region_create(&made, 7, 100), 0);
  CHECK_INT(made.bytes, PAGE);  // whole pages
  CHECK(ftruncate(made.fd, 0) != 0);
  CHECK(ftruncate(made.fd, 2 * PAGE) != 0);
  CHECK_INT(tsb_region_adopt(&adopted, 7, dup(made.fd), PAGE), 0);
  made.base[99] = 42;
  CHECK_INT(adopted.base[99], 42);
  tsb_region_discard(&made, 0, PAGE);
  CHECK_INT(adopted.base[99], 0);
  tsb_region_close(&adopted);
  tsb_region_close(&made);
  CHECK(made.base == NULL);
}

static void test_a_file_that_can_shrink_is_refused(void) {
  static const int SEALS[] = {0, F_SEAL_GROW | F_SEAL_SEAL, F_SEAL_SHRINK, F_SEAL_SEAL};
  for (size_t i = 0; i < sizeof SEALS / sizeof SEALS[0]; i++) {
    struct tsb_region region;
    int fd = memfd(PAGE, SEALS[i]);
    CHECK_INT(tsb_region_adopt(&region, 1, fd, PAGE), -EPROTO);
    CHECK(!is_open(fd));
    CHECK_INT(region.fd, -1);
    CHECK(region.base == NULL);
  }
}

static void test_what_is_no_memory_file_is_refused(void) {
  struct tsb_region region;
  int pipes[2];
  int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  CHECK_INT(tsb_region_adopt(&region, 1, null, PAGE), -EPROTO);
  CHECK_SOON(!is_open(null));
  CHECK_INT(pipe(pipes), 0);
  CHECK_INT(tsb_region_adopt(&region, 1, pipes[0], PAGE), -EPROTO);
  CHECK_SOON(!is_open(pipes[0]));
  close(pipes[1]);
}

static void test_sizes_are_bounded(void) {
  struct tsb_region region;
  int seals = F_SEAL_SHRINK | F_SEAL_SEAL;
  CHECK_INT(tsb_region_adopt(&region, 1, memfd(0, seals), PAGE), -E2BIG);
  CHECK_INT(tsb_region_adopt(&region, 1, memfd(2 * PAGE, seals), 2 * PAGE - 1), -E2BIG);
  CHECK_INT(tsb_region_adopt(&region, 1, memfd(PAGE, seals), 0), -E2BIG);
  CHECK_INT(tsb_region_adopt(&region, 1, memfd(2 * PAGE, seals), 2 * PAGE), 0);
  tsb_region_close(&region);
  // A file sealed against writing cannot be mapped the way both sides need it.
  CHECK(tsb_region_adopt(&region, 1, memfd(PAGE, seals | F_SEAL_WRITE), PAGE) < 0);
}

static void test_the_table_is_bounded_and_ids_are_unique(void) {
  struct tsb_region_table* table = calloc(1, sizeof *table);
  struct tsb_region region = {.fd = -1};
  for (uint32_t i = 0; i < TSB_MAX_REGIONS; i++) {
    region.id = i;
    CHECK_INT(tsb_region_add(table, &region), 0);
  }
  CHECK_INT(tsb_region_add(table, &region), -EEXIST);
  region.id = TSB_MAX_REGIONS;
  CHECK_INT(tsb_region_add(table, &region), -ENOSPC);
  CHECK(tsb_region_find(table, TSB_MAX_REGIONS) == NULL);
  CHECK_INT(tsb_region_find(table, 9)->id, 9);
  tsb_region_close_all(table);
  CHECK_INT(table->count, 0);
  free(table);
}

static void test_places_must_lie_in_a_region_whole(void) {
  struct tsb_region_table* table = calloc(1, sizeof *table);
  struct tsb_region region;
  CHECK_INT(tsb_region_create(&region, 5, PAGE), 0);
  CHECK_INT(tsb_region_add(table, &region), 0);
  CHECK_INT(table->bytes, PAGE);
  static const struct {
    struct tsb_place place;
    bool good;
  } CASES[] = {
      {{5, 0, 0, PAGE}, true},        {{5, 0, PAGE, 0}, true},
      {{5, 0, PAGE - 1, 1}, true},    {{5, 0, PAGE, 1}, false},
      {{5, 0, PAGE + 1, 0}, false},   {{5, 0, 0, PAGE + 1}, false},
      {{5, 0, 1, PAGE}, false},       {{5, 0, UINT64_MAX, 1}, false},
      {{5, 0, 1, UINT64_MAX}, false}, {{5, 0, UINT64_MAX, UINT64_MAX}, false},
      {{6, 0, 0, 1}, false},          {{5 | TSB_REGION_OF_STUB, 0, 0, 1}, false},
  };
  for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
    uint8_t* base = tsb_region_resolve(table, &CASES[i].place);
    if ((base != NULL) != CASES[i].good) CHECK_FAIL("case %zu is resolved wrongly", i);
    if (base != NULL) CHECK_INT(base - region.base, CASES[i].place.offset);
  }
  tsb_region_close_all(table);
  free(table);
}

int main(void) {
  test_a_region_is_sealed_and_shared();
  test_a_file_that_can_shrink_is_refused();
  test_what_is_no_memory_file_is_refused();
  test_sizes_are_bounded();
  test_the_table_is_bounded_and_ids_are_unique();
  test_places_must_lie_in_a_region_whole();
  return 0;
}
