// SPDX-License-Identifier: Apache-2.0
#include "response_record.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "barrier.h"
#include "bytes_walk.h"
#include "dtype.h"
#include "log.h"
#include "parameter_record.h"
#include "response_wish.h"
#include "tensor_record.h"

enum { SMALL_RECORD_BYTES = 2048, WARN_EVERY_MS = 60000 };

// A record copied out of shared memory; the stub cannot change it any more.
struct response_record {
  struct tsb_record record;
  struct tsb_response head;
};

// With a `reshape`, the server takes the rank for granted, so it must be right whatever the model says of its shapes.
static bool response_record__shape_fits(const struct tsb_model* model, const struct tsb_io* io, const int64_t* dims,
                                        uint32_t count) {
  uint32_t batch = model->max_batch_size > 0 ? 1 : 0;
  bool is_open = model->has_open_shapes || !model->settings.check_outputs;
  if (is_open && !io->has_reshape) return count >= batch;
  if (count != io->dims_count + batch) return false;
  for (uint32_t i = 0; i < io->dims_count; i++) {
    if (io->dims[i] >= 0 && dims[i + batch] != io->dims[i]) return false;
  }
  return true;
}

// BYTES must be elements of a length and that many bytes, and nothing else; clients and the server's own parsers rely
// on it.
static bool response_record__bytes_fit(const uint8_t* data, uint64_t bytes, const int64_t* dims, uint32_t dims_count) {
  struct tsb_bytes_walk walk;
  tsb_bytes_walk_begin(&walk, dims, dims_count);
  tsb_bytes_walk_buffer(&walk, data, bytes);
  return tsb_bytes_walk_complete(&walk) && walk.used_bytes == bytes;
}

static TRITONSERVER_Error* response_record__mismatch(const struct tsb_io* io, const struct tsb_tensor* tensor) {
  return tsb_error_new(
      TRITONSERVER_ERROR_INTERNAL,
      "The model answered output '%s' (%s in its configuration) with %s, a shape of %u dimensions and %llu "
      "bytes, which do not fit together.",
      io->name, tsb_dtype_name(io->datatype), tsb_dtype_name(tensor->datatype), tensor->dims_count,
      (unsigned long long)tensor->place.bytes);
}

// Where the bytes are that an answer names: in a loan of the request, or at an address.
struct response_data {
  const struct tsb_loan* loan;
  const uint8_t* address;
};

static bool response_record__find(const struct tsb_response_source* source, const struct tsb_place* place,
                                  struct response_data* data) {
  if (tsb_client_memory_has(place)) {
    data->loan = tsb_client_memory_find(source->loans, source->request, place);
    return data->loan != NULL;
  }
  data->address = tsb_stub_resolve(source->stub, place);
  return data->address != NULL;
}

static int response_record__copy(const struct tsb_response_source* source, const struct tsb_place* place,
                                 const struct response_data* data, void* buffer) {
  int status =
      tsb_client_memory_save(&source->stub->memory.clients, source->loans, source->request, buffer, place->bytes);
  if (status < 0) return status;
  if (data->loan != NULL) return tsb_client_memory_copy(data->loan, place, buffer);
  memcpy(buffer, data->address, place->bytes);
  return 0;
}

static TRITONSERVER_Error* response_record__copy_error(const struct tsb_io* io, int status) {
  if (status == -ENOMEM) {
    return tsb_error_new(TRITONSERVER_ERROR_INTERNAL, "Out of memory while sending output '%s'.", io->name);
  }
  return tsb_error_new(
      TRITONSERVER_ERROR_INVALID_ARG,
      "The input that the model answers with in output '%s' lies in a shared memory region that was cut short "
      "while the request was served. Keep the region at its size until it is unregistered.",
      io->name);
}

// The stub refuses such answers itself, so whoever looks for the reason must hear of what got past it: one line now
// and then, as a client may ask again and again.
static void response_record__warn(struct tsb_stub* stub, TRITONSERVER_Error* refusal) {
  uint64_t now = tsb_now_ns();
  stub->refused_count++;
  if (stub->refused_ns != 0 && now - stub->refused_ns < WARN_EVERY_MS * UINT64_C(1000000)) return;
  TSB_LOG(WARN, "An answer of stub process '%s' was refused (%u since the last such line). %s", stub->process.name,
          stub->refused_count, TRITONSERVER_ErrorMessage(refusal));
  stub->refused_ns = now;
  stub->refused_count = 0;
}

