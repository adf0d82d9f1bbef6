// SPDX-License-Identifier: Apache-2.0
#include "model_control.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "load_files.h"

// The server may crash when a model that it has just loaded is unloaded: a load is answered before all of its threads
// have come to rest.
enum { REST_AFTER_LOAD_US = 5000 };

// What the server is asked on a thread of its own. Nothing of the model is used there, which may be unloaded meanwhile.
struct model_control {
  struct tsb_job job;
  struct tsb_backend* backend;
  TRITONSERVER_Server* server;
  struct tsb_shim_call* call;
  // NULL is no error: `reply` has the rest of the payload then.
  TRITONSERVER_Error* (*act)(struct model_control* control, struct tsb_text* reply);
  char *from, *name;
  bool waits;  // `wait` is noted
  struct tsb_model_wait wait;
  char* config;  // of a load; NULL: that of the repository
  struct tsb_load_files files;
  bool with_dependents;  // of an unload
};

static void model_control__free(struct model_control* control) {
  if (control->waits) tsb_model_waits_remove(&control->backend->waits, &control->wait);
  tsb_load_files_free(&control->files);
  free(control->job.key);
  free(control->from);
  free(control->name);
  free(control->config);
  free(control);
}

static void model_control__end(struct tsb_shim_call* call, TRITONSERVER_Error* error, struct tsb_text* reply) {
  tsb_payload_end(reply);
  if (error != NULL) {
    tsb_shim_call_fail(call, error);
  } else {
    tsb_shim_call_reply(call, reply);
  }
  tsb_text_free(reply);
}

static void model_control__flag(struct tsb_text* reply, enum tsb_key key, bool value) {
  tsb_payload_key(reply, key);
  tsb_text_printf(reply, value ? "true" : "false");
}

void tsb_shim_on_model_ready(struct tsb_model* model, struct tsb_shim_call* call, const struct tsb_json* payload) {
  struct tsb_text reply = {0};
  bool ready = false;
  TRITONSERVER_Server* server;
  const char* name = tsb_json_string(tsb_payload_member(payload, TSB_KEY_MODEL_READY_CALL_name), "");
  int64_t version = tsb_json_int(tsb_payload_member(payload, TSB_KEY_MODEL_READY_CALL_version), -1);
  TRITONSERVER_Error* error = TRITONBACKEND_ModelServer(model->triton, &server);
  if (error == NULL) error = TRITONSERVER_ServerModelIsReady(server, name, version, &ready);
  model_control__flag(&reply, TSB_KEY_MODEL_READY_REPLY_ready, ready);
  model_control__end(call, error, &reply);
}

// --- On threads of their own ---------------------------------------------------------------------------------------

// What to do about those words of the server that do not say it.
static TRITONSERVER_Error* model_control__advise(TRITONSERVER_Error* error) {
  static const struct {
    const char *words, *advice;
  } ADVICE[] = {
      {"explicit model load / unload",  // they speak of polling, which is another mode still
       "models can be loaded and unloaded only in a server that is started with --model-control-mode=explicit."},
      {"failed to poll from model repository",
       "is there a folder of that name in a repository, and is its configuration right? The server's log says more."}};
  for (size_t i = 0; error != NULL && i < sizeof ADVICE / sizeof *ADVICE; i++) {
    if (strstr(TRITONSERVER_ErrorMessage(error), ADVICE[i].words) == NULL) continue;
    TRITONSERVER_Error* better =
        tsb_error_new(TRITONSERVER_ErrorCode(error), "%s: %s", TRITONSERVER_ErrorMessage(error), ADVICE[i].advice);
    TRITONSERVER_ErrorDelete(error);
    return better;
  }
  return error;
}

static TRITONSERVER_Error* model_control__no_memory(void) {
  return tsb_error_new(TRITONSERVER_ERROR_UNAVAILABLE, "Out of memory for what a model asks of the server.");
}

