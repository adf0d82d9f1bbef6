// SPDX-License-Identifier: Apache-2.0
#include "instance.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "barrier.h"
#include "log.h"

enum { EXIT_GRACE_MS = 2000, DOWN_PAUSE_MS = 100, RESTART_PATIENCE_S = 10 };

TRITONSERVER_Error* tsb_instance_unhealthy(const struct tsb_instance* instance, const char* reason) {
  // Clients match on the first sentence.
  return tsb_error_new(TRITONSERVER_ERROR_UNAVAILABLE, "Stub process '%s' is not healthy. %s", instance->name, reason);
}

static TRITONSERVER_Error* instance__initialize_payload(const struct tsb_instance* instance, struct tsb_text* text) {
  const struct tsb_model* model = instance->model;
  tsb_payload_string(text, TSB_KEY_INITIALIZE_CALL_instanceName, instance->name);
  tsb_payload_string(text, TSB_KEY_INITIALIZE_CALL_instanceKind, instance->kind);
  tsb_payload_string(text, TSB_KEY_INITIALIZE_CALL_deviceId, instance->device_id);
  tsb_payload_key(text, TSB_KEY_INITIALIZE_CALL_concurrency);
  tsb_text_printf(text, "%u", instance->concurrency);
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

TRITONSERVER_Error* tsb_instance_start_stub(struct tsb_instance* instance, struct tsb_stub** result) {
  struct tsb_stub* stub;
  struct tsb_text payload = {0};
  struct tsb_message reply;
  struct tsb_model_stub_plan plan = {
      .name = instance->name, .visible_devices = instance->visible_devices, .stop_fd = instance->stop_fd};
  TSB_RETURN_IF_ERROR(tsb_model_take_stub(instance->model, &plan, &stub));
  stub->memory.clients.is_shared = instance->concurrency > 1;
  TRITONSERVER_Error* error = instance__initialize_payload(instance, &payload);
  if (error == NULL) {
    struct tsb_stub_question question = {.method = TSB_METHOD_INITIALIZE,
                                         .payload = &payload,
                                         .timeout_ms = instance->model->settings.initialize_timeout_ms,
                                         .stop_fd = instance->stop_fd};
    error = tsb_stub_ask(stub, &question, &reply);
  }
  tsb_text_free(&payload);
  if (error != NULL) {
    tsb_stub_destroy(stub);
    return error;
  }
  tsb_message_free(&reply);
  *result = stub;
  return NULL;
}

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
  snprintf(instance->device_id, sizeof instance->device_id, "%d", device_id);
  instance->kind = kind == TRITONSERVER_INSTANCEGROUPKIND_GPU     ? "GPU"
                   : kind == TRITONSERVER_INSTANCEGROUPKIND_MODEL ? "MODEL"
                                                                  : "CPU";
  if (kind == TRITONSERVER_INSTANCEGROUPKIND_GPU) instance->visible_devices = strdup(instance->device_id);
  tsb_encoder_init(&instance->encoder, &instance->model->inputs, &instance->model->outputs);
  instance->stop_fd = eventfd(0, EFD_CLOEXEC);
  instance->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
  if (tsb_batch_table_init(&instance->batches, instance->concurrency + TSB_MAX_PREFETCH) < 0 ||
      instance->name == NULL || instance->stop_fd < 0 || instance->timer_fd < 0 ||
      (kind == TRITONSERVER_INSTANCEGROUPKIND_GPU && instance->visible_devices == NULL)) {
    return tsb_error_new(TRITONSERVER_ERROR_INTERNAL, "Out of memory or descriptors while creating a model instance.");
  }
  TSB_RETURN_IF_ERROR(tsb_instance_start_stub(instance, &instance->stub));
  int status = tsb_supervisor_start(instance);
  if (status < 0) {
    return tsb_error_new(TRITONSERVER_ERROR_INTERNAL, "Could not start the thread that looks after '%s': %s.",
                         instance->name, strerror(-status));
  }
  return NULL;
}

