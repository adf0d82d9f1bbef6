// SPDX-License-Identifier: Apache-2.0
// The list of the layout is complete enough to notice a change, and the fingerprint depends on all of it.
#include "layout.h"

#include "check.h"
#include "tsb_protocol.h"

static uint64_t value_of(const char* name) {
  for (uint32_t i = 0; i < tsb_layout_count; i++) {
    if (strcmp(tsb_layout_items[i].name, name) == 0) return tsb_layout_items[i].value;
  }
  CHECK_FAIL("the layout has no '%s'", name);
}

static void test_numbers_written_by_hand(void) {
  CHECK_INT(value_of("ring_shared_head"), 64);
  CHECK_INT(value_of("entry_place"), 24);
  CHECK_INT(value_of("tensor_place"), 24);
  CHECK_INT(value_of("control_to_stub_entries"), 384);
  CHECK_INT(value_of("response_output_count"), 24);
  CHECK_INT(value_of("DTYPE_FP32"), 11);
  CHECK_INT(value_of("DTYPE_BYTES_BYTES"), 0);
  CHECK_INT(value_of("STATUS_CANCELLED"), 8);
}

static void test_names_are_unique(void) {
  for (uint32_t i = 0; i < tsb_layout_count; i++) {
    for (uint32_t j = 0; j < i; j++) {
      if (strcmp(tsb_layout_items[i].name, tsb_layout_items[j].name) == 0) {
        CHECK_FAIL("'%s' stands twice in the layout", tsb_layout_items[i].name);
      }
    }
  }
}

// FNV-1a by its definition, over the names and the values as eight little-endian bytes.
static uint64_t fingerprint_with(uint32_t changed) {
  uint64_t hash = UINT64_C(14695981039346656037);
  for (uint32_t i = 0; i < tsb_layout_count; i++) {
    uint64_t value = tsb_layout_items[i].value + (i == changed ? 1 : 0);
    for (const char* at = tsb_layout_items[i].name; *at != '\0'; at++) {
      hash = (hash ^ (uint8_t)*at) * UINT64_C(1099511628211);
    }
    for (int byte = 0; byte < 8; byte++) hash = (hash ^ (uint8_t)(value >> (8 * byte))) * UINT64_C(1099511628211);
  }
  return hash;
}

static void test_the_fingerprint_covers_every_item(void) {
  CHECK_INT(tsb_layout_fingerprint(), fingerprint_with(UINT32_MAX));
  for (uint32_t i = 0; i < tsb_layout_count; i++) CHECK(tsb_layout_fingerprint() != fingerprint_with(i));
}

int main(void) {
  test_numbers_written_by_hand();
  test_names_are_unique();
  test_the_fingerprint_covers_every_item();
  return 0;
}
