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

// Fields that come before another one of the same size show in its offset; the others in their own size.
static void test_sizes_written_by_hand(void) {
  for (uint32_t i = 0; i < tsb_layout_count; i++) {
    if (strcmp(tsb_layout_items[i].name, "entry_owner") == 0) CHECK_INT(tsb_layout_items[i].bytes, 16);
    if (strcmp(tsb_layout_items[i].name, "control_version") == 0) CHECK_INT(tsb_layout_items[i].bytes, 4);
    if (strcmp(tsb_layout_items[i].name, "control_to_stub_entries") == 0) {
      CHECK_INT(tsb_layout_items[i].bytes, 64 * 1024);
    }
  }
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

static uint64_t hash_text(uint64_t hash, const char* text) {
  for (; *text != '\0'; text++) hash = (hash ^ (uint8_t)*text) * UINT64_C(1099511628211);
  return hash;
}

static uint64_t hash_number(uint64_t hash, uint64_t number) {
  for (int byte = 0; byte < 8; byte++) hash = (hash ^ (uint8_t)(number >> (8 * byte))) * UINT64_C(1099511628211);
  return hash;
}

// FNV-1a by its definition, over the names and the numbers as eight little-endian bytes, then the keys. `changed` is
// the item whose value is another one; those behind the last are the items again, of another size, and then the keys
// without one.
static uint64_t fingerprint_with(uint32_t changed) {
  uint64_t hash = UINT64_C(14695981039346656037);
  for (uint32_t i = 0; i < tsb_layout_count; i++) {
    hash = hash_text(hash, tsb_layout_items[i].name);
    hash = hash_number(hash, tsb_layout_items[i].value + (i == changed ? 1 : 0));
    hash = hash_number(hash, tsb_layout_items[i].bytes + (tsb_layout_count + i == changed ? 1 : 0));
  }
  for (uint32_t i = 0; i < tsb_layout_key_count; i++) {
    if (2 * tsb_layout_count + i == changed) continue;
    hash = hash_text(hash_text(hash, tsb_layout_keys[i].part), tsb_layout_keys[i].key);
  }
  return hash;
}

static void test_the_fingerprint_covers_every_item(void) {
  CHECK_INT(tsb_layout_fingerprint(), fingerprint_with(UINT32_MAX));
  for (uint32_t i = 0; i < 2 * tsb_layout_count + tsb_layout_key_count; i++) {
    CHECK(tsb_layout_fingerprint() != fingerprint_with(i));
  }
}

int main(void) {
  test_numbers_written_by_hand();
  test_sizes_written_by_hand();
  test_names_are_unique();
  test_the_fingerprint_covers_every_item();
  return 0;
}