TRITONSERVER_Error* tsb_instance_new(struct tsb_instance** result, TRITONBACKEND_ModelInstance* triton) {
  struct tsb_instance* instance = calloc(1, sizeof *instance);
  if (instance == NULL)
    return tsb_error_new(TRITONSERVER_ERROR_INTERNAL, "Out of memory while creating a model instance.");
  instance->triton = triton;
  instance->stop_fd = instance->timer_fd = -1;
  pthread_mutex_init(&instance->reading, NULL);
  pthread_mutex_init(&instance->lock, NULL);
  pthread_condattr_t attributes;
  pthread_condattr_init(&attributes);
  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  pthread_cond_init(&instance->changed, &attributes);
  pthread_condattr_destroy(&attributes);
  TRITONSERVER_Error* error = instance__fill(instance);
  if (error != NULL) {
    tsb_instance_delete(instance);
    return error;
  }
  *result = instance;
  return NULL;
}

// Lets the model finalize and the process end by itself, within a limit.
static void instance__finalize_stub(struct tsb_instance* instance) {
  struct tsb_message reply;
  struct tsb_stub_question question = {
      .method = TSB_METHOD_FINALIZE, .timeout_ms = instance->model->settings.stub_timeout_ms, .stop_fd = -1};
  TRITONSERVER_Error* error = tsb_stub_ask(instance->stub, &question, &reply);
  if (error == NULL) {
    tsb_message_free(&reply);
    tsb_stub_process_wait(&instance->stub->process, EXIT_GRACE_MS);
  }
  tsb_error_log(error, "Finalizing a model instance");
}

void tsb_instance_delete(struct tsb_instance* instance) {
  if (instance == NULL) return;
  bool initialized = instance->supervised;
  tsb_supervisor_stop(instance);
  if (initialized && instance->stub != NULL) instance__finalize_stub(instance);
  tsb_stub_destroy(instance->stub);
  tsb_encoder_free(&instance->encoder);
  tsb_batch_table_free(&instance->batches);
  if (instance->stop_fd >= 0) close(instance->stop_fd);
  if (instance->timer_fd >= 0) close(instance->timer_fd);
  pthread_cond_destroy(&instance->changed);
  pthread_mutex_destroy(&instance->lock);
  pthread_mutex_destroy(&instance->reading);
  free(instance->visible_devices);
  free(instance->name);
  free(instance);
}

TRITONSERVER_Error* tsb_instance_ready(struct tsb_instance* instance) {
  pthread_mutex_lock(&instance->lock);
  TRITONSERVER_Error* error =
      instance->state == TSB_INSTANCE_RUNNING ? NULL : tsb_instance_unhealthy(instance, instance->reason);
  pthread_mutex_unlock(&instance->lock);
  return error;
}

// Waits for a running stub with room for one more batch, and for one that is being restarted no longer than a short
// while: a model whose initialize takes minutes must not hold its requests, and with them its unloading, for as long.
// NULL: the stub is down, *error says why.
static struct tsb_stub* instance__enter(struct tsb_instance* instance, TRITONSERVER_Error** error) {
  struct tsb_stub* stub = NULL;
  struct timespec patience;
  int waited = 0;
  clock_gettime(CLOCK_MONOTONIC, &patience);
  patience.tv_sec += RESTART_PATIENCE_S;
  pthread_mutex_lock(&instance->lock);
  for (;;) {
    if (instance->state == TSB_INSTANCE_RUNNING && instance->batches.in_flight < instance->batches.count) {
      stub = instance->stub;
      instance->users++;
      break;
    }
    if (instance->state == TSB_INSTANCE_DOWN || instance->state == TSB_INSTANCE_STOPPING ||
        (instance->state == TSB_INSTANCE_RESTARTING && waited == ETIMEDOUT)) {
      *error = tsb_instance_unhealthy(instance, instance->reason);
      break;
    }
    waited = instance->state == TSB_INSTANCE_RESTARTING
                 ? pthread_cond_timedwait(&instance->changed, &instance->lock, &patience)
                 : pthread_cond_wait(&instance->changed, &instance->lock);
  }
  pthread_mutex_unlock(&instance->lock);
  return stub;
}

