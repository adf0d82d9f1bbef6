// SPDX-License-Identifier: Apache-2.0
// The record of a call of another model (struct tsb_call), as a stub wrote it.
#ifndef TSB_CALL_RECORD_H
#define TSB_CALL_RECORD_H

#include "tensor_record.h"

// Reads the head. 0, or -EPROTO: the record is shorter than it says.
int tsb_call_record_read(struct tsb_record* record, struct tsb_call* head);
// A text as a string that the caller frees. *left is how many bytes of text there may be still: as many as the record
// has at first, since texts that lay over each other could be copied without end. 0; -EPROTO: it lies out of the
// record, holds a zero or is too much; -ENOMEM.
int tsb_call_record_text(const struct tsb_record* record, struct tsb_text_place place, uint64_t* left, char** text);
// The output that is wanted at `index`, as above.
int tsb_call_record_requested(const struct tsb_record* record, const struct tsb_call* head, uint32_t index,
                              uint64_t* left, char** name);

#endif
