// SPDX-License-Identifier: Apache-2.0
// THE contract between the shim (in tritonserver) and a stub (a Node process), made of lists:
//
//   tsb_constant.def   limits and numbers
//   tsb_struct.def     structs in shared memory, and the head of a frame
//   tsb_entry.def      kinds of entries in the rings, their flags, and what an owner's table is
//   tsb_method.def     what is said over the control channel, and the keys of its payloads
//   tsb_dtype.def      datatypes; tsb_status.def: codes of errors
//
// Numbers stand only there: this header makes C of them, layout.c the fingerprint, tools/gen_layout.c TypeScript and
// the tables of docs/protocol.md, which tells how the pieces work together.
//
// Allowed: fixed-width integers, arrays of them, structs of them, named reserved fields.
// Not allowed: pointers, bool, enum fields, size_t, bit-fields, locks. Little-endian, 8-byte alignment.
#ifndef TSB_PROTOCOL_H
#define TSB_PROTOCOL_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

enum {
#define TSB_CONSTANT(name, value) TSB_##name = value,
#include "tsb_constant.def"
#undef TSB_CONSTANT
};

enum {
#define TSB_ENTRY(name, lower, number, receiver, owner, place, text) TSB_ENTRY_##name = number,
#define TSB_ENTRY_FLAG(kind, name, bit, text) TSB_##kind##_##name = bit,
#define TSB_TABLE(name, number, text) TSB_TABLE_##name = number,
#include "tsb_entry.def"
#undef TSB_ENTRY
#undef TSB_ENTRY_FLAG
#undef TSB_TABLE
};

enum {
#define TSB_METHOD(name, lower, number, receiver, form, text) TSB_METHOD_##name = number,
#define TSB_METHOD_KEY(method, part, key)
#define TSB_FRAME_FLAG(name, bit, text) TSB_FRAME_##name = bit,
#include "tsb_method.def"
#undef TSB_METHOD
#undef TSB_METHOD_KEY
#undef TSB_FRAME_FLAG
};

// TSB_KEY_LOAD_CALL_modelName: an index of tsb_layout_keys (layout.h).
enum tsb_key {
#define TSB_METHOD(name, lower, number, receiver, form, text)
#define TSB_METHOD_KEY(method, part, key) TSB_KEY_##method##_##part##_##key,
#define TSB_FRAME_FLAG(name, bit, text)
#include "tsb_method.def"
#undef TSB_METHOD
#undef TSB_METHOD_KEY
#undef TSB_FRAME_FLAG
};

#define TSB_STRUCT(name) struct tsb_##name {
#define TSB_FIELD(owner, type, field) type field;
#define TSB_ARRAY(owner, type, field, count) type field[count];
#define TSB_PADDING(owner, type, field) type field;
#define TSB_RESERVED(owner, type, field, count) type field[count];
#define TSB_STRUCT_END(name, bytes) \
  }                                 \
  ;                                 \
  static_assert(sizeof(struct tsb_##name) == (bytes), "size of tsb_" #name);
#include "tsb_struct.def"
#undef TSB_STRUCT
#undef TSB_FIELD
#undef TSB_ARRAY
#undef TSB_PADDING
#undef TSB_RESERVED
#undef TSB_STRUCT_END

static_assert(offsetof(struct tsb_ring_shared, head) == 64, "the consumer's words have their own cache line");
static_assert(offsetof(struct tsb_control, inputs_written) == 64, "the stub's words have their own cache line");
static_assert(offsetof(struct tsb_control, to_stub) == 128, "rings are aligned to cache lines");
static_assert(sizeof(void*) == 8, "64-bit only");
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "little-endian only");

#endif
