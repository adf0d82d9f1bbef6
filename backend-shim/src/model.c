// SPDX-License-Identifier: Apache-2.0
#include "model.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "path.h"
#include "scheduling.h"

static TRITONSERVER_Error* model__out_of_memory(void) {
  return tsb_error_new(TRITONSERVER_ERROR_INTERNAL, "Out of memory while loading a model.");
}

// What the server would accept and this backend would not do is refused at load, not found out by a client.
static TRITONSERVER_Error* model__refuse_unsupported(const struct tsb_model* model, const struct tsb_json* config) {
  const struct tsb_json* sequences = tsb_json_member(config, "sequence_batching");
  if (tsb_json_length(tsb_json_member(sequences, "state")) > 0) {
    // Who has no code of the model in hand cannot keep anything in it.
    return tsb_error_new(TRITONSERVER_ERROR_UNSUPPORTED,
                         "Model '%s' asks for 'sequence_batching { state }', but the %s backend does not keep state in "
                         "the server. Remove the setting and %s.",
                         model->name, model->backend->is_typescript_based ? model->backend->name : "TypeScript",
                         model->backend->is_typescript_based
                             ? "declare the tensors of the state as inputs and outputs, so that the client sends back "
                               "what it got, or keep the state in a model in front of this one"
                             : "keep the state in the model, by request.correlationId");
  }
  return NULL;
}

static TRITONSERVER_Error* model__read_config(struct tsb_model* model) {
  TRITONSERVER_Message* message;
  const char* text;
  size_t length;
  struct tsb_json_document document;
  TSB_RETURN_IF_ERROR(TRITONBACKEND_ModelConfig(model->triton, 1, &message));
  TRITONSERVER_Error* error = TRITONSERVER_MessageSerializeToJson(message, &text, &length);
  free(model->config_json);
  model->config_json = error == NULL ? strndup(text, length) : NULL;
  TRITONSERVER_MessageDelete(message);
  if (error != NULL) return error;
  if (model->config_json == NULL) return model__out_of_memory();
  if (!tsb_json_parse(&document, model->config_json, length)) {
    return tsb_error_new(TRITONSERVER_ERROR_INTERNAL, "The server's configuration of model '%s' is not JSON.",
                         model->name);
  }
  const struct tsb_json* config = document.root;
  tsb_settings_free(&model->settings);
  error = tsb_settings_read_model(&model->settings, &model->backend->settings, config);
  model->max_batch_size = tsb_json_int(tsb_json_member(config, "max_batch_size"), 0);
  model->one_instance = tsb_scheduling_has_one_instance(config);
  model->caches = tsb_json_bool(tsb_json_member(tsb_json_member(config, "response_cache"), "enable"), false);
  model->may_prefetch = tsb_scheduling_may_prefetch(config);
  const char* correlation_input = tsb_scheduling_correlation_input(config);
  free(model->correlation_input);
  model->correlation_input = correlation_input != NULL ? strdup(correlation_input) : NULL;
  if (error == NULL && correlation_input != NULL && model->correlation_input == NULL) error = model__out_of_memory();
  model->is_decoupled =
      tsb_json_bool(tsb_json_member(tsb_json_member(config, "model_transaction_policy"), "decoupled"), false);
  model->is_iterative =
      tsb_json_bool(tsb_json_member(tsb_json_member(config, "sequence_batching"), "iterative_sequence"), false);
  tsb_io_table_free(&model->inputs);
  tsb_io_table_free(&model->outputs);
  int status = tsb_io_table_read(&model->inputs, config, "input");
  if (status == 0) status = tsb_io_table_read(&model->outputs, config, "output");
  if (error == NULL && status < 0) {
    error = status == -ENOMEM ? model__out_of_memory()
                              : tsb_error_new(TRITONSERVER_ERROR_INVALID_ARG,
                                              "An input or output of model '%s' has more than %u dimensions.",
                                              model->name, TSB_MAX_DIMS - 1);
  }
  if (error == NULL) error = model__refuse_unsupported(model, config);
  tsb_json_free(&document);
  return error;
}

