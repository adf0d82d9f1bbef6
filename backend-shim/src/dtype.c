// SPDX-License-Identifier: Apache-2.0
#include "dtype.h"

#include <assert.h>
#include <string.h>

#include "triton_api.h"
#include "tsb_protocol.h"

// Triton's numbers, which the protocol and the TypeScript side rely on.
#define TSB_DTYPE(name, number, bytes, array) \
  static_assert(TRITONSERVER_TYPE_##name == (number), "number of datatype " #name);
#include "tsb_dtype.def"
#undef TSB_DTYPE

int64_t tsb_dtype_bytes(uint32_t datatype) {
  switch (datatype) {
#define TSB_DTYPE(name, number, bytes, array) \
  case number: return bytes;
#include "tsb_dtype.def"
#undef TSB_DTYPE
    default: return -1;
  }
}

const char* tsb_dtype_name(uint32_t datatype) {
  switch (datatype) {
#define TSB_DTYPE(name, number, bytes, array) \
  case number: return #name;
#include "tsb_dtype.def"
#undef TSB_DTYPE
    default: return "an unknown datatype";
  }
}

uint32_t tsb_dtype_from_config(const char* config_name) {
  if (strcmp(config_name, "TYPE_STRING") == 0) return TRITONSERVER_TYPE_BYTES;
#define TSB_DTYPE(name, number, bytes, array) \
  if (strcmp(config_name, "TYPE_" #name) == 0) return number;
#include "tsb_dtype.def"
#undef TSB_DTYPE
  return TRITONSERVER_TYPE_INVALID;
}
