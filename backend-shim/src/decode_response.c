// SPDX-License-Identifier: Apache-2.0
#include "decode_response.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "barrier.h"
#include "dtype.h"

enum { SMALL_RECORD_BYTES = 2048 };

// A record copied out of shared memory; the stub cannot change it any more.
struct decode_record {
  const uint8_t* bytes;
  struct tsb_response head;
};

static bool decode__range(const struct decode_record* record, uint64_t offset, uint64_t bytes) {
  return offset <= record->head.record_bytes && bytes <= record->head.record_bytes - offset;
}

// Number of elements of a shape; -1 for a negative dimension or more elements than any memory holds.
static int64_t decode__elements(const int64_t* dims, uint32_t count) {
  int64_t elements = 1;
  for (uint32_t i = 0; i < count; i++) {
    if (dims[i] < 0 || __builtin_mul_overflow(elements, dims[i], &elements)) return -1;
  }
  return elements;
}

// The rank must be right above all: with a `reshape`, the server takes it for granted.
static bool decode__shape_fits(const struct tsb_model* model, const struct tsb_io* io, const int64_t* dims,
                               uint32_t count) {
  uint32_t batch = model->max_batch_size > 0 ? 1 : 0;
  if (count != io->dims_count + batch) return false;
  for (uint32_t i = 0; i < io->dims_count; i++) {
    if (io->dims[i] >= 0 && dims[i + batch] != io->dims[i]) return false;
  }
  return true;
}

// BYTES must be `elements` times a length and that many bytes; clients and the server's own parsers rely on it.
static bool decode__bytes_fit(const uint8_t* data, uint64_t bytes, int64_t elements) {
  uint64_t at = 0;
  for (int64_t i = 0; i < elements; i++) {
    uint32_t length;
    if (bytes - at < sizeof length) return false;
    memcpy(&length, data + at, sizeof length);
    at += sizeof length;
    if (bytes - at < length) return false;
    at += length;
  }
  return at == bytes;
}

static TRITONSERVER_Error* decode__mismatch(const struct tsb_io* io, const struct tsb_tensor* tensor) {
  return tsb_error_new(
      TRITONSERVER_ERROR_INTERNAL,
      "The model answered output '%s' (%s in its configuration) with %s, a shape of %u dimensions and %llu "
      "bytes, which do not fit together.",
      io->name, tsb_dtype_name(io->datatype), tsb_dtype_name(tensor->datatype), tensor->dims_count,
      (unsigned long long)tensor->place.bytes);
}

static bool decode__is_of_client(const struct tsb_place* place) {
  return (place->region & TSB_REGION_OF_STUB) == 0 && (place->region & TSB_REGION_OF_CLIENT) != 0;
}

// Where the bytes are that an answer names: in a loan of the request, or at an address.
struct decode_data {
  const struct tsb_loan* loan;
  const uint8_t* address;
};

static bool decode__find(const struct tsb_response_source* source, const struct tsb_place* place,
                         struct decode_data* data) {
  if (decode__is_of_client(place)) {
    data->loan = tsb_loans_find(source->loans, source->request, place);
    return data->loan != NULL;
  }
  data->address = tsb_stub_resolve(source->stub, place);
  return data->address != NULL;
}

static int decode__copy(const struct tsb_response_source* source, const struct tsb_place* place,
                        const struct decode_data* data, void* buffer) {
  int status =
      tsb_client_memory_save(&source->stub->memory.clients, source->loans, source->request, buffer, place->bytes);
  if (status < 0) return status;
  if (data->loan != NULL) return tsb_loan_copy(data->loan, place, buffer);
  memcpy(buffer, data->address, place->bytes);
  return 0;
}

static TRITONSERVER_Error* decode__copy_error(const struct tsb_io* io, int status) {
  if (status == -ENOMEM) {
    return tsb_error_new(TRITONSERVER_ERROR_INTERNAL, "Out of memory while sending output '%s'.", io->name);
  }
  return tsb_error_new(
      TRITONSERVER_ERROR_INVALID_ARG,
      "The input that the model answers with in output '%s' lies in a shared memory region that was cut short "
      "while the request was served. Keep the region at its size until it is unregistered.",
      io->name);
}

