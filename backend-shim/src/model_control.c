// SPDX-License-Identifier: Apache-2.0
#include "model_control.h"

static TRITONSERVER_Error* model_control__is_ready(struct tsb_model* model, const char* name, int64_t version,
                                                   bool* ready) {
  TRITONSERVER_Server* server;
  TSB_RETURN_IF_ERROR(TRITONBACKEND_ModelServer(model->triton, &server));
  return TRITONSERVER_ServerModelIsReady(server, name, version, ready);
}

void tsb_shim_on_model_ready(struct tsb_model* model, struct tsb_shim_call* call, const struct tsb_json* payload) {
  struct tsb_text reply = {0};
  bool ready = false;
  const char* name = tsb_json_string(tsb_payload_member(payload, TSB_KEY_MODEL_READY_CALL_name), "");
  int64_t version = tsb_json_int(tsb_payload_member(payload, TSB_KEY_MODEL_READY_CALL_version), -1);
  TRITONSERVER_Error* error = model_control__is_ready(model, name, version, &ready);
  if (error != NULL) {
    tsb_shim_call_fail(call, error);
    return;
  }
  tsb_payload_key(&reply, TSB_KEY_MODEL_READY_REPLY_ready);
  tsb_text_printf(&reply, ready ? "true" : "false");
  tsb_payload_end(&reply);
  tsb_shim_call_reply(call, &reply);
  tsb_text_free(&reply);
}
