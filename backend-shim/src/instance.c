// SPDX-License-Identifier: Apache-2.0
#include "instance.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "instance_stub.h"
#include "supervisor.h"

static TRITONSERVER_Error* instance__fill(struct tsb_instance* instance) {
  TRITONBACKEND_Model* model;
  const char* name;
  TRITONSERVER_InstanceGroupKind kind;
  int32_t device_id;
  TSB_RETURN_IF_ERROR(TRITONBACKEND_ModelInstanceModel(instance->triton, &model));
  TSB_RETURN_IF_ERROR(TRITONBACKEND_ModelState(model, (void**)&instance->model));
  TSB_RETURN_IF_ERROR(TRITONBACKEND_ModelInstanceName(instance->triton, &name));
  TSB_RETURN_IF_ERROR(TRITONBACKEND_ModelInstanceKind(instance->triton, &kind));
  TSB_RETURN_IF_ERROR(TRITONBACKEND_ModelInstanceDeviceId(instance->triton, &device_id));
  instance->concurrency = (uint32_t)instance->model->settings.max_in_flight_batches;
  instance->prefetches = instance->concurrency == 1 && instance->model->may_prefetch;
  instance->name = strdup(name);
  instance->readiness.name = instance->name;
  snprintf(instance->device_id, sizeof instance->device_id, "%d", device_id);
  instance->kind = kind == TRITONSERVER_INSTANCEGROUPKIND_GPU     ? "GPU"
                   : kind == TRITONSERVER_INSTANCEGROUPKIND_MODEL ? "MODEL"
                                                                  : "CPU";
  if (kind == TRITONSERVER_INSTANCEGROUPKIND_GPU) instance->visible_devices = strdup(instance->device_id);
  tsb_encoder_init(&instance->encoder, &instance->model->inputs, &instance->model->outputs);
  instance->encoder.correlation_input = instance->model->correlation_input;
  // Each open batch has an open request, but for the one whose last answer is being sent.
  uint32_t most_batches = (uint32_t)instance->model->settings.max_open_requests + 1;
  if (tsb_batch_table_init(&instance->batches, most_batches) < 0 || instance->name == NULL ||
      (kind == TRITONSERVER_INSTANCEGROUPKIND_GPU && instance->visible_devices == NULL)) {
    return tsb_error_new(TRITONSERVER_ERROR_INTERNAL, "Out of memory while creating a model instance.");
  }
  instance->stop_fd = eventfd(0, EFD_CLOEXEC);
  if (instance->stop_fd >= 0) instance->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
  if (instance->timer_fd < 0) {
    int status = -errno;
    return tsb_error_new(tsb_error_is_limit(status) ? TRITONSERVER_ERROR_UNAVAILABLE : TRITONSERVER_ERROR_INTERNAL,
                         "Could not create the instance '%s': %s.", instance->name, tsb_error_reason(status));
  }
  if (instance->model->settings.metrics) {
    char version[24];
    snprintf(version, sizeof version, "%llu", (unsigned long long)instance->model->version);
    struct tsb_builtin_labels labels = {.model = instance->model->name, .version = version, .instance = instance->name};
    tsb_builtin_metrics_open(&instance->builtin, &labels);
  }
  TSB_RETURN_IF_ERROR(tsb_instance_stub_start(instance, &instance->stub));
  int status = tsb_supervisor_start(instance);
  if (status < 0) {
    return tsb_error_new(tsb_error_is_limit(status) ? TRITONSERVER_ERROR_UNAVAILABLE : TRITONSERVER_ERROR_INTERNAL,
                         "Could not start the thread that looks after '%s': %s.", instance->name,
                         tsb_error_start_reason(status));
  }
  return NULL;
}

TRITONSERVER_Error* tsb_instance_new(struct tsb_instance** result, TRITONBACKEND_ModelInstance* triton) {
  struct tsb_instance* instance = calloc(1, sizeof *instance);
  if (instance == NULL)
    return tsb_error_new(TRITONSERVER_ERROR_INTERNAL, "Out of memory while creating a model instance.");
  instance->triton = triton;
  tsb_instance_state_init(instance);
  TRITONSERVER_Error* error = instance__fill(instance);
  if (error != NULL) {
    tsb_instance_delete(instance);
    return error;
  }
  tsb_instance_enlist(instance);
  *result = instance;
  return NULL;
}

void tsb_instance_delete(struct tsb_instance* instance) {
  if (instance == NULL) return;
  bool initialized = instance->supervised;
  if (instance->model != NULL) tsb_instance_delist(instance);
  tsb_supervisor_stop(instance);
  if (initialized && instance->stub != NULL) tsb_instance_stub_finalize(instance, instance->stub);
  tsb_stub_destroy(instance->stub);
  tsb_builtin_metrics_close(&instance->builtin);
  tsb_encoder_free(&instance->encoder);
  if (instance->stop_fd >= 0) close(instance->stop_fd);
  if (instance->timer_fd >= 0) close(instance->timer_fd);
  tsb_instance_state_destroy(instance);
  free(instance->visible_devices);
  free(instance->name);
  free(instance);
}

// The state of the process comes first: a model that cannot be asked is not ready. One that asks by `models.isReady`
// gets no more than that, as the thread that asks for it reads what the models say.
static struct tsb_stub* instance__enter_to_ask(struct tsb_instance* instance, TRITONSERVER_Error** error) {
  struct tsb_stub* stub = NULL;
  *error = NULL;
  pthread_mutex_lock(&instance->lock);
  if (instance->state != TSB_INSTANCE_RUNNING) {
    *error = tsb_instance_error_unhealthy(instance, instance->reason);
  } else if (instance->stub->checks_ready && !tsb_stub_channel_is_serving()) {
    stub = instance->stub;
    instance->users++;
  }
  pthread_mutex_unlock(&instance->lock);
  return stub;
}

static TRITONSERVER_Error* instance__error_lost(struct tsb_instance* instance) {
  pthread_mutex_lock(&instance->lock);
  TRITONSERVER_Error* error = tsb_instance_error_unhealthy(instance, instance->reason);
  pthread_mutex_unlock(&instance->lock);
  return error;
}

TRITONSERVER_Error* tsb_instance_ready(struct tsb_instance* instance) {
  TRITONSERVER_Error* error;
  char reason[sizeof instance->readiness.reason];
  struct tsb_stub* stub = instance__enter_to_ask(instance, &error);
  if (stub == NULL) return error;
  uint64_t ticket = tsb_readiness_ask(&instance->readiness, &stub->channel);
  tsb_instance_leave(instance);
  enum tsb_readiness_answer answer = tsb_readiness_wait(&instance->readiness, ticket, reason);
  if (answer == TSB_READINESS_YES) return NULL;
  if (answer == TSB_READINESS_LOST) return instance__error_lost(instance);
  if (reason[0] != '\0') {
    return tsb_error_new(TRITONSERVER_ERROR_UNAVAILABLE, "Instance '%s' is not ready: %s", instance->name, reason);
  }
  return tsb_error_new(TRITONSERVER_ERROR_UNAVAILABLE, "The model's isReady says that instance '%s' is not ready.",
                       instance->name);
}
