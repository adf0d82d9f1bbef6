// SPDX-License-Identifier: Apache-2.0
#include "request_record.h"

#include <stdlib.h>
#include <string.h>

#include "bytes_walk.h"
#include "parameter_record.h"
#include "tensor_record.h"

static TRITONSERVER_Error* request_record__out_of_memory(void) {
  return tsb_error_new(TRITONSERVER_ERROR_INTERNAL, "Out of memory while handing a request to the model.");
}

void tsb_encoder_init(struct tsb_encoder* encoder, const struct tsb_io_table* inputs,
                      const struct tsb_io_table* outputs) {
  *encoder = (struct tsb_encoder){
      .input_table = inputs, .output_table = outputs, .has_no_traces = TRITONBACKEND_RequestTrace == NULL};
}

void tsb_encoder_free(struct tsb_encoder* encoder) {
  free(encoder->inputs);
  free(encoder->requests);
  *encoder = (struct tsb_encoder){0};
}

void tsb_encoder_begin(struct tsb_encoder* encoder, uint64_t taken_ns) {
  encoder->taken_ns = taken_ns;
  encoder->input_count = encoder->request_count = 0;
  encoder->record_bytes = sizeof(struct tsb_batch);
  encoder->data_bytes = 0;
}

static bool request_record__reserve(void** items, uint32_t* capacity, uint32_t count, size_t item_bytes) {
  if (count <= *capacity) return true;
  uint32_t larger = *capacity * 2 < count ? count + 8 : *capacity * 2;
  void* grown = realloc(*items, larger * item_bytes);
  if (grown == NULL) return false;
  *items = grown;
  *capacity = larger;
  return true;
}

// A text that the server makes itself (a correlation id, for a sequence) may be followed by memory that was never
// written; it is left out. What follows a client's elements is a mistake.
static TRITONSERVER_Error* request_record__check_elements(struct tsb_encoder_input* input,
                                                          const struct tsb_bytes_walk* walk) {
  if (!tsb_bytes_walk_complete(walk)) {
    return tsb_error_new(TRITONSERVER_ERROR_INVALID_ARG,
                         "The elements of input '%s' do not fit its %llu bytes of data. Send each element as a "
                         "little-endian 32-bit length and that many bytes, as many elements as the shape has.",
                         input->name, (unsigned long long)input->bytes);
  }
  if (walk->used_bytes == input->bytes) return NULL;
  if (input->index == TSB_NAME_INLINE) {
    input->bytes = walk->used_bytes;
    return NULL;
  }
  return tsb_error_new(TRITONSERVER_ERROR_INVALID_ARG,
                       "The elements of input '%s' take %llu bytes by its shape, but it has %llu bytes of data.",
                       input->name, (unsigned long long)walk->used_bytes, (unsigned long long)input->bytes);
}

static TRITONSERVER_Error* request_record__check_buffers(struct tsb_encoder_input* input) {
  uint64_t total = 0;
  struct tsb_bytes_walk walk;
  bool elements = input->datatype == TRITONSERVER_TYPE_BYTES;
  if (elements) tsb_bytes_walk_begin(&walk, input->shape, input->dims_count);
  for (uint32_t i = 0; i < input->buffer_count; i++) {
    const void* buffer;
    uint64_t bytes;
    TRITONSERVER_MemoryType type = TRITONSERVER_MEMORY_CPU;
    int64_t id = 0;
    TSB_RETURN_IF_ERROR(TRITONBACKEND_InputBuffer(input->handle, i, &buffer, &bytes, &type, &id));
    if (type == TRITONSERVER_MEMORY_GPU) {
      return tsb_error_new(
          TRITONSERVER_ERROR_UNSUPPORTED,
          "Input '%s' is in GPU memory, which the TypeScript backend cannot read. Send it in CPU memory.", input->name);
    }
    if (i == 0) input->buffer = buffer;
    if (elements) tsb_bytes_walk_buffer(&walk, buffer, bytes);
    total += bytes;
  }
  if (total == input->bytes) return elements ? request_record__check_elements(input, &walk) : NULL;
  return tsb_error_new(TRITONSERVER_ERROR_INVALID_ARG, "Input '%s' should have %llu bytes of data, but has %llu.",
                       input->name, (unsigned long long)input->bytes, (unsigned long long)total);
}