static TRITONSERVER_Error* model_control__load(struct model_control* control, struct tsb_text* reply) {
  const struct tsb_load_files* files = &control->files;
  (void)reply;
  if (control->config == NULL && files->count == 0) {
    return TRITONSERVER_ServerLoadModel(control->server, control->name);
  }
  uint64_t count = 0;
  const TRITONSERVER_Parameter** parameters = calloc(files->count + 1u, sizeof *parameters);
  if (parameters == NULL) return model_control__no_memory();
  if (control->config != NULL) {
    parameters[count++] = TRITONSERVER_ParameterNew("config", TRITONSERVER_PARAMETER_STRING, control->config);
  }
  for (uint32_t i = 0; i < files->count; i++) {
    const struct tsb_load_file* file = &files->files[i];
    parameters[count++] = TRITONSERVER_ParameterBytesNew(file->parameter, file->data, file->bytes);
  }
  TRITONSERVER_Error* error = NULL;
  for (uint64_t i = 0; i < count; i++) {
    if (parameters[i] == NULL && error == NULL) error = model_control__no_memory();
  }
  if (error == NULL) {
    error = TRITONSERVER_ServerLoadModelWithParameters(control->server, control->name, parameters, count);
  }
  for (uint64_t i = 0; i < count; i++) {
    if (parameters[i] != NULL) TRITONSERVER_ParameterDelete((TRITONSERVER_Parameter*)parameters[i]);
  }
  free(parameters);
  return error;
}

static TRITONSERVER_Error* model_control__unload(struct model_control* control, struct tsb_text* reply) {
  (void)reply;
  if (control->with_dependents) return TRITONSERVER_ServerUnloadModelAndDependents(control->server, control->name);
  return TRITONSERVER_ServerUnloadModel(control->server, control->name);
}

// Whether no version of the model is on its way out, in what the server says about all models of its repositories.
static bool model_control__is_gone(const struct tsb_json* index, const char* name) {
  if (index->type != TSB_JSON_ARRAY) return true;
  for (const struct tsb_json* item = index->first; item != NULL; item = item->next) {
    if (strcmp(tsb_json_string(tsb_json_member(item, "name"), ""), name) != 0) continue;
    if (strcmp(tsb_json_string(tsb_json_member(item, "state"), ""), "UNLOADING") == 0) return false;
  }
  return true;
}

static TRITONSERVER_Error* model_control__gone(struct model_control* control, struct tsb_text* reply) {
  TRITONSERVER_Message* message;
  const char* text;
  size_t length;
  struct tsb_json_document document;
  TSB_RETURN_IF_ERROR(TRITONSERVER_ServerModelIndex(control->server, 0, &message));
  TRITONSERVER_Error* error = TRITONSERVER_MessageSerializeToJson(message, &text, &length);
  if (error == NULL && !tsb_json_parse(&document, text, length)) {
    error = tsb_error_new(TRITONSERVER_ERROR_INTERNAL, "What the server says about its models is not JSON.");
  }
  if (error == NULL) {
    model_control__flag(reply, TSB_KEY_MODEL_GONE_REPLY_gone, model_control__is_gone(document.root, control->name));
    tsb_json_free(&document);
  }
  tsb_error_log(TRITONSERVER_MessageDelete(message), "TRITONSERVER_MessageDelete");
  return error;
}

static void model_control__run(struct tsb_job* job) {
  struct model_control* control = (struct model_control*)job;
  struct tsb_shim_call* call = control->call;
  struct tsb_text reply = {0};
  TRITONSERVER_Error* error = model_control__advise(control->act(control, &reply));
  bool was_loaded = control->act == model_control__load && error == NULL;
  model_control__free(control);  // before the model goes on, which may free the files, or ask for more
  model_control__end(call, error, &reply);
  if (was_loaded) usleep(REST_AFTER_LOAD_US);
}

// --- From the call to the thread -----------------------------------------------------------------------------------

static TRITONSERVER_Error* model_control__fill(struct model_control* control, const struct tsb_model* model,
                                               const struct tsb_json* name) {
  control->backend = model->backend;
  control->from = strdup(model->name);
  control->name = strdup(tsb_json_string(name, ""));
  if (control->from == NULL || control->name == NULL) return model_control__no_memory();
  return TRITONBACKEND_ModelServer(model->triton, &control->server);
}

// The server may crash when it loads and unloads a model at the same time, so one follows the other.
static TRITONSERVER_Error* model_control__queue(struct model_control* control) {
  control->job.key = strdup(control->name);
  return control->job.key == NULL ? model_control__no_memory() : NULL;
}

