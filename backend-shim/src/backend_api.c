// SPDX-License-Identifier: Apache-2.0
// The functions that Triton calls: unpack, delegate, convert the error.
#include "calls.h"
#include "execute.h"
#include "instance.h"
#include "shim_methods.h"

TRITONSERVER_Error* TRITONBACKEND_Initialize(TRITONBACKEND_Backend* backend) {
  uint32_t major, minor;
  struct tsb_backend* state;
  TSB_RETURN_IF_ERROR(TRITONBACKEND_ApiVersion(&major, &minor));
  // A minor version is no reason to refuse: what a server lacks is known by its functions, one by one.
  if (major != TSB_TRITON_BACKEND_API_MAJOR) {
    return tsb_error_new(TRITONSERVER_ERROR_UNSUPPORTED,
                         "The TypeScript backend needs version %d of Triton's backend API, but this server has %u.%u. "
                         "Use a release of Triton that has version %d, from 23.07 on.",
                         TSB_TRITON_BACKEND_API_MAJOR, major, minor, TSB_TRITON_BACKEND_API_MAJOR);
  }
  TSB_RETURN_IF_ERROR(tsb_backend_new(&state, backend));
  state->serve = tsb_shim_methods_serve;
  TRITONSERVER_Error* error = tsb_calls_prepare(state);
  if (error == NULL) error = TRITONBACKEND_BackendSetState(backend, state);
  if (error == NULL) return NULL;
  tsb_calls_wait(state);
  tsb_backend_delete(state);
  return error;
}

TRITONSERVER_Error* TRITONBACKEND_Finalize(TRITONBACKEND_Backend* backend) {
  void* state;
  TSB_RETURN_IF_ERROR(TRITONBACKEND_BackendState(backend, &state));
  if (state == NULL) return NULL;  // what was not initialized is finalized, too
  tsb_calls_wait(state);
  tsb_backend_delete(state);
  return NULL;
}

TRITONSERVER_Error* TRITONBACKEND_GetBackendAttribute(TRITONBACKEND_Backend* backend,
                                                      TRITONBACKEND_BackendAttribute* attributes) {
  (void)backend;
  TSB_RETURN_IF_ERROR(TRITONBACKEND_BackendAttributeAddPreferredInstanceGroup(
      attributes, TRITONSERVER_INSTANCEGROUPKIND_CPU, 0, NULL, 0));
  if (TRITONBACKEND_BackendAttributeSetParallelModelInstanceLoading == NULL) return NULL;  // one after another then
  return TRITONBACKEND_BackendAttributeSetParallelModelInstanceLoading(attributes, true);
}

TRITONSERVER_Error* TRITONBACKEND_ModelInitialize(TRITONBACKEND_Model* model) {
  struct tsb_model* state;
  TSB_RETURN_IF_ERROR(tsb_model_new(&state, model));
  TRITONSERVER_Error* error = TRITONBACKEND_ModelSetState(model, state);
  if (error != NULL) tsb_model_delete(state);
  return error;
}

TRITONSERVER_Error* TRITONBACKEND_ModelFinalize(TRITONBACKEND_Model* model) {
  void* state;
  TSB_RETURN_IF_ERROR(TRITONBACKEND_ModelState(model, &state));
  tsb_model_delete(state);
  return NULL;
}

TRITONSERVER_Error* TRITONBACKEND_ModelInstanceInitialize(TRITONBACKEND_ModelInstance* instance) {
  struct tsb_instance* state;
  TSB_RETURN_IF_ERROR(tsb_instance_new(&state, instance));
  TRITONSERVER_Error* error = TRITONBACKEND_ModelInstanceSetState(instance, state);
  if (error != NULL) tsb_instance_delete(state);
  return error;
}

TRITONSERVER_Error* TRITONBACKEND_ModelInstanceFinalize(TRITONBACKEND_ModelInstance* instance) {
  void* state;
  TSB_RETURN_IF_ERROR(TRITONBACKEND_ModelInstanceState(instance, &state));
  tsb_instance_delete(state);
  return NULL;
}

TRITONSERVER_Error* TRITONBACKEND_ModelInstanceExecute(TRITONBACKEND_ModelInstance* instance,
                                                       TRITONBACKEND_Request** requests, const uint32_t request_count) {
  void* state;
  TSB_RETURN_IF_ERROR(TRITONBACKEND_ModelInstanceState(instance, &state));
  tsb_execute(state, requests, request_count);
  return NULL;
}

TRITONSERVER_Error* TRITONBACKEND_ModelInstanceReady(TRITONBACKEND_ModelInstance* instance) {
  void* state;
  TSB_RETURN_IF_ERROR(TRITONBACKEND_ModelInstanceState(instance, &state));
  return tsb_instance_ready(state);
}