// The data of an input, or what is sent in its place.
static TRITONSERVER_Error* request_record__check_data(const struct tsb_encoder* encoder,
                                                      const struct tsb_encoder_request* measured,
                                                      struct tsb_encoder_input* input) {
  input->element_bytes = 0;
  if (encoder->correlation_input != NULL && strcmp(encoder->correlation_input, input->name) == 0) {
    TSB_RETURN_IF_ERROR(tsb_correlation_check(&measured->correlation, input->name, input->datatype, input->element,
                                              &input->element_bytes));
  }
  if (input->element_bytes == 0) return request_record__check_buffers(input);
  input->bytes = input->element_bytes;
  input->buffer_count = 0;
  return NULL;
}

static TRITONSERVER_Error* request_record__add_input(struct tsb_encoder* encoder, struct tsb_encoder_request* measured,
                                                     uint32_t index, uint64_t* data_bytes) {
  TRITONSERVER_DataType datatype;
  if (!request_record__reserve((void**)&encoder->inputs, &encoder->input_capacity, encoder->input_count + 1,
                               sizeof *encoder->inputs)) {
    return request_record__out_of_memory();
  }
  struct tsb_encoder_input* input = &encoder->inputs[encoder->input_count];
  TSB_RETURN_IF_ERROR(TRITONBACKEND_RequestInputByIndex(measured->handle, index, &input->handle));
  TSB_RETURN_IF_ERROR(TRITONBACKEND_InputProperties(input->handle, &input->name, &datatype, &input->shape,
                                                    &input->dims_count, &input->bytes, &input->buffer_count));
  if (input->dims_count > TSB_MAX_DIMS) {
    return tsb_error_new(TRITONSERVER_ERROR_INVALID_ARG, "Input '%s' has %u dimensions, but at most %u are supported.",
                         input->name, input->dims_count, TSB_MAX_DIMS);
  }
  input->datatype = datatype;
  input->lent = (struct tsb_place){0};
  input->index = tsb_io_table_index(encoder->input_table, input->name);
  TSB_RETURN_IF_ERROR(request_record__check_data(encoder, measured, input));
  measured->record_bytes += tsb_tensor_record_bytes(input->dims_count);
  if (input->index == TSB_NAME_INLINE) measured->record_bytes += tsb_record_align(strlen(input->name), 8);
  *data_bytes += tsb_record_align(input->bytes, TSB_DATA_ALIGNMENT);
  encoder->input_count++;
  return NULL;
}

static TRITONSERVER_Error* request_record__measure_parameters(struct tsb_encoder_request* measured) {
  TSB_RETURN_IF_ERROR(TRITONBACKEND_RequestParameterCount(measured->handle, &measured->parameter_count));
  for (uint32_t i = 0; i < measured->parameter_count; i++) {
    const char* key;
    const void* value;
    TRITONSERVER_ParameterType type;
    TSB_RETURN_IF_ERROR(TRITONBACKEND_RequestParameter(measured->handle, i, &key, &type, &value));
    if (type > TRITONSERVER_PARAMETER_DOUBLE) {
      return tsb_error_new(TRITONSERVER_ERROR_UNSUPPORTED,
                           "Request parameter '%s' must be a string, an integer, a boolean or a double.", key);
    }
    uint64_t text_bytes = type == TRITONSERVER_PARAMETER_STRING ? strlen(value) : 0;
    measured->record_bytes += tsb_parameter_record_bytes(strlen(key), text_bytes);
  }
  return NULL;
}