static TRITONSERVER_Error* response_record__output(const struct tsb_model* model,
                                                   const struct tsb_response_source* source,
                                                   struct tsb_response_wish* wish, TRITONBACKEND_Response* response,
                                                   const struct tsb_tensor* tensor, const int64_t* dims) {
  const struct tsb_io* io = &model->outputs.items[tensor->name];
  int64_t elements = tsb_tensor_record_elements(dims, tensor->dims_count);
  int64_t element_bytes = tsb_dtype_bytes(tensor->datatype);
  uint64_t bytes = tensor->place.bytes;
  if (tensor->datatype != io->datatype || element_bytes < 0 || elements < 0 ||
      !response_record__shape_fits(model, io, dims, tensor->dims_count)) {
    return response_record__mismatch(io, tensor);
  }
  TRITONSERVER_Error* refusal = tsb_response_wish_check(wish, io, tensor, dims);
  if (refusal != NULL) {
    response_record__warn(source->stub, refusal);
    return refusal;
  }
  int64_t expected;
  if (__builtin_mul_overflow(elements, element_bytes, &expected)) return response_record__mismatch(io, tensor);
  if (element_bytes > 0 && bytes != (uint64_t)expected) return response_record__mismatch(io, tensor);
  struct response_data data = {0};
  if (bytes > 0 && !response_record__find(source, &tensor->place, &data)) return response_record__mismatch(io, tensor);
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
  int status = bytes > 0 ? response_record__copy(source, &tensor->place, &data, buffer) : 0;
  if (status < 0) return response_record__copy_error(io, status);
  // Checked in Triton's buffer: the stub could change its own after a check.
  if (element_bytes == 0 && !response_record__bytes_fit(buffer, bytes, dims, tensor->dims_count))
    return response_record__mismatch(io, tensor);
  return NULL;
}

static int response_record__outputs(const struct tsb_model* model, const struct tsb_response_source* source,
                                    struct tsb_response_wish* wish, TRITONBACKEND_Response* response,
                                    const struct response_record* given, TRITONSERVER_Error** error) {
  uint64_t at = sizeof given->head;
  if (given->head.output_count > model->outputs.count) return -EPROTO;
  for (uint32_t i = 0; i < given->head.output_count; i++) {
    struct tsb_tensor tensor;
    int64_t dims[TSB_MAX_DIMS];
    if (tsb_tensor_record_read(&given->record, &at, &tensor, dims) < 0) return -EPROTO;
    if (tensor.name >= model->outputs.count) return -EPROTO;
    if (*error == NULL) *error = response_record__output(model, source, wish, response, &tensor, dims);
  }
  return 0;
}

static TRITONSERVER_Error* response_record__parameter(TRITONBACKEND_Response* response,
                                                      const struct tsb_parameter_value* parameter) {
  TRITONSERVER_Error* error;
  char* key = strndup(parameter->key, parameter->key_bytes);
  char* text = strndup(parameter->text, parameter->text_bytes);
  if (key == NULL || text == NULL) {
    error = tsb_error_new(TRITONSERVER_ERROR_INTERNAL, "Out of memory while sending response parameters.");
  } else if (parameter->type == TSB_PARAMETER_STRING) {
    error = TRITONBACKEND_ResponseSetStringParameter(response, key, text);
  } else if (parameter->type == TSB_PARAMETER_INT) {
    error = TRITONBACKEND_ResponseSetIntParameter(response, key, parameter->integer);
  } else if (parameter->type == TSB_PARAMETER_BOOL) {
    error = TRITONBACKEND_ResponseSetBoolParameter(response, key, parameter->bits != 0);
  } else if (TRITONBACKEND_ResponseSetDoubleParameter != NULL) {
    error = TRITONBACKEND_ResponseSetDoubleParameter(response, key, parameter->number);
  } else {
    error = tsb_error_new(TRITONSERVER_ERROR_UNSUPPORTED,
                          "Response parameter '%s' is a number that is no integer, which this server cannot send: that "
                          "takes Triton 24.02 or newer. Give it as text, or in an output.",
                          key);
  }
  free(key);
  free(text);
  return error;
}