// The server would wait for the end of this very initialize.
static TRITONSERVER_Error* model_control__note_wait(struct model_control* control, uint32_t step, const char* what) {
  if (step != TSB_METHOD_INITIALIZE) return NULL;
  control->wait = (struct tsb_model_wait){.from = control->from, .to = control->name};
  control->waits = tsb_model_waits_add(&control->backend->waits, &control->wait);
  if (control->waits) return NULL;
  if (strcmp(control->from, control->name) == 0) {
    return tsb_error_new(TRITONSERVER_ERROR_INVALID_ARG,
                         "Model '%s' cannot %s itself in its initialize: the server waits until that has ended, so "
                         "neither would ever end. Do it later, in execute for instance.",
                         control->from, what);
  }
  return tsb_error_new(TRITONSERVER_ERROR_INVALID_ARG,
                       "Model '%s' cannot %s '%s' in its initialize: that model waits in its own initialize for '%s', "
                       "so neither would ever end. Do it later, in execute for instance.",
                       control->from, what, control->name, control->from);
}

// Takes the call and `control`; `error` ends both at once.
static void model_control__start(struct model_control* control, struct tsb_shim_call* call, TRITONSERVER_Error* error) {
  struct tsb_text reply = {0};
  if (error == NULL) {
    control->call = call;
    control->job.run = model_control__run;
    // Loads may wait for the end of that very initialize, as many as there are threads.
    control->job.is_urgent = call->step == TSB_METHOD_INITIALIZE;
    int status = tsb_workers_run(&control->backend->workers, &control->job);
    if (status == 0) return;
    error = tsb_error_new(TRITONSERVER_ERROR_UNAVAILABLE, "Could not start a thread for what a model asks: %s.",
                          tsb_error_start_reason(status));
  }
  if (control != NULL) model_control__free(control);
  model_control__end(call, error, &reply);
}

static TRITONSERVER_Error* model_control__new(struct model_control** result, const struct tsb_model* model,
                                              const struct tsb_json* name) {
  *result = calloc(1, sizeof **result);
  return *result == NULL ? model_control__no_memory() : model_control__fill(*result, model, name);
}

static TRITONSERVER_Error* model_control__take_config(struct model_control* control, const struct tsb_json* config) {
  if (config == NULL || config->type != TSB_JSON_STRING) return NULL;
  control->config = strdup(config->string);
  return control->config == NULL ? model_control__no_memory() : NULL;
}

void tsb_shim_on_model_load(struct tsb_model* model, struct tsb_shim_call* call, const struct tsb_json* payload) {
  struct model_control* load;
  TRITONSERVER_Error* error =
      model_control__new(&load, model, tsb_payload_member(payload, TSB_KEY_MODEL_LOAD_CALL_name));
  if (error == NULL) error = model_control__note_wait(load, call->step, "load");
  if (error == NULL) {
    error = model_control__take_config(load, tsb_payload_member(payload, TSB_KEY_MODEL_LOAD_CALL_config));
  }
  if (error == NULL) {
    error = tsb_load_files_read(&load->files, call->stub, tsb_payload_member(payload, TSB_KEY_MODEL_LOAD_CALL_files));
  }
  if (error == NULL) error = model_control__queue(load);
  if (error == NULL) load->act = model_control__load;
  model_control__start(load, call, error);
}

void tsb_shim_on_model_unload(struct tsb_model* model, struct tsb_shim_call* call, const struct tsb_json* payload) {
  struct model_control* unload;
  TRITONSERVER_Error* error =
      model_control__new(&unload, model, tsb_payload_member(payload, TSB_KEY_MODEL_UNLOAD_CALL_name));
  if (error == NULL) error = model_control__note_wait(unload, call->step, "unload");
  if (error == NULL && strcmp(unload->from, unload->name) == 0 &&
      tsb_json_bool(tsb_payload_member(payload, TSB_KEY_MODEL_UNLOAD_CALL_wait), false)) {
    error = tsb_error_new(TRITONSERVER_ERROR_INVALID_ARG,
                          "Model '%s' cannot wait until it is unloaded itself, since it ends with that. Leave the "
                          "option 'wait' out.",
                          unload->from);
  }
  if (error == NULL) error = model_control__queue(unload);
  if (error == NULL) {
    unload->act = model_control__unload;
    unload->with_dependents = tsb_json_bool(tsb_payload_member(payload, TSB_KEY_MODEL_UNLOAD_CALL_dependents), false);
  }
  model_control__start(unload, call, error);
}

void tsb_shim_on_model_gone(struct tsb_model* model, struct tsb_shim_call* call, const struct tsb_json* payload) {
  struct model_control* gone;
  TRITONSERVER_Error* error =
      model_control__new(&gone, model, tsb_payload_member(payload, TSB_KEY_MODEL_GONE_CALL_name));
  if (error == NULL) gone->act = model_control__gone;
  model_control__start(gone, call, error);
}