// What the server says of a trace is no reason to refuse a request: without it the request is not traced.
static void request_record__measure_trace(struct tsb_encoder* encoder, struct tsb_encoder_request* measured) {
  TRITONSERVER_InferenceTrace* trace = NULL;
  if (encoder->has_no_traces) return;
  TRITONSERVER_Error* error = TRITONBACKEND_RequestTrace(measured->handle, &trace);
  if (error == NULL && trace == NULL) return;
  const char* context = "";
  if (error == NULL && TRITONSERVER_InferenceTraceContext != NULL) {
    error = TRITONSERVER_InferenceTraceContext(trace, &context);
  }
  if (error != NULL) {  // it was built without traces
    TRITONSERVER_ErrorDelete(error);
    encoder->has_no_traces = true;
    return;
  }
  measured->trace = context;
  measured->trace_bytes = (uint32_t)strlen(context);
  measured->record_bytes += tsb_record_align(measured->trace_bytes, 8);
}

static TRITONSERVER_Error* request_record__measure(struct tsb_encoder* encoder, struct tsb_encoder_request* measured,
                                                   uint64_t* data_bytes) {
  TRITONBACKEND_Request* request = measured->handle;
  TSB_RETURN_IF_ERROR(TRITONBACKEND_RequestId(request, &measured->id));
  TSB_RETURN_IF_ERROR(TRITONBACKEND_RequestFlags(request, &measured->flags));
  if (TRITONBACKEND_InferenceRequestTimeoutMicroseconds != NULL) {  // else 0, as if the client had set none
    TSB_RETURN_IF_ERROR(TRITONBACKEND_InferenceRequestTimeoutMicroseconds(request, &measured->timeout_us));
  }
  TSB_RETURN_IF_ERROR(TRITONBACKEND_RequestOutputCount(request, &measured->output_count));
  struct tsb_correlation* id = &measured->correlation;
  TRITONSERVER_Error* error = TRITONBACKEND_RequestCorrelationId(request, &id->number);
  id->text = "";
  if (error != NULL) {  // it is a string
    TRITONSERVER_ErrorDelete(error);
    id->number = 0;
    TSB_RETURN_IF_ERROR(TRITONBACKEND_RequestCorrelationIdString(request, &id->text));
  }
  measured->record_bytes = sizeof(struct tsb_request) + tsb_record_align(strlen(measured->id), 8) +
                           tsb_record_align(strlen(id->text), 8) +
                           tsb_record_align(measured->output_count * sizeof(uint32_t), 8);
  request_record__measure_trace(encoder, measured);
  TSB_RETURN_IF_ERROR(request_record__measure_parameters(measured));
  TSB_RETURN_IF_ERROR(TRITONBACKEND_RequestInputCount(request, &measured->input_count));
  for (uint32_t i = 0; i < measured->input_count; i++) {
    TSB_RETURN_IF_ERROR(request_record__add_input(encoder, measured, i, data_bytes));
  }
  if (measured->record_bytes > UINT32_MAX) {
    return tsb_error_new(TRITONSERVER_ERROR_INVALID_ARG, "The request's parameters and names are larger than 4 GiB.");
  }
  return NULL;
}

TRITONSERVER_Error* tsb_encoder_add(struct tsb_encoder* encoder, TRITONBACKEND_Request* request) {
  if (!request_record__reserve((void**)&encoder->requests, &encoder->request_capacity, encoder->request_count + 1,
                               sizeof *encoder->requests)) {
    return request_record__out_of_memory();
  }
  struct tsb_encoder_request* measured = &encoder->requests[encoder->request_count];
  *measured = (struct tsb_encoder_request){.handle = request, .first_input = encoder->input_count};
  uint64_t data_bytes = 0;
  TRITONSERVER_Error* error = request_record__measure(encoder, measured, &data_bytes);
  if (error != NULL) {
    encoder->input_count = measured->first_input;
    return error;
  }
  encoder->request_count++;
  encoder->record_bytes += measured->record_bytes;
  measured->data_bytes = data_bytes;
  encoder->data_bytes += data_bytes;
  return NULL;
}

int tsb_encoder_lend_inputs(struct tsb_encoder* encoder, tsb_encoder_lend lend, void* context) {
  for (uint32_t i = 0; i < encoder->request_count; i++) {
    struct tsb_encoder_request* measured = &encoder->requests[i];
    for (uint32_t j = 0; j < measured->input_count; j++) {
      struct tsb_encoder_input* input = &encoder->inputs[measured->first_input + j];
      if (input->buffer_count != 1 || input->bytes == 0) continue;
      int status = lend(context, i, input->buffer, input->bytes, &input->lent);
      if (status < 0) return status;
      if (input->lent.bytes == 0) continue;
      measured->data_bytes -= tsb_record_align(input->bytes, TSB_DATA_ALIGNMENT);
      encoder->data_bytes -= tsb_record_align(input->bytes, TSB_DATA_ALIGNMENT);
    }
  }
  return 0;
}