static TRITONSERVER_Error* decode__output(const struct tsb_model* model, const struct tsb_response_source* source,
                                          TRITONBACKEND_Response* response, const struct tsb_tensor* tensor,
                                          const int64_t* dims) {
  const struct tsb_io* io = &model->outputs.items[tensor->name];
  int64_t elements = decode__elements(dims, tensor->dims_count);
  int64_t element_bytes = tsb_dtype_bytes(tensor->datatype);
  uint64_t bytes = tensor->place.bytes;
  if (tensor->datatype != io->datatype || element_bytes < 0 || elements < 0 ||
      !decode__shape_fits(model, io, dims, tensor->dims_count)) {
    return decode__mismatch(io, tensor);
  }
  int64_t expected;
  if (__builtin_mul_overflow(elements, element_bytes, &expected)) return decode__mismatch(io, tensor);
  if (element_bytes > 0 && bytes != (uint64_t)expected) return decode__mismatch(io, tensor);
  struct decode_data data = {0};
  if (bytes > 0 && !decode__find(source, &tensor->place, &data)) return decode__mismatch(io, tensor);
  TRITONBACKEND_Output* output;
  void* buffer;
  TRITONSERVER_MemoryType type = TRITONSERVER_MEMORY_CPU;
  int64_t type_id = 0;
  TSB_RETURN_IF_ERROR(TRITONBACKEND_ResponseOutput(response, &output, io->name, (TRITONSERVER_DataType)tensor->datatype,
                                                   dims, tensor->dims_count));
  TSB_RETURN_IF_ERROR(TRITONBACKEND_OutputBuffer(output, &buffer, bytes, &type, &type_id));
  if (type == TRITONSERVER_MEMORY_GPU) {
    return tsb_error_new(
        TRITONSERVER_ERROR_UNSUPPORTED,
        "Output '%s' is wanted in GPU memory, which the TypeScript backend cannot write. Ask for CPU memory.",
        io->name);
  }
  int status = bytes > 0 ? decode__copy(source, &tensor->place, &data, buffer) : 0;
  if (status < 0) return decode__copy_error(io, status);
  // Checked in Triton's buffer: the stub could change its own after a check.
  if (element_bytes == 0 && !decode__bytes_fit(buffer, bytes, elements)) return decode__mismatch(io, tensor);
  return NULL;
}

static int decode__outputs(const struct tsb_model* model, const struct tsb_response_source* source,
                           TRITONBACKEND_Response* response, const struct decode_record* record,
                           TRITONSERVER_Error** error) {
  uint64_t at = sizeof record->head;
  if (record->head.output_count > model->outputs.count) return -EPROTO;
  for (uint32_t i = 0; i < record->head.output_count; i++) {
    struct tsb_tensor tensor;
    int64_t dims[TSB_MAX_DIMS];
    if (!decode__range(record, at, sizeof tensor)) return -EPROTO;
    memcpy(&tensor, record->bytes + at, sizeof tensor);
    at += sizeof tensor;
    if (tensor.name >= model->outputs.count || tensor.dims_count > TSB_MAX_DIMS) return -EPROTO;
    if (!decode__range(record, at, tensor.dims_count * sizeof *dims)) return -EPROTO;
    memcpy(dims, record->bytes + at, tensor.dims_count * sizeof *dims);
    at += tensor.dims_count * sizeof *dims;
    if (*error == NULL) *error = decode__output(model, source, response, &tensor, dims);
  }
  return 0;
}

static int decode__parameters(TRITONBACKEND_Response* response, const struct decode_record* record,
                              TRITONSERVER_Error** error) {
  uint64_t at = record->head.parameters_offset;
  for (uint32_t i = 0; i < record->head.parameter_count && *error == NULL; i++) {
    struct tsb_parameter parameter;
    if (!decode__range(record, at, sizeof parameter)) return -EPROTO;
    memcpy(&parameter, record->bytes + at, sizeof parameter);
    at += sizeof parameter;
    uint64_t text = (uint64_t)parameter.key_bytes + parameter.value_bytes;
    if (!decode__range(record, at, text)) return -EPROTO;
    if (parameter.type < TSB_PARAMETER_STRING || parameter.type > TSB_PARAMETER_DOUBLE) return -EPROTO;
    char* key = strndup((const char*)record->bytes + at, parameter.key_bytes);
    char* value = strndup((const char*)record->bytes + at + parameter.key_bytes, parameter.value_bytes);
    at += (text + 7) & ~UINT64_C(7);
    double number;
    memcpy(&number, &parameter.value, sizeof number);
    if (key == NULL || value == NULL) {
      *error = tsb_error_new(TRITONSERVER_ERROR_INTERNAL, "Out of memory while sending response parameters.");
    } else if (parameter.type == TSB_PARAMETER_STRING) {
      *error = TRITONBACKEND_ResponseSetStringParameter(response, key, value);
    } else if (parameter.type == TSB_PARAMETER_INT) {
      *error = TRITONBACKEND_ResponseSetIntParameter(response, key, (int64_t)parameter.value);
    } else if (parameter.type == TSB_PARAMETER_BOOL) {
      *error = TRITONBACKEND_ResponseSetBoolParameter(response, key, parameter.value != 0);
    } else {
      *error = TRITONBACKEND_ResponseSetDoubleParameter(response, key, number);
    }
    free(key);
    free(value);
  }
  return 0;
}