static void instance__leave(struct tsb_instance* instance) {
  pthread_mutex_lock(&instance->lock);
  instance->users--;
  pthread_cond_broadcast(&instance->changed);
  pthread_mutex_unlock(&instance->lock);
}

// The supervisor stops the timer when it ticks and nothing is in flight: at most one start a tick, however many
// batches.
static void instance__start_ticking(struct tsb_instance* instance) {
  struct timespec tick = {.tv_sec = TSB_CHECK_TIME_MS / 1000, .tv_nsec = TSB_CHECK_TIME_MS % 1000 * 1000000};
  timerfd_settime(instance->timer_fd, 0, &(struct itimerspec){.it_interval = tick, .it_value = tick}, NULL);
  instance->ticking = true;
}

static struct tsb_batch_slot* instance__claim(struct tsb_instance* instance, TRITONBACKEND_Request** requests,
                                              uint32_t count, uint64_t exec_start_ns) {
  int64_t limit_ms = instance->model->settings.execute_timeout_ms;
  pthread_mutex_lock(&instance->lock);
  struct tsb_batch_slot* slot = tsb_batch_claim(&instance->batches, requests, count);
  if (slot != NULL) {
    slot->exec_start_ns = slot->compute_start_ns = exec_start_ns;
    slot->deadline_ns = limit_ms > 0 ? exec_start_ns + (uint64_t)limit_ms * 1000000u : 0;
    if (!instance->ticking) instance__start_ticking(instance);
  }
  pthread_mutex_unlock(&instance->lock);
  return slot;
}

static TRITONSERVER_Error* instance__memory_error(const struct tsb_instance* instance, uint64_t bytes, int status) {
  // A new region could not be announced: the stub died, and the supervisor is about to notice.
  if (status == -EPIPE || status == -ECONNRESET) {
    return tsb_instance_unhealthy(instance, "It closed its connection to the server.");
  }
  if (status == -ENOMEM) {
    return tsb_error_new(
        TRITONSERVER_ERROR_UNAVAILABLE,
        "Failed to increase the shared memory pool size of '%s': a batch of %llu bytes does not fit into the "
        "limit of %llu bytes. Raise --backend-config=typescript,shm-max-byte-size or send smaller requests.",
        instance->name, (unsigned long long)bytes, (unsigned long long)instance->model->settings.shm_max_bytes);
  }
  return tsb_error_new(TRITONSERVER_ERROR_UNAVAILABLE, "Failed to increase the shared memory pool size of '%s': %s.",
                       instance->name, strerror(-status));
}

struct instance__lending {
  struct tsb_stub* stub;
  struct tsb_batch_slot* slot;
};

static int instance__lend(void* context, uint32_t request, const void* data, uint64_t bytes, struct tsb_place* place) {
  const struct instance__lending* lending = context;
  return tsb_stub_memory_lend(&lending->stub->memory, &lending->slot->loans, request, data, bytes, place);
}