void tsb_encoder_set_apart(struct tsb_encoder* encoder, uint32_t request, const struct tsb_block* block) {
  encoder->requests[request].apart = block;
  encoder->data_bytes -= encoder->requests[request].data_bytes;
}

uint64_t tsb_encoder_bytes(const struct tsb_encoder* encoder) {
  return tsb_record_align(encoder->record_bytes, TSB_DATA_ALIGNMENT) + encoder->data_bytes;
}

static void request_record__copy_data(const struct tsb_encoder_input* input, uint8_t* target) {
  if (input->bytes == 0) return;
  if (input->element_bytes > 0) {
    memcpy(target, input->element, input->element_bytes);
    return;
  }
  if (input->buffer_count == 1) {
    memcpy(target, input->buffer, input->bytes);
    return;
  }
  uint64_t left = input->bytes;
  for (uint32_t i = 0; i < input->buffer_count; i++) {
    const void* buffer;
    uint64_t bytes;
    TRITONSERVER_MemoryType type = TRITONSERVER_MEMORY_CPU;
    int64_t id = 0;
    // Was asked before, in request_record__check_buffers, with the same answer.
    tsb_error_log(TRITONBACKEND_InputBuffer(input->handle, i, &buffer, &bytes, &type, &id),
                  "TRITONBACKEND_InputBuffer");
    if (bytes > left) bytes = left;
    if (bytes > 0) memcpy(target, buffer, bytes);  // an empty buffer may have no address
    target += bytes;
    left -= bytes;
  }
}

static void request_record__write_parameters(const struct tsb_encoder_request* measured,
                                             struct tsb_record_writer* writer) {
  static const uint32_t TYPES[] = {TSB_PARAMETER_STRING, TSB_PARAMETER_INT, TSB_PARAMETER_BOOL, TSB_PARAMETER_DOUBLE};
  for (uint32_t i = 0; i < measured->parameter_count; i++) {
    const char* key;
    const void* value;
    TRITONSERVER_ParameterType type;
    tsb_error_log(TRITONBACKEND_RequestParameter(measured->handle, i, &key, &type, &value),
                  "TRITONBACKEND_RequestParameter");
    struct tsb_parameter_value parameter = {.type = TYPES[type], .key = key, .key_bytes = (uint32_t)strlen(key)};
    if (type == TRITONSERVER_PARAMETER_STRING) {
      parameter.text = value;
      parameter.text_bytes = (uint32_t)strlen(value);
    } else if (type == TRITONSERVER_PARAMETER_BOOL) {
      parameter.bits = *(const bool*)value;
    } else {
      memcpy(&parameter.bits, value, sizeof parameter.bits);
    }
    tsb_parameter_record_write(writer, &parameter);
  }
}

static void request_record__write_outputs(const struct tsb_encoder* encoder, const struct tsb_encoder_request* measured,
                                          struct tsb_request* head, struct tsb_record_writer* writer) {
  head->requested_offset = (uint32_t)writer->used;
  uint32_t* indices = (uint32_t*)(writer->bytes + writer->used);
  for (uint32_t i = 0; i < measured->output_count; i++) {
    const char* name;
    TRITONSERVER_Error* error = TRITONBACKEND_RequestOutputName(measured->handle, i, &name);
    uint32_t index = error == NULL ? tsb_io_table_index(encoder->output_table, name) : TSB_NAME_INLINE;
    tsb_error_log(error, "TRITONBACKEND_RequestOutputName");
    // The server has checked the names against the configuration, so each is in the table.
    if (index != TSB_NAME_INLINE) indices[head->requested_count++] = index;
  }
  writer->used += tsb_record_align(measured->output_count * sizeof(uint32_t), 8);
}