static int response_record__parameters(TRITONBACKEND_Response* response, const struct response_record* given,
                                       TRITONSERVER_Error** error) {
  uint64_t at = given->head.parameters_offset;
  for (uint32_t i = 0; i < given->head.parameter_count && *error == NULL; i++) {
    struct tsb_parameter_value parameter;
    if (tsb_parameter_record_read(&given->record, &at, &parameter) < 0) return -EPROTO;
    *error = response_record__parameter(response, &parameter);
  }
  return 0;
}

static TRITONSERVER_Error* response_record__error(const struct response_record* given) {
  uint64_t bytes = given->head.message_bytes;
  if (bytes > TSB_MAX_MESSAGE_BYTES || !tsb_record_holds(&given->record, given->head.message_offset, bytes)) {
    return tsb_error_new(TRITONSERVER_ERROR_INTERNAL, "The model failed, and its error message is out of range.");
  }
  char* message = strndup((const char*)given->record.bytes + given->head.message_offset, bytes);
  TRITONSERVER_Error* error =
      TRITONSERVER_ErrorNew(tsb_error_code(given->head.status), message == NULL ? "The model failed." : message);
  free(message);
  return error;
}

// The response cache keeps what it can of a response and forgets its error: the same request would then succeed, with
// the outputs that were made before the error or with none. It refuses a response with an output that has no memory.
static void response_record__keep_out_of_cache(const struct tsb_model* model, TRITONBACKEND_Response* response) {
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

static int response_record__send(struct tsb_model* model, const struct tsb_response_source* source,
                                 TRITONBACKEND_Request* request, const struct response_record* given, bool* success) {
  TRITONBACKEND_Response* response = NULL;
  TRITONSERVER_Error* error = TRITONBACKEND_ResponseNew(&response, request);
  if (error != NULL) {
    tsb_error_log(error, "TRITONBACKEND_ResponseNew");
    *success = false;
    return 0;
  }
  int status = 0;
  if (given->head.status != 0) {
    error = response_record__error(given);
  } else {
    struct tsb_response_wish wish;
    error = tsb_response_wish_read(model, request, &wish);
    status = response_record__outputs(model, source, &wish, response, given, &error);
    tsb_response_wish_free(&wish);
    if (status == 0) status = response_record__parameters(response, given, &error);
  }
  if (status < 0) {
    if (error != NULL) TRITONSERVER_ErrorDelete(error);
    tsb_error_log(TRITONBACKEND_ResponseDelete(response), "TRITONBACKEND_ResponseDelete");
    return status;
  }
  *success = error == NULL;
  if (error != NULL) response_record__keep_out_of_cache(model, response);
  tsb_error_log(TRITONBACKEND_ResponseSend(response, source->send_flags, error), "TRITONBACKEND_ResponseSend");
  if (error != NULL) TRITONSERVER_ErrorDelete(error);
  return 0;
}

int tsb_response_send(struct tsb_model* model, const struct tsb_response_source* source, TRITONBACKEND_Request* request,
                      const struct tsb_place* place, bool* success) {
  uint8_t small[SMALL_RECORD_BYTES];
  struct response_record given;
  *success = false;
  if (place->bytes < sizeof given.head || place->bytes > TSB_MAX_RECORD_BYTES) return -EPROTO;
  const uint8_t* shared = tsb_stub_resolve(source->stub, place);
  if (shared == NULL) return -EPROTO;
  uint8_t* copy = place->bytes <= sizeof small ? small : malloc(place->bytes);
  if (copy == NULL) return -EPROTO;
  tsb_copy_out(copy, shared, place->bytes);
  memcpy(&given.head, copy, sizeof given.head);
  given.record = (struct tsb_record){.bytes = copy, .length = given.head.record_bytes};
  bool whole = given.head.record_bytes >= sizeof given.head && given.head.record_bytes <= place->bytes;
  int status = whole ? response_record__send(model, source, request, &given, success) : -EPROTO;
  if (copy != small) free(copy);
  return status;
}

void tsb_response_send_error(const struct tsb_model* model, TRITONBACKEND_Request* request, TRITONSERVER_Error* error) {
  TRITONBACKEND_Response* response;
  TRITONSERVER_Error* failed = TRITONBACKEND_ResponseNew(&response, request);
  if (failed == NULL) {
    response_record__keep_out_of_cache(model, response);
    failed = TRITONBACKEND_ResponseSend(response, TRITONSERVER_RESPONSE_COMPLETE_FINAL, error);
  }
  tsb_error_log(failed, "Sending an error response");
  TRITONSERVER_ErrorDelete(error);
}
