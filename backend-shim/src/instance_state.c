// SPDX-License-Identifier: Apache-2.0
#include "instance_state.h"

#include <errno.h>
#include <sys/timerfd.h>
#include <time.h>

enum { RESTART_PATIENCE_S = 10 };

void tsb_instance_state_init(struct tsb_instance* instance) {
  pthread_condattr_t attributes;
  instance->stop_fd = instance->timer_fd = -1;
  pthread_mutex_init(&instance->reading, NULL);
  tsb_readiness_init(&instance->readiness);
  pthread_mutex_init(&instance->lock, NULL);
  pthread_condattr_init(&attributes);
  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  pthread_cond_init(&instance->changed, &attributes);
  pthread_condattr_destroy(&attributes);
}

void tsb_instance_state_destroy(struct tsb_instance* instance) {
  tsb_batch_table_free(&instance->batches);
  pthread_cond_destroy(&instance->changed);
  pthread_mutex_destroy(&instance->lock);
  pthread_mutex_destroy(&instance->reading);
  tsb_readiness_destroy(&instance->readiness);
}

void tsb_instance_enlist(struct tsb_instance* instance) {
  struct tsb_backend* backend = instance->model->backend;
  pthread_mutex_lock(&backend->instances_lock);
  instance->next_of_backend = backend->instances;
  backend->instances = instance;
  pthread_mutex_unlock(&backend->instances_lock);
}

void tsb_instance_delist(struct tsb_instance* instance) {
  struct tsb_backend* backend = instance->model->backend;
  pthread_mutex_lock(&backend->instances_lock);
  for (struct tsb_instance** at = &backend->instances; *at != NULL; at = &(*at)->next_of_backend) {
    if (*at != instance) continue;
    *at = instance->next_of_backend;
    break;
  }
  pthread_mutex_unlock(&backend->instances_lock);
}

void tsb_instance_tick(struct tsb_instance* instance, enum tsb_ticking ticking) {
  if (instance->ticking == ticking) return;
  int64_t ms = ticking == TSB_TICKING_NOT ? 0 : ticking == TSB_TICKING_SLOWLY ? TSB_CHECK_TIME_MS : TSB_CHECK_CANCEL_MS;
  struct timespec tick = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
  timerfd_settime(instance->timer_fd, 0, &(struct itimerspec){.it_interval = tick, .it_value = tick}, NULL);
  instance->ticking = ticking;
}

void tsb_instance_set_state(struct tsb_instance* instance, enum tsb_instance_state state) {
  pthread_mutex_lock(&instance->lock);
  if (instance->state != TSB_INSTANCE_STOPPING) instance->state = state;
  pthread_cond_broadcast(&instance->changed);
  pthread_mutex_unlock(&instance->lock);
}

struct tsb_stub* tsb_instance_enter(struct tsb_instance* instance, TRITONSERVER_Error** error) {
  struct tsb_stub* stub = NULL;
  struct timespec patience;
  int waited = 0;
  clock_gettime(CLOCK_MONOTONIC, &patience);
  patience.tv_sec += RESTART_PATIENCE_S;
  pthread_mutex_lock(&instance->lock);
  for (;;) {
    if (instance->state == TSB_INSTANCE_RUNNING &&
        instance->batches.request_count < (uint64_t)instance->model->settings.max_open_requests) {
      stub = instance->stub;
      instance->users++;
      break;
    }
    if (instance->state == TSB_INSTANCE_DOWN || instance->state == TSB_INSTANCE_STOPPING ||
        (instance->state == TSB_INSTANCE_RESTARTING && waited == ETIMEDOUT)) {
      *error = tsb_instance_error_unhealthy(instance, instance->reason);
      break;
    }
    waited = instance->state == TSB_INSTANCE_RESTARTING
                 ? pthread_cond_timedwait(&instance->changed, &instance->lock, &patience)
                 : pthread_cond_wait(&instance->changed, &instance->lock);
  }
  pthread_mutex_unlock(&instance->lock);
  return stub;
}

void tsb_instance_leave(struct tsb_instance* instance) {
  pthread_mutex_lock(&instance->lock);
  instance->users--;
  pthread_cond_broadcast(&instance->changed);
  pthread_mutex_unlock(&instance->lock);
}

TRITONSERVER_Error* tsb_instance_error_unhealthy(const struct tsb_instance* instance, const char* reason) {
  // Clients match on the first sentence.
  return tsb_error_new(TRITONSERVER_ERROR_UNAVAILABLE, "Stub process '%s' is not healthy. %s", instance->name, reason);
}