// Tensors with their data first; names that are not in the table after all of them, so that a reader walks the tensors
// by one rule. `data` is the offset of what is free in the batch's block; returns the same.
static uint64_t request_record__write_inputs(const struct tsb_encoder_input* inputs, uint32_t count,
                                             struct tsb_record_writer* writer, const struct tsb_block* block,
                                             uint64_t data) {
  uint64_t at = writer->used;
  for (uint32_t i = 0; i < count; i++) {
    const struct tsb_encoder_input* input = &inputs[i];
    struct tsb_tensor tensor = {
        .name = input->index,
        .datatype = input->datatype,
        .dims_count = input->dims_count,
        .place = {.region = block->region, .offset = block->offset + data, .bytes = input->bytes}};
    if (input->lent.bytes > 0) tensor.place = input->lent;
    tsb_tensor_record_write(writer, &tensor, input->shape);
    if (input->lent.bytes > 0) continue;
    request_record__copy_data(input, block->base + data);
    data += tsb_record_align(input->bytes, TSB_DATA_ALIGNMENT);
  }
  for (uint32_t i = 0; i < count; i++) {
    struct tsb_tensor* tensor = (struct tsb_tensor*)(writer->bytes + at);
    at += tsb_tensor_record_bytes(inputs[i].dims_count);
    if (inputs[i].index != TSB_NAME_INLINE) continue;
    tensor->name_bytes = (uint32_t)strlen(inputs[i].name);
    tensor->name_offset = tsb_record_put(writer, inputs[i].name, tensor->name_bytes);
  }
  return data;
}

static uint64_t request_record__batch_size(const struct tsb_encoder_input* inputs, uint32_t count, bool batching) {
  return batching && count > 0 && inputs[0].dims_count > 0 ? (uint64_t)inputs[0].shape[0] : 1;
}

uint64_t tsb_encoder_write(struct tsb_encoder* encoder, const struct tsb_block* block, bool batching) {
  uint64_t batch_size = 0;
  uint64_t data = tsb_record_align(encoder->record_bytes, TSB_DATA_ALIGNMENT);
  uint8_t* record = block->base + sizeof(struct tsb_batch);
  *(struct tsb_batch*)block->base =
      (struct tsb_batch){.request_count = encoder->request_count, .taken_ns = encoder->taken_ns};
  for (uint32_t i = 0; i < encoder->request_count; i++) {
    struct tsb_encoder_request* measured = &encoder->requests[i];
    const struct tsb_encoder_input* inputs = encoder->inputs + measured->first_input;
    struct tsb_request* head = (struct tsb_request*)record;
    struct tsb_record_writer writer = {.bytes = record, .used = sizeof *head};
    *head = (struct tsb_request){.record_bytes = (uint32_t)measured->record_bytes,
                                 .flags = measured->flags,
                                 .correlation_id = measured->correlation.number,
                                 .timeout_us = measured->timeout_us,
                                 .parameter_count = measured->parameter_count,
                                 .input_count = measured->input_count};
    measured->record = head;
    if (measured->apart != NULL) {
      request_record__write_inputs(inputs, measured->input_count, &writer, measured->apart, 0);
    } else {
      data = request_record__write_inputs(inputs, measured->input_count, &writer, block, data);
    }
    head->id_bytes = (uint32_t)strlen(measured->id);
    head->id_offset = tsb_record_put(&writer, measured->id, head->id_bytes);
    head->correlation_bytes = (uint32_t)strlen(measured->correlation.text);
    head->correlation_offset = tsb_record_put(&writer, measured->correlation.text, head->correlation_bytes);
    if (measured->trace != NULL) {
      head->trace_bytes = measured->trace_bytes;
      head->trace_offset = tsb_record_put(&writer, measured->trace, measured->trace_bytes);
    }
    request_record__write_outputs(encoder, measured, head, &writer);
    head->parameters_offset = (uint32_t)writer.used;
    request_record__write_parameters(measured, &writer);
    record += measured->record_bytes;
    batch_size += request_record__batch_size(inputs, measured->input_count, batching);
  }
  return batch_size;
}
