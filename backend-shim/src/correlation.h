// SPDX-License-Identifier: Apache-2.0
// The id of a sequence as a control input (CONTROL_SEQUENCE_CORRID). The server copies as many bytes of the id as the
// input has, whichever kind the client's id is and however many bytes it takes: what is read of the input must be an
// id.
#ifndef TSB_CORRELATION_H
#define TSB_CORRELATION_H

#include "error.h"

// An element of BYTES with the largest number.
enum { TSB_CORRELATION_BYTES = 4 + 20 };

struct tsb_correlation {
  const char* text;  // "": it is a number
  uint64_t number;   // 0 without a text: there is no sequence
};

// Looks at the id of a request and the control input of one element that carries it. NULL: what stands in the input is
// the id, unless *bytes is not 0: a number where a text is wanted; then the first *bytes of `element` are to be read
// instead. An error says why the model cannot have this id.
TRITONSERVER_Error* tsb_correlation_check(const struct tsb_correlation* id, const char* input,
                                          TRITONSERVER_DataType datatype, uint8_t element[TSB_CORRELATION_BYTES],
                                          uint32_t* bytes);

#endif