// Copies a batch into shared memory, but for what can be lent, and gives it to the stub.
static TRITONSERVER_Error* instance__send(struct tsb_instance* instance, struct tsb_stub* stub,
                                          struct tsb_batch_slot* slot) {
  struct instance__lending lending = {stub, slot};
  int status = tsb_encoder_lend_inputs(&instance->encoder, instance__lend, &lending);
  uint64_t bytes = tsb_encoder_bytes(&instance->encoder);
  if (status == 0) status = tsb_stub_memory_alloc(&stub->memory, bytes, &slot->block);
  if (status < 0) return instance__memory_error(instance, bytes, status);
  slot->block_bytes = bytes;
  slot->batch_size = tsb_encoder_write(&instance->encoder, slot->block.base, slot->block.region, slot->block.offset,
                                       instance->model->max_batch_size > 0);
  struct tsb_entry entry = {.kind = TSB_ENTRY_EXECUTE,
                            .flags = tsb_instance_is_calm(instance) ? TSB_EXECUTE_SPARSE : 0,
                            .owner = tsb_batch_owner(&instance->batches, slot),
                            .place = {.region = slot->block.region, .offset = slot->block.offset, .bytes = bytes}};
  slot->compute_start_ns = tsb_now_ns();
  // From here on the thread that reads answers may take the requests, even if a stub guesses the entry before it is
  // published.
  pthread_mutex_lock(&instance->lock);
  slot->sent = true;
  pthread_mutex_unlock(&instance->lock);
  tsb_stub_post(stub, &entry, 1);
  return NULL;
}

// Each request gets its own copy of the error.
static void instance__fail(struct tsb_instance* instance, TRITONBACKEND_Request** requests, uint32_t count,
                           uint64_t exec_start_ns, TRITONSERVER_Error* error) {
  for (uint32_t i = 0; i < count; i++) {
    tsb_answers_fail_request(instance, requests[i], exec_start_ns,
                             TRITONSERVER_ErrorNew(TRITONSERVER_ErrorCode(error), TRITONSERVER_ErrorMessage(error)));
  }
  TRITONSERVER_ErrorDelete(error);
}

static void instance__run(struct tsb_instance* instance, struct tsb_stub* stub, TRITONBACKEND_Request** requests,
                          uint32_t count, uint64_t exec_start_ns) {
  bool is_reader = tsb_answers_begin(instance, stub);
  struct tsb_batch_slot* slot = instance__claim(instance, requests, count, exec_start_ns);
  TRITONSERVER_Error* error = NULL;
  if (slot == NULL) {
    error = tsb_error_new(TRITONSERVER_ERROR_INTERNAL, "Out of memory while handing a batch to the model.");
  } else {
    error = instance__send(instance, stub, slot);
  }
  if (error == NULL) {
    tsb_answers_serve(instance, stub, is_reader, exec_start_ns);
    return;
  }
  if (is_reader) tsb_answers_leave(instance, stub);
  instance__fail(instance, requests, count, exec_start_ns, error);
  if (slot == NULL) return;
  tsb_stub_memory_release(&stub->memory, &slot->block, slot->block_bytes, &slot->loans);
  pthread_mutex_lock(&instance->lock);
  tsb_batch_release(&instance->batches, slot);
  pthread_mutex_unlock(&instance->lock);
}

void tsb_instance_execute(struct tsb_instance* instance, TRITONBACKEND_Request** requests, uint32_t count) {
  uint64_t exec_start_ns = tsb_now_ns();
  uint32_t good = 0;
  tsb_encoder_begin(&instance->encoder);
  for (uint32_t i = 0; i < count; i++) {
    TRITONSERVER_Error* error = tsb_encoder_add(&instance->encoder, requests[i]);
    if (error == NULL) {
      requests[good++] = requests[i];
    } else {
      tsb_answers_fail_request(instance, requests[i], exec_start_ns, error);
    }
  }
  if (good == 0) return;
  TRITONSERVER_Error* error = NULL;
  struct tsb_stub* stub = instance__enter(instance, &error);
  if (stub != NULL) {
    instance__run(instance, stub, requests, good, exec_start_ns);
    instance__leave(instance);
    return;
  }
  instance__fail(instance, requests, good, exec_start_ns, error);
  // An instance that fails at once is always free, and would draw the requests of the model away from the others.
  struct pollfd stop = {.fd = instance->stop_fd, .events = POLLIN};
  if (!instance->model->one_instance) poll(&stop, 1, DOWN_PAUSE_MS);
}
