// SPDX-License-Identifier: Apache-2.0
// A response record of a stub -> a Triton response: the one copy of an output on its way to the client.
#ifndef TSB_RESPONSE_RECORD_H
#define TSB_RESPONSE_RECORD_H

#include "model.h"

// Where the data of a response may lie.
struct tsb_response_source {
  struct tsb_stub* stub;
  struct tsb_loans* loans;  // of the batch; a response may name those of its own request
  uint32_t request;         // index in the batch
  uint32_t send_flags;      // TRITONSERVER_RESPONSE_COMPLETE_FINAL when it is the request's last one
};

// Sends the response that the record at `place` describes, as a response to the request. Everything that the stub wrote
// is copied out and checked first. *success says whether the client got an answer without an error.
// Returns 0, or -EPROTO when the record is impossible: then nothing was sent.
int tsb_response_send(struct tsb_model* model, const struct tsb_response_source* source, TRITONBACKEND_Request* request,
                      const struct tsb_place* place, bool* success);
// Sends an error as the final response. Takes the error.
void tsb_response_send_error(const struct tsb_model* model, TRITONBACKEND_Request* request, TRITONSERVER_Error* error);

#endif