static TRITONSERVER_Error* decode__error(const struct decode_record* record) {
  uint64_t bytes = record->head.message_bytes;
  if (bytes > TSB_MAX_MESSAGE_BYTES || !decode__range(record, record->head.message_offset, bytes)) {
    return tsb_error_new(TRITONSERVER_ERROR_INTERNAL, "The model failed, and its error message is out of range.");
  }
  char* message = strndup((const char*)record->bytes + record->head.message_offset, bytes);
  TRITONSERVER_Error* error =
      TRITONSERVER_ErrorNew(tsb_error_code(record->head.status), message == NULL ? "The model failed." : message);
  free(message);
  return error;
}

// The response cache keeps what it can of a response and forgets its error: the same request would then succeed, with
// the outputs that were made before the error or with none. It refuses a response with an output that has no memory.
static void decode__keep_out_of_cache(const struct tsb_model* model, TRITONBACKEND_Response* response) {
  if (!model->caches || model->outputs.count == 0) return;
  const struct tsb_io* io = &model->outputs.items[0];
  uint32_t batch = model->max_batch_size > 0 ? 1 : 0;
  int64_t dims[TSB_MAX_DIMS] = {0};
  TRITONBACKEND_Output* output;
  for (uint32_t i = 0; i < io->dims_count; i++) dims[i + batch] = io->dims[i] < 0 ? 0 : io->dims[i];
  tsb_error_log(TRITONBACKEND_ResponseOutput(response, &output, io->name, (TRITONSERVER_DataType)io->datatype, dims,
                                             io->dims_count + batch),
                "Keeping an error out of the response cache");
}

static int decode__send(struct tsb_model* model, const struct tsb_response_source* source,
                        TRITONBACKEND_Request* request, const struct decode_record* record, bool* success) {
  TRITONBACKEND_Response* response = NULL;
  TRITONSERVER_Error* error = TRITONBACKEND_ResponseNew(&response, request);
  if (error != NULL) {
    tsb_error_log(error, "TRITONBACKEND_ResponseNew");
    *success = false;
    return 0;
  }
  int status = 0;
  if (record->head.status != 0) {
    error = decode__error(record);
  } else {
    status = decode__outputs(model, source, response, record, &error);
    if (status == 0) status = decode__parameters(response, record, &error);
  }
  if (status < 0) {
    if (error != NULL) TRITONSERVER_ErrorDelete(error);
    tsb_error_log(TRITONBACKEND_ResponseDelete(response), "TRITONBACKEND_ResponseDelete");
    return status;
  }
  *success = error == NULL;
  if (error != NULL) decode__keep_out_of_cache(model, response);
  tsb_error_log(TRITONBACKEND_ResponseSend(response, TRITONSERVER_RESPONSE_COMPLETE_FINAL, error),
                "TRITONBACKEND_ResponseSend");
  if (error != NULL) TRITONSERVER_ErrorDelete(error);
  return 0;
}

int tsb_response_send(struct tsb_model* model, const struct tsb_response_source* source, TRITONBACKEND_Request* request,
                      const struct tsb_place* place, bool* success) {
  uint8_t small[SMALL_RECORD_BYTES];
  struct decode_record record;
  *success = false;
  if (place->bytes < sizeof record.head || place->bytes > TSB_MAX_RECORD_BYTES) return -EPROTO;
  const uint8_t* shared = tsb_stub_resolve(source->stub, place);
  if (shared == NULL) return -EPROTO;
  uint8_t* copy = place->bytes <= sizeof small ? small : malloc(place->bytes);
  if (copy == NULL) return -EPROTO;
  tsb_copy_out(copy, shared, place->bytes);
  memcpy(&record.head, copy, sizeof record.head);
  record.bytes = copy;
  bool whole = record.head.record_bytes >= sizeof record.head && record.head.record_bytes <= place->bytes;
  int status = whole ? 0 : -EPROTO;
  if (status == 0) status = decode__send(model, source, request, &record, success);
  if (copy != small) free(copy);
  return status;
}

void tsb_response_send_error(const struct tsb_model* model, TRITONBACKEND_Request* request, TRITONSERVER_Error* error) {
  TRITONBACKEND_Response* response;
  TRITONSERVER_Error* failed = TRITONBACKEND_ResponseNew(&response, request);
  if (failed == NULL) {
    decode__keep_out_of_cache(model, response);
    failed = TRITONBACKEND_ResponseSend(response, TRITONSERVER_RESPONSE_COMPLETE_FINAL, error);
  }
  tsb_error_log(failed, "Sending an error response");
  TRITONSERVER_ErrorDelete(error);
}
