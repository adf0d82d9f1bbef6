// SPDX-License-Identifier: Apache-2.0
// The record of a call -> a request to another model of the server.
#ifndef TSB_CALL_REQUEST_H
#define TSB_CALL_REQUEST_H

#include "call_record.h"
#include "instance_state.h"

// Makes the request of a call. Its inputs are read where they lie, in memory of the stub or of the shim, but for what
// must not be: BYTES, as their lengths could change after they were checked, and memory of clients, which is theirs
// when the request that it came with is over. 0, or -EPROTO: no correct stub writes such a record. *error says why the
// request cannot be made otherwise.
int tsb_call_request_make(struct tsb_instance* instance, const struct tsb_record* record, const struct tsb_call* head,
                          struct tsb_open_call* call, TRITONSERVER_Error** error);

#endif
