// SPDX-License-Identifier: Apache-2.0
// Triton requests -> records and tensors in shared memory: the one copy of an input on its way to the model, unless it
// is lent.
#ifndef TSB_REQUEST_RECORD_H
#define TSB_REQUEST_RECORD_H

#include "arena.h"
#include "correlation.h"
#include "error.h"
#include "io_table.h"

struct tsb_encoder_input {
  TRITONBACKEND_Input* handle;
  const char* name;
  const int64_t* shape;
  const void* buffer;  // the only one, when buffer_count is 1
  uint64_t bytes;
  uint32_t index;  // in the model's table of inputs, or TSB_NAME_INLINE
  uint32_t datatype;
  uint32_t dims_count;
  uint32_t buffer_count;
  struct tsb_place lent;   // where the stub finds it by itself; 0 bytes: it is copied
  uint32_t element_bytes;  // of `element`, which is sent instead of what the server gives; 0: it is not
  uint8_t element[TSB_CORRELATION_BYTES];
};

struct tsb_encoder_request {
  TRITONBACKEND_Request* handle;
  const char* id;
  struct tsb_correlation correlation;
  const char* trace;  // the context of its trace, valid until the request is released; NULL: it is not traced
  uint64_t timeout_us;
  uint32_t flags;
  uint32_t first_input;
  uint32_t input_count;
  uint32_t output_count;
  uint32_t parameter_count;
  uint32_t trace_bytes;
  uint64_t record_bytes;
  uint64_t data_bytes;            // of its inputs that are copied, each aligned
  const struct tsb_block* apart;  // where they are copied to; NULL: behind the records of the batch
  struct tsb_request* record;     // once it is written
};

// Scratch of one instance, reused from batch to batch.
struct tsb_encoder {
  const struct tsb_io_table* input_table;
  const struct tsb_io_table* output_table;
  const char* correlation_input;  // the control input with the id of the sequence; NULL, as at first: there is none
  bool has_no_traces;             // the server cannot tell whether a request is traced
  struct tsb_encoder_input* inputs;
  uint32_t input_count, input_capacity;
  struct tsb_encoder_request* requests;
  uint32_t request_count, request_capacity;
  uint64_t taken_ns;      // when the instance got the batch
  uint64_t record_bytes;  // of the batch's head and all its requests
  uint64_t data_bytes;    // of all tensors, each aligned
};

void tsb_encoder_init(struct tsb_encoder* encoder, const struct tsb_io_table* inputs,
                      const struct tsb_io_table* outputs);
void tsb_encoder_free(struct tsb_encoder* encoder);
void tsb_encoder_begin(struct tsb_encoder* encoder, uint64_t taken_ns);
// Looks at one request and makes room for it. After an error the request is not part of the batch.
TRITONSERVER_Error* tsb_encoder_add(struct tsb_encoder* encoder, TRITONBACKEND_Request* request);
// Asks whether an input in one buffer, of request `request` of the batch, can be lent instead of copied; *place is
// where it is then. Negative ends the batch.
typedef int (*tsb_encoder_lend)(void* context, uint32_t request, const void* data, uint64_t bytes,
                                struct tsb_place* place);
// Lends what can be lent of all that was added. 0 or what `lend` returned.
int tsb_encoder_lend_inputs(struct tsb_encoder* encoder, tsb_encoder_lend lend, void* context);
// Has the data of a request's inputs copied into a block of its own, of at least `data_bytes`, which is kept until
// then.
void tsb_encoder_set_apart(struct tsb_encoder* encoder, uint32_t request, const struct tsb_block* block);
// Bytes of the block that tsb_encoder_write needs.
uint64_t tsb_encoder_bytes(const struct tsb_encoder* encoder);
// Writes all that was added into the block. Returns the batch size (sum of first dimensions, or the number of requests
// when the model does not batch).
uint64_t tsb_encoder_write(struct tsb_encoder* encoder, const struct tsb_block* block, bool batching);

#endif