static TRITONSERVER_Error* model__load_payload(const struct tsb_model* model, bool auto_complete,
                                               struct tsb_text* text) {
  tsb_payload_key(text, TSB_KEY_LOAD_CALL_autoComplete);
  tsb_text_printf(text, auto_complete ? "true" : "false");
  tsb_payload_key(text, TSB_KEY_LOAD_CALL_typescriptBased);
  tsb_text_printf(text, model->backend->is_typescript_based ? "true" : "false");
  tsb_payload_key(text, TSB_KEY_LOAD_CALL_modelVersion);
  tsb_text_printf(text, "\"%llu\"", (unsigned long long)model->version);
  tsb_payload_string(text, TSB_KEY_LOAD_CALL_modelName, model->name);
  tsb_payload_string(text, TSB_KEY_LOAD_CALL_modelRepository, model->directory);
  tsb_payload_string(text, TSB_KEY_LOAD_CALL_backendDirectory, model->backend->directory);
  tsb_payload_key(text, TSB_KEY_LOAD_CALL_backendConfig);
  tsb_text_printf(text, "%s", model->backend->options_json);
  tsb_payload_key(text, TSB_KEY_LOAD_CALL_modelConfig);
  tsb_text_printf(text, "%s", model->config_json);
  tsb_payload_end(text);
  return text->failed ? model__out_of_memory() : NULL;
}

// Whether the files of this version have resolved names, see path.h.
static bool model__is_resolvable(const struct tsb_model* model) {
  struct tsb_text folder = {0};
  tsb_text_printf(&folder, "%s/%llu", model->directory, (unsigned long long)model->version);
  bool resolvable = tsb_path_is_resolvable(tsb_text_get(&folder));
  tsb_text_free(&folder);
  return resolvable;
}

// Starts a stub and has it load the model's file. *reply must be freed on success.
static TRITONSERVER_Error* model__start_stub(struct tsb_model* model, const struct tsb_model_stub_plan* wanted,
                                             bool auto_complete, struct tsb_stub** stub, struct tsb_message* reply) {
  struct tsb_stub_plan plan = {
      .name = wanted->name,
      .node = model->settings.node_path != NULL ? model->settings.node_path : model->backend->node,
      .entry = model->backend->entry,
      .settings = &model->settings,
      .keeps_links = !model__is_resolvable(model),
      .maps_fd = model->settings.map_client_memory ? model->backend->maps_fd : -1,
      .visible_devices = wanted->visible_devices,
      .service = &model->service};
  struct tsb_text payload = {0};
  TSB_RETURN_IF_ERROR(tsb_stub_start(stub, &plan));
  TRITONSERVER_Error* error = model__load_payload(model, auto_complete, &payload);
  if (error == NULL) {
    struct tsb_stub_question question = {.method = TSB_METHOD_LOAD,
                                         .payload = &payload,
                                         .timeout_ms = model->settings.initialize_timeout_ms,
                                         .stop_fd = wanted->stop_fd};
    error = tsb_stub_ask(*stub, &question, reply);
  }
  tsb_text_free(&payload);
  if (error != NULL) {
    tsb_stub_destroy(*stub);
    *stub = NULL;
  }
  return error;
}

// What the model's class says. Gives the configuration that autoCompleteConfig made to the server, if it made one.
static TRITONSERVER_Error* model__apply_reply(struct tsb_model* model, const struct tsb_message* reply) {
  struct tsb_json_document document;
  if (!tsb_json_parse(&document, reply->payload, reply->frame.payload_bytes)) return NULL;
  const struct tsb_json* config = tsb_payload_member(document.root, TSB_KEY_LOAD_REPLY_config);
  TRITONSERVER_Error* error = NULL;
  model->has_open_shapes = tsb_json_bool(tsb_payload_member(document.root, TSB_KEY_LOAD_REPLY_openShapes), false);
  if (config != NULL && config->type == TSB_JSON_OBJECT) {
    TRITONSERVER_Message* message;
    error = TRITONSERVER_MessageNewFromSerializedJson(&message, config->raw, config->raw_length);
    if (error == NULL) {
      error = TRITONBACKEND_ModelSetConfig(model->triton, 1, message);
      TRITONSERVER_MessageDelete(message);
    }
    if (error == NULL) error = model__read_config(model);
  }
  tsb_json_free(&document);
  return error;
}

