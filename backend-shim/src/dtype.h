// SPDX-License-Identifier: Apache-2.0
// The only place where our datatypes meet Triton's.
#ifndef TSB_DTYPE_H
#define TSB_DTYPE_H

#include <stdint.h>

// Bytes of one element; 0 for BYTES; -1 for what is no datatype.
int64_t tsb_dtype_bytes(uint32_t datatype);
const char* tsb_dtype_name(uint32_t datatype);  // "an unknown datatype" otherwise
// The number for "TYPE_FP32" (model configuration); 0 when unknown.
uint32_t tsb_dtype_from_config(const char* config_name);

#endif
