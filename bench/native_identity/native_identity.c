// SPDX-License-Identifier: Apache-2.0
/*
 * A backend that copies every input INPUT<x> into the output OUTPUT<x>, and nothing else: what any
 * backend has to spend on a request. The benchmark subtracts it from the others.
 */
#define _POSIX_C_SOURCE 200809L

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "triton_api.h"

#define NAME_MAX_BYTES 256

typedef TRITONSERVER_Error Error;

/* What one request came to; the requests of a batch are reported only when all are answered. */
struct outcome {
  bool success;
  uint64_t start_ns;
  uint64_t end_ns;
};

static uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static Error* invalid(const char* message) { return TRITONSERVER_ErrorNew(TRITONSERVER_ERROR_INVALID_ARG, message); }

/* A failure to report or to release has no one to tell: it goes to the log. */
static void log_error(Error* error, int line) {
  if (!error) return;
  TRITONSERVER_LogMessage(TRITONSERVER_LOG_ERROR, __FILE__, line, TRITONSERVER_ErrorMessage(error));
  TRITONSERVER_ErrorDelete(error);
}

static Error* output_name(const char* input_name, char name[NAME_MAX_BYTES]) {
  static const char prefix[] = "INPUT";
  const size_t prefix_bytes = sizeof(prefix) - 1;
  int length;

  if (strncmp(input_name, prefix, prefix_bytes) != 0)
    return invalid("native_identity expects inputs whose names begin with INPUT");
  length = snprintf(name, NAME_MAX_BYTES, "OUTPUT%s", input_name + prefix_bytes);
  if (length >= NAME_MAX_BYTES) return invalid("native_identity expects input names shorter than 255 bytes");
  return NULL;
}

/* Copies the pieces of an input, in order, into the one buffer of its output. */
static Error* copy_pieces(TRITONBACKEND_Input* input, uint32_t count, char* to, uint64_t room) {
  for (uint32_t i = 0; i < count; i++) {
    const void* piece = NULL;
    uint64_t bytes = 0;
    TRITONSERVER_MemoryType type = TRITONSERVER_MEMORY_CPU;
    int64_t type_id = 0;
    Error* error = TRITONBACKEND_InputBuffer(input, i, &piece, &bytes, &type, &type_id);
    if (error) return error;
    if (type == TRITONSERVER_MEMORY_GPU) return invalid("native_identity expects inputs in CPU memory");
    if (bytes > room) return invalid("native_identity got more input bytes than the input announced");
    memcpy(to, piece, bytes);
    to += bytes;
    room -= bytes;
  }
  return NULL;
}

static Error* copy_tensor(TRITONBACKEND_Input* input, TRITONBACKEND_Response* response) {
  const char* name = NULL;
  TRITONSERVER_DataType datatype = TRITONSERVER_TYPE_INVALID;
  const int64_t* shape = NULL;
  uint32_t rank = 0, pieces = 0;
  uint64_t bytes = 0;
  char out_name[NAME_MAX_BYTES];
  TRITONBACKEND_Output* output = NULL;
  void* buffer = NULL;
  TRITONSERVER_MemoryType type = TRITONSERVER_MEMORY_CPU;
  int64_t type_id = 0;
  Error* error;

  error = TRITONBACKEND_InputProperties(input, &name, &datatype, &shape, &rank, &bytes, &pieces);
  if (!error) error = output_name(name, out_name);
  if (!error) error = TRITONBACKEND_ResponseOutput(response, &output, out_name, datatype, shape, rank);
  if (!error) error = TRITONBACKEND_OutputBuffer(output, &buffer, bytes, &type, &type_id);
  if (!error && type == TRITONSERVER_MEMORY_GPU) error = invalid("native_identity expects outputs in CPU memory");
  if (!error) error = copy_pieces(input, pieces, buffer, bytes);
  return error;
}

static Error* copy_all(TRITONBACKEND_Request* request, TRITONBACKEND_Response* response) {
  uint32_t count = 0;
  Error* error = TRITONBACKEND_RequestInputCount(request, &count);

  for (uint32_t i = 0; !error && i < count; i++) {
    TRITONBACKEND_Input* input = NULL;
    error = TRITONBACKEND_RequestInputByIndex(request, i, &input);
    if (!error) error = copy_tensor(input, response);
  }
  return error;
}

static struct outcome answer(TRITONBACKEND_Request* request) {
  struct outcome outcome = {.success = false, .start_ns = now_ns()};
  TRITONBACKEND_Response* response = NULL;
  Error* error = TRITONBACKEND_ResponseNew(&response, request);

  if (error) {
    log_error(error, __LINE__);
  } else {
    error = copy_all(request, response);
    outcome.success = !error;
    log_error(TRITONBACKEND_ResponseSend(response, TRITONSERVER_RESPONSE_COMPLETE_FINAL, error), __LINE__);
    if (error) TRITONSERVER_ErrorDelete(error);
  }
  outcome.end_ns = now_ns();
  return outcome;
}

/* How many rows of a batch a request fills: tensors of the benchmark have one dimension, or that and the batch's. */
static uint64_t rows(TRITONBACKEND_Request* request) {
  TRITONBACKEND_Input* input = NULL;
  const int64_t* shape = NULL;
  uint32_t rank = 0;
  Error* error = TRITONBACKEND_RequestInputByIndex(request, 0, &input);

  if (!error) error = TRITONBACKEND_InputProperties(input, NULL, NULL, &shape, &rank, NULL, NULL);
  log_error(error, __LINE__);
  return rank > 1 && shape[0] > 0 ? (uint64_t)shape[0] : 1;
}

Error* TRITONBACKEND_ModelInstanceExecute(TRITONBACKEND_ModelInstance* instance, TRITONBACKEND_Request** requests,
                                          uint32_t count) {
  uint64_t batch_rows = 0;
  const uint64_t start_ns = now_ns();
  struct outcome* outcomes = calloc(count, sizeof(*outcomes));

  if (!outcomes) return TRITONSERVER_ErrorNew(TRITONSERVER_ERROR_INTERNAL, "native_identity is out of memory");
  for (uint32_t i = 0; i < count; i++) {
    batch_rows += rows(requests[i]);
    outcomes[i] = answer(requests[i]);
  }
  const uint64_t end_ns = now_ns();
  for (uint32_t i = 0; i < count; i++) {
    log_error(TRITONBACKEND_ModelInstanceReportStatistics(instance, requests[i], outcomes[i].success, start_ns,
                                                          outcomes[i].start_ns, outcomes[i].end_ns, end_ns),
              __LINE__);
    log_error(TRITONBACKEND_RequestRelease(requests[i], TRITONSERVER_REQUEST_RELEASE_ALL), __LINE__);
  }
  log_error(TRITONBACKEND_ModelInstanceReportBatchStatistics(instance, batch_rows, start_ns, outcomes[0].start_ns,
                                                             outcomes[count - 1].end_ns, end_ns),
            __LINE__);
  free(outcomes);
  return NULL;
}