static void model__warn_of_parameters(const struct tsb_model* model) {
  struct tsb_json_document document;
  if (!tsb_json_parse(&document, model->config_json, strlen(model->config_json))) return;
  tsb_settings_warn_model(model->name, document.root);
  tsb_json_free(&document);
}

static TRITONSERVER_Error* model__fill(struct tsb_model* model) {
  const char* text;
  TRITONBACKEND_ArtifactType type;
  TRITONBACKEND_Backend* backend;
  bool auto_complete = false;
  struct tsb_message reply;
  TSB_RETURN_IF_ERROR(TRITONBACKEND_ModelBackend(model->triton, &backend));
  TSB_RETURN_IF_ERROR(TRITONBACKEND_BackendState(backend, (void**)&model->backend));
  model->service = (struct tsb_shim_service){.serve = model->backend->serve, .context = model};
  TSB_RETURN_IF_ERROR(TRITONBACKEND_ModelName(model->triton, &text));
  model->name = strdup(text);
  TSB_RETURN_IF_ERROR(TRITONBACKEND_ModelVersion(model->triton, &model->version));
  TSB_RETURN_IF_ERROR(TRITONBACKEND_ModelRepository(model->triton, &type, &text));
  model->directory = tsb_path_absolute(text);
  if (model->name == NULL || model->directory == NULL) return model__out_of_memory();
  TSB_RETURN_IF_ERROR(model__read_config(model));
  model__warn_of_parameters(model);
  TSB_RETURN_IF_ERROR(TRITONBACKEND_ModelAutoCompleteConfig(model->triton, &auto_complete));
  struct tsb_model_stub_plan plan = {.name = model->name, .stop_fd = -1};
  model->first_stub_placement = tsb_placement_of_this_thread();
  TSB_RETURN_IF_ERROR(model__start_stub(model, &plan, auto_complete, &model->first_stub, &reply));
  TRITONSERVER_Error* error = model__apply_reply(model, &reply);
  tsb_message_free(&reply);
  return error;
}

TRITONSERVER_Error* tsb_model_new(struct tsb_model** result, TRITONBACKEND_Model* triton) {
  struct tsb_model* model = calloc(1, sizeof *model);
  if (model == NULL) return model__out_of_memory();
  model->triton = triton;
  pthread_mutex_init(&model->first_stub_lock, NULL);
  TRITONSERVER_Error* error = model__fill(model);
  if (error != NULL) {
    tsb_model_delete(model);
    return error;
  }
  *result = model;
  return NULL;
}

void tsb_model_delete(struct tsb_model* model) {
  if (model == NULL) return;
  tsb_stub_destroy(model->first_stub);
  pthread_mutex_destroy(&model->first_stub_lock);
  tsb_settings_free(&model->settings);
  tsb_io_table_free(&model->inputs);
  tsb_io_table_free(&model->outputs);
  free(model->name);
  free(model->directory);
  free(model->config_json);
  free(model->correlation_input);
  free(model);
}

TRITONSERVER_Error* tsb_model_take_stub(struct tsb_model* model, const struct tsb_model_stub_plan* plan,
                                        struct tsb_stub** stub) {
  struct tsb_message reply;
  pthread_mutex_lock(&model->first_stub_lock);
  *stub = model->first_stub;
  model->first_stub = NULL;
  pthread_mutex_unlock(&model->first_stub_lock);
  if (*stub != NULL) {
    // The environment of a running process cannot be changed from here, nor the processors and the memory of all its
    // threads, so a GPU instance and one that a host policy pins need their own. The first stub ends then, since no
    // other instance may come that would take it.
    struct tsb_stub_process* process = &(*stub)->process;
    struct tsb_placement placement = tsb_placement_of_this_thread();
    if (plan->visible_devices == NULL && tsb_placement_same(&placement, &model->first_stub_placement) &&
        !tsb_stub_process_is_dead(process) && tsb_stub_process_rename(process, plan->name)) {
      return NULL;
    }
    tsb_stub_destroy(*stub);
  }
  TSB_RETURN_IF_ERROR(model__start_stub(model, plan, false, stub, &reply));
  tsb_message_free(&reply);
  return NULL;
}
