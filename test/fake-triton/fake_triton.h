// SPDX-License-Identifier: Apache-2.0
// A fake Triton for tests: the TRITONBACKEND_ and TRITONSERVER_ functions that the library calls, over plain structs in
// memory. It is no server; it can do what a server cannot: fail any of its calls on demand, and count what it handed
// out, so that a test sees an answer that is missing, doubled or leaked.
#ifndef FAKE_TRITON_H
#define FAKE_TRITON_H

#include <pthread.h>

#include "triton_api.h"

enum { FAKE_MAX_BUFFERS = 4, FAKE_MAX_TENSORS = 40, FAKE_MAX_PARAMETERS = 16, FAKE_MAX_DIMS = 40 };

struct TRITONBACKEND_Input {
  const char* name;
  TRITONSERVER_DataType datatype;
  int64_t shape[FAKE_MAX_DIMS];
  uint32_t dims_count;
  uint64_t bytes;  // what the properties say
  uint32_t buffer_count;
  const void* buffers[FAKE_MAX_BUFFERS];
  uint64_t buffer_bytes[FAKE_MAX_BUFFERS];
  TRITONSERVER_MemoryType memory_type;
};

struct TRITONBACKEND_Output {
  TRITONBACKEND_Request* request;
  char* name;
  TRITONSERVER_DataType datatype;
  int64_t shape[FAKE_MAX_DIMS];
  uint32_t dims_count;
  uint8_t* data;
  uint64_t bytes;
  bool is_test_memory;  // `data` is the test's, see output_memory
};

// A label of a metric, or what a model is loaded with.
struct TRITONSERVER_Parameter {
  char* name;
  TRITONSERVER_ParameterType type;
  const void* value;
  uint64_t bytes;
};

struct fake_parameter {
  char* name;
  TRITONSERVER_ParameterType type;
  union {
    char* text;  // STRING
    int64_t integer;
    bool boolean;
    double number;
  } value;
};

struct TRITONBACKEND_Response {
  TRITONBACKEND_Request* request;
  TRITONBACKEND_Output outputs[FAKE_MAX_TENSORS];
  uint32_t output_count;
  struct fake_parameter parameters[FAKE_MAX_PARAMETERS];
  uint32_t parameter_count;
  TRITONSERVER_Error* error;  // NULL: it succeeded
};

// The fields above the line are the test's, the others the fake's.
struct TRITONBACKEND_Request {
  const char* id;
  uint64_t correlation_id;
  const char* correlation_text;  // NULL: the correlation id is a number
  uint32_t flags;
  uint64_t timeout_us;
  const char* trace;  // its context; NULL: it is not traced
  TRITONBACKEND_Input inputs[FAKE_MAX_TENSORS];
  uint32_t input_count;
  const char* outputs[FAKE_MAX_TENSORS];
  uint8_t* output_memory[FAKE_MAX_TENSORS];  // where output i goes; NULL: into memory of the fake's own
  uint32_t output_count;
  struct fake_parameter parameters[FAKE_MAX_PARAMETERS];
  uint32_t parameter_count;
  // ---
  TRITONBACKEND_Response* response;  // the first one that was sent
  int response_count;
  int error_count;        // of these, with an error
  int final_count;        // final flags, with a response or alone
  int after_final_count;  // what was sent afterwards: a real server dies of it
  int reschedule_count;
  bool cancelled;  // nobody waits for it; set by fake_request_cancel
  int release_count;
  int success_count;  // statistics reported with success
  int failure_count;  // and without
};

struct TRITONBACKEND_Backend {
  const char* name;
  const char* directory;
  char* config;  // JSON
  void* state;
};

struct TRITONBACKEND_Model {
  TRITONBACKEND_Backend* backend;
  const char* name;
  uint64_t version;
  const char* repository;
  char* config;  // JSON
  bool auto_complete;
  void* state;
};

struct TRITONBACKEND_ModelInstance {
  TRITONBACKEND_Model* model;
  const char* name;
  TRITONSERVER_InstanceGroupKind kind;
  int32_t device_id;
  void* state;
  uint64_t batch_reports;
  uint64_t batch_sizes;  // their sum
};

struct TRITONBACKEND_BackendAttribute {
  bool parallel_loading;
  int preferred_groups;
};

// Each counts the calls that are still to fail; -1: all of them.
struct fake_faults {
  int response_new;
  int response_output;
  int output_buffer;
  int output_buffer_gpu;  // hands out memory of the GPU type
  int response_send;
  int response_parameter;
  int input_buffer;
  int request_id;
  int request_trace;
  int request_reschedule;
};
extern struct fake_faults fake_faults;

// Asks the only instance whether it is ready when somebody asks the server for its model; NULL: the server does not.
extern TRITONSERVER_Error* (*fake_ask_instance)(void);

// What was made and not deleted yet. Sent responses belong to their requests until fake_request_clear.
long fake_live_errors(void);
long fake_live_messages(void);
long fake_live_responses(void);

// The log, one line each: a letter of I W E V, a space, the text. Also written to stderr, unless it is silent.
extern bool fake_log_is_silent;
void fake_log_clear(void);
// A user changes what the server logs. All levels are on at first.
void fake_log_switch(TRITONSERVER_LogLevel level, bool on);
bool fake_log_has(const char* part);
int fake_log_lines(void);

// Waits until a request is released (and so answered). False: not within the time.
bool fake_request_wait(const TRITONBACKEND_Request* request, int timeout_ms);
// The client of a request goes away.
void fake_request_cancel(TRITONBACKEND_Request* request);
// Waits until a request has had so many responses, or was handed back so often. False: not within the time.
bool fake_request_wait_responses(const TRITONBACKEND_Request* request, int count, int timeout_ms);
bool fake_request_wait_rescheduled(const TRITONBACKEND_Request* request, int count, int timeout_ms);
int fake_request_releases(const TRITONBACKEND_Request* request);
// Frees what the fake attached to a request; the test's own fields stay.
void fake_request_clear(TRITONBACKEND_Request* request);
void fake_response_delete(TRITONBACKEND_Response* response);
const TRITONBACKEND_Output* fake_output(const TRITONBACKEND_Request* request, const char* name);

#endif
