// SPDX-License-Identifier: Apache-2.0
#include "instance_stub.h"

#include "reader.h"

enum { EXIT_GRACE_MS = 2000 };

static TRITONSERVER_Error* instance_stub__payload(const struct tsb_instance* instance, struct tsb_text* text) {
  const struct tsb_model* model = instance->model;
  tsb_payload_string(text, TSB_KEY_INITIALIZE_CALL_instanceName, instance->name);
  tsb_payload_string(text, TSB_KEY_INITIALIZE_CALL_instanceKind, instance->kind);
  tsb_payload_string(text, TSB_KEY_INITIALIZE_CALL_deviceId, instance->device_id);
  tsb_payload_key(text, TSB_KEY_INITIALIZE_CALL_concurrency);
  tsb_text_printf(text, "%u", instance->concurrency);
  tsb_payload_key(text, TSB_KEY_INITIALIZE_CALL_exposeErrors);
  tsb_text_printf(text, model->settings.expose_errors ? "true" : "false");
  tsb_payload_key(text, TSB_KEY_INITIALIZE_CALL_checkOutputs);
  tsb_text_printf(text, model->settings.check_outputs ? "true" : "false");
  tsb_payload_key(text, TSB_KEY_INITIALIZE_CALL_inputs);
  tsb_io_table_json_names(&model->inputs, text);
  tsb_payload_key(text, TSB_KEY_INITIALIZE_CALL_outputs);
  tsb_io_table_json_names(&model->outputs, text);
  tsb_payload_key(text, TSB_KEY_INITIALIZE_CALL_modelConfig);
  tsb_text_printf(text, "%s", model->config_json);
  tsb_payload_end(text);
  if (!text->failed) return NULL;
  return tsb_error_new(TRITONSERVER_ERROR_INTERNAL, "Out of memory while initializing a model instance.");
}

// A model may call others from its first step to its last, while no other thread reads what its stub writes.
static void instance_stub__read(void* instance, struct tsb_stub* stub) { tsb_reader_look(instance, stub); }

static bool instance_stub__checks_ready(const struct tsb_message* reply) {
  struct tsb_json_document document;
  if (!tsb_json_parse(&document, reply->payload, reply->frame.payload_bytes)) return false;
  bool checks = tsb_json_bool(tsb_payload_member(document.root, TSB_KEY_INITIALIZE_REPLY_checksReady), false);
  tsb_json_free(&document);
  return checks;
}

TRITONSERVER_Error* tsb_instance_stub_start(struct tsb_instance* instance, struct tsb_stub** result) {
  struct tsb_stub* stub;
  struct tsb_text payload = {0};
  struct tsb_message reply;
  struct tsb_model_stub_plan plan = {
      .name = instance->name, .visible_devices = instance->visible_devices, .stop_fd = instance->stop_fd};
  TSB_RETURN_IF_ERROR(tsb_model_take_stub(instance->model, &plan, &stub));
  tsb_stub_memory_share(&stub->memory, instance->concurrency > 1 || instance->model->is_decoupled);
  TRITONSERVER_Error* error = instance_stub__payload(instance, &payload);
  if (error == NULL) {
    struct tsb_stub_question question = {.method = TSB_METHOD_INITIALIZE,
                                         .payload = &payload,
                                         .timeout_ms = instance->model->settings.initialize_timeout_ms,
                                         .on_entries = instance_stub__read,
                                         .context = instance,
                                         .stop_fd = instance->stop_fd};
    tsb_reader_look(instance, stub);  // from here on an entry wakes the thread that waits for the reply
    error = tsb_stub_ask(stub, &question, &reply);
  }
  tsb_text_free(&payload);
  if (error != NULL) {
    tsb_stub_destroy(stub);
    return error;
  }
  stub->checks_ready = instance_stub__checks_ready(&reply);
  tsb_message_free(&reply);
  *result = stub;
  return NULL;
}

void tsb_instance_stub_finalize(struct tsb_instance* instance, struct tsb_stub* stub) {
  struct tsb_message reply;
  struct tsb_stub_question question = {.method = TSB_METHOD_FINALIZE,
                                       .timeout_ms = instance->model->settings.stub_timeout_ms,
                                       .on_entries = instance_stub__read,
                                       .context = instance,
                                       .stop_fd = -1};
  tsb_reader_look(instance, stub);
  TRITONSERVER_Error* error = tsb_stub_ask(stub, &question, &reply);
  if (error == NULL) {
    tsb_message_free(&reply);
    tsb_stub_process_wait(&stub->process, EXIT_GRACE_MS);
    tsb_reader_look(instance, stub);  // what was done to metrics that others have, too
  }
  tsb_error_log(error, "Finalizing a model instance");
}
