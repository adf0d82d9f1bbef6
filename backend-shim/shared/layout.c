// SPDX-License-Identifier: Apache-2.0
#include "layout.h"

#include "tsb_protocol.h"

const struct tsb_layout_item tsb_layout_items[] = {
#define TSB_CONSTANT(name, value) {#name, (uint32_t)(value), 0},
#include "tsb_constant.def"
#define TSB_ENTRY(name, lower, number, receiver, owner, place, text) {"ENTRY_" #name, number, 0},
#define TSB_ENTRY_FLAG(kind, name, bit, text) {#kind "_" #name, bit, 0},
#define TSB_TABLE(name, number, text) {"TABLE_" #name, number, 0},
#include "tsb_entry.def"
#define TSB_METHOD(name, lower, number, receiver, form, text) {"METHOD_" #name, number, 0},
#define TSB_METHOD_KEY(method, part, key)
#define TSB_FRAME_FLAG(name, bit, text) {"FRAME_" #name, bit, 0},
#include "tsb_method.def"
#undef TSB_METHOD
#undef TSB_METHOD_KEY
#undef TSB_FRAME_FLAG
#define TSB_STRUCT(name) {#name "_SIZE", sizeof(struct tsb_##name), 0},
#define TSB_FIELD(owner, type, field) {#owner "_" #field, offsetof(struct tsb_##owner, field), sizeof(type)},
#define TSB_ARRAY(owner, type, field, count) \
  {#owner "_" #field, offsetof(struct tsb_##owner, field), sizeof(type) * (count)},
#define TSB_PADDING(owner, type, field)
#define TSB_RESERVED(owner, type, field, count)
#define TSB_STRUCT_END(name, bytes)
#include "tsb_struct.def"
#define TSB_DTYPE(name, number, bytes, array) {"DTYPE_" #name, number, 0}, {"DTYPE_" #name "_BYTES", bytes, 0},
#include "tsb_dtype.def"
#define TSB_STATUS(name, number, suffix) {"STATUS_" #name, number, 0},
#include "tsb_status.def"
};
const uint32_t tsb_layout_count = sizeof tsb_layout_items / sizeof tsb_layout_items[0];

const struct tsb_layout_key tsb_layout_keys[] = {
#define TSB_METHOD(name, lower, number, receiver, form, text)
#define TSB_METHOD_KEY(method, part, key) {#method "_" #part, #key},
#define TSB_FRAME_FLAG(name, bit, text)
#include "tsb_method.def"
};
const uint32_t tsb_layout_key_count = sizeof tsb_layout_keys / sizeof tsb_layout_keys[0];

static uint64_t layout__hash_text(uint64_t hash, const char* text) {
  for (; *text != '\0'; text++) hash = (hash ^ (uint8_t)*text) * 0x100000001b3u;
  return hash;
}

static uint64_t layout__hash_number(uint64_t hash, uint64_t number) {
  for (int shift = 0; shift < 64; shift += 8) hash = (hash ^ ((number >> shift) & 0xff)) * 0x100000001b3u;
  return hash;
}

uint64_t tsb_layout_fingerprint(void) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (uint32_t i = 0; i < tsb_layout_count; i++) {
    hash = layout__hash_text(hash, tsb_layout_items[i].name);
    hash = layout__hash_number(hash, tsb_layout_items[i].value);
    hash = layout__hash_number(hash, tsb_layout_items[i].bytes);
  }
  for (uint32_t i = 0; i < tsb_layout_key_count; i++) {
    hash = layout__hash_text(hash, tsb_layout_keys[i].part);
    hash = layout__hash_text(hash, tsb_layout_keys[i].key);
  }
  return hash;
}
