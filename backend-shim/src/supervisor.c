// SPDX-License-Identifier: Apache-2.0
#include "supervisor.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "answers.h"
#include "barrier.h"
#include "cancels.h"
#include "instance_stub.h"
#include "log.h"
#include "log_levels.h"
#include "reader.h"
#include "time_limit.h"
#include "wait_cycle.h"

enum { QUICK_DEATH_MS = 10000, MAX_BACKOFF_MS = 30000 };

static bool supervisor__must_stop(const struct tsb_instance* instance) {
  struct pollfd item = {.fd = instance->stop_fd, .events = POLLIN};
  return poll(&item, 1, 0) > 0;
}

static uint32_t supervisor__open_calls(struct tsb_stub* stub) {
  pthread_mutex_lock(&stub->calls.lock);
  uint32_t count = stub->calls.count;
  pthread_mutex_unlock(&stub->calls.lock);
  return count;
}

// Shows how much of everything there is, and whether calls are open.
static bool supervisor__show(struct tsb_instance* instance, struct tsb_stub* stub) {
  struct tsb_builtin_metrics* builtin = &instance->builtin;
  uint64_t inbound_bytes = 0, stub_bytes = 0;
  uint32_t calls = 0;
  pthread_mutex_lock(&instance->lock);
  uint32_t requests = instance->batches.request_count;
  pthread_mutex_unlock(&instance->lock);
  if (stub != NULL) {
    tsb_stub_memory_measure(&stub->memory, &inbound_bytes, &stub_bytes);
    calls = supervisor__open_calls(stub);
  }
  tsb_builtin_metrics_show(builtin, TSB_BUILTIN_OPEN_REQUESTS, requests);
  tsb_builtin_metrics_show(builtin, TSB_BUILTIN_OPEN_CALLS, calls);
  tsb_builtin_metrics_show(builtin, TSB_BUILTIN_INPUT_MEMORY, inbound_bytes);
  tsb_builtin_metrics_show(builtin, TSB_BUILTIN_OUTPUT_MEMORY, stub_bytes);
  return calls > 0;
}

// The time limits of batches in flight, and the clients' files that none of them uses; the timer stops when neither is
// left.
static void supervisor__tick_slowly(struct tsb_instance* instance, struct tsb_stub* stub) {
  // First, as what follows may have to wait for a stub that does not read its channel.
  tsb_time_limit_check(instance, stub);
  tsb_wait_cycle_look(instance);
  pthread_mutex_lock(&instance->lock);
  bool was_idle = instance->batches.open_count == 0;
  uint64_t claims = instance->batches.claims;
  pthread_mutex_unlock(&instance->lock);
  bool has_files = tsb_stub_memory_tick(&stub->memory);
  bool has_calls = supervisor__show(instance, stub);
  pthread_mutex_lock(&instance->lock);
  // A batch that was open when the files were counted, or has come since, may have lent one and ended: then it is the
  // next tick's turn.
  if (was_idle && instance->batches.claims == claims && !has_files && !has_calls)
    tsb_instance_tick(instance, TSB_TICKING_NOT);
  pthread_mutex_unlock(&instance->lock);
}

static void supervisor__tick(struct tsb_instance* instance, struct tsb_stub* stub) {
  uint64_t count;
  ssize_t got = read(instance->timer_fd, &count, sizeof count);
  (void)got;  // EAGAIN: set anew in the meantime
  uint64_t now = tsb_now_ns();
  tsb_cancels_look(instance, stub);
  tsb_log_levels_tell(stub->memory.control);
  pthread_mutex_lock(&instance->lock);
  if (instance->batches.open_count == 0 && instance->ticking == TSB_TICKING_QUICKLY) {
    tsb_instance_tick(instance, TSB_TICKING_SLOWLY);
  }
  pthread_mutex_unlock(&instance->lock);
  if (now - instance->checked_ns < UINT64_C(900000) * TSB_CHECK_TIME_MS) return;
  instance->checked_ns = now;
  supervisor__tick_slowly(instance, stub);
}

// A model may make calls while it has no request: they are shown, too.
static void supervisor__note_calls(struct tsb_instance* instance, struct tsb_stub* stub) {
  pthread_mutex_lock(&instance->lock);
  if (instance->ticking == TSB_TICKING_NOT && supervisor__open_calls(stub) > 0) {
    tsb_instance_tick(instance, TSB_TICKING_SLOWLY);
  }
  pthread_mutex_unlock(&instance->lock);
}

// Runs until the stub is dead (true) or the instance is to be removed (false).
static bool supervisor__watch(struct tsb_instance* instance, struct tsb_stub* stub) {
  struct tsb_stub_watch watch = {.stop_fd = instance->stop_fd,
                                 .answers_fd = stub->wake_shim_fds[TSB_WAKER_SUPERVISOR],
                                 .timer_fd = instance->timer_fd,
                                 .backlog_fd = stub->to_stub.timer_fd};
  supervisor__show(instance, stub);
  for (;;) {
    uint32_t happened = tsb_stub_events_wait(&stub->process, &stub->channel, &watch, -1);
    if ((happened & TSB_EVENT_ANSWERS) != 0) {
      tsb_reader_look(instance, stub);
      supervisor__note_calls(instance, stub);
    }
    if ((happened & TSB_EVENT_TIMER) != 0) supervisor__tick(instance, stub);
    if ((happened & TSB_EVENT_BACKLOG) != 0) tsb_stub_flush(stub);
    if ((happened & TSB_EVENT_DEATH) != 0) return true;
    if ((happened & TSB_EVENT_STOP) != 0) return false;
  }
}

static void supervisor__note_death(struct tsb_instance* instance, struct tsb_stub* stub, bool restarting) {
  char how[700];
  tsb_stub_process_log(&stub->process);
  tsb_stub_process_describe_end(&stub->process, how, sizeof how);
  pthread_mutex_lock(&instance->lock);
  if (instance->timed_out) {
    snprintf(how, sizeof how, "The model's execute did not answer within %lld seconds (EXECUTE_TIMEOUT_SECONDS).",
             (long long)(instance->model->settings.execute_timeout_ms / 1000));
  }
  instance->timed_out = false;
  snprintf(instance->reason, sizeof instance->reason, "%s %s", how,
           instance->model->settings.restart ? "It is being restarted; send the request again."
                                             : "Restarting is switched off; reload the model.");
  if (instance->state != TSB_INSTANCE_STOPPING) {
    instance->state = restarting ? TSB_INSTANCE_RESTARTING : TSB_INSTANCE_DOWN;
  }
  pthread_cond_broadcast(&instance->changed);
  // Execute may still be reading this stub's memory.
  while (instance->users > 0) pthread_cond_wait(&instance->changed, &instance->lock);
  instance->stub = NULL;
  pthread_mutex_unlock(&instance->lock);
  TSB_LOG(ERROR, "Stub process '%s' is not healthy. %s", instance->name, instance->reason);
  tsb_readiness_lose(&instance->readiness);
  // The threads that use the stub have left and no new one can come in, so this thread may finish what is in flight.
  pthread_mutex_lock(&instance->reading);
  while (tsb_reader_drain(instance, stub) > 0) {
  }
  tsb_answers_fail_all(instance, stub, instance->reason);
  instance->model_free_ns = instance->reader_free_ns = instance->last_answer_ns = instance->compute_ns = 0;
  pthread_mutex_unlock(&instance->reading);
}

// Waits out the back-off and starts stubs until one runs. NULL: the instance is to be removed.
static struct tsb_stub* supervisor__restart(struct tsb_instance* instance, uint32_t quick_deaths) {
  uint64_t delay_ms = 0;
  for (;;) {
    if (quick_deaths > 1) {
      uint32_t doublings = quick_deaths - 2 > 16 ? 16 : quick_deaths - 2;
      delay_ms = (uint64_t)instance->model->settings.restart_backoff_ms << doublings;
      if (delay_ms > MAX_BACKOFF_MS) delay_ms = MAX_BACKOFF_MS;
    }
    if (delay_ms > 0) {
      struct pollfd item = {.fd = instance->stop_fd, .events = POLLIN};
      tsb_instance_set_state(instance, TSB_INSTANCE_DOWN);
      TSB_LOG(WARN, "Stub process '%s' is restarted in %llu ms.", instance->name, (unsigned long long)delay_ms);
      poll(&item, 1, (int)delay_ms);
    }
    if (supervisor__must_stop(instance)) return NULL;
    tsb_instance_set_state(instance, TSB_INSTANCE_RESTARTING);
    struct tsb_stub* stub;
    TRITONSERVER_Error* error = tsb_instance_stub_start(instance, &stub);
    if (error == NULL) return stub;
    if (supervisor__must_stop(instance)) {
      TRITONSERVER_ErrorDelete(error);
      return NULL;
    }
    pthread_mutex_lock(&instance->lock);
    snprintf(instance->reason, sizeof instance->reason, "Its restart failed: %s",
             instance->model->settings.expose_errors ? TRITONSERVER_ErrorMessage(error) : "see the server's log.");
    pthread_mutex_unlock(&instance->lock);
    tsb_error_log(error, "Restarting a stub process failed");
    quick_deaths = quick_deaths < 2 ? 2 : quick_deaths + 1;
  }
}

static void* supervisor__run(void* argument) {
  struct tsb_instance* instance = argument;
  struct tsb_stub* stub = instance->stub;
  uint32_t quick_deaths = 0;
  pthread_setname_np(pthread_self(), "ts-supervisor");
  while (supervisor__watch(instance, stub)) {
    bool quick = tsb_now_ns() - stub->process.started_ns < UINT64_C(1000000) * QUICK_DEATH_MS;
    quick_deaths = quick ? quick_deaths + 1 : 0;
    supervisor__note_death(instance, stub, instance->model->settings.restart && quick_deaths < 2);
    tsb_stub_destroy(stub);
    supervisor__show(instance, NULL);
    if (!instance->model->settings.restart) {
      struct pollfd item = {.fd = instance->stop_fd, .events = POLLIN};
      while (poll(&item, 1, -1) < 0 && errno == EINTR) {
      }
      return NULL;
    }
    stub = supervisor__restart(instance, quick_deaths);
    if (stub == NULL) return NULL;
    pthread_mutex_lock(&instance->lock);
    instance->stub = stub;
    if (instance->state != TSB_INSTANCE_STOPPING) instance->state = TSB_INSTANCE_RUNNING;
    pthread_cond_broadcast(&instance->changed);
    pthread_mutex_unlock(&instance->lock);
    tsb_builtin_metrics_count(&instance->builtin, TSB_BUILTIN_RESTARTS);
    TSB_LOG(INFO, "Stub process '%s' was restarted.", instance->name);
  }
  return NULL;
}

int tsb_supervisor_start(struct tsb_instance* instance) {
  int status = pthread_create(&instance->supervisor, NULL, supervisor__run, instance);
  instance->supervised = status == 0;
  return -status;
}

void tsb_supervisor_stop(struct tsb_instance* instance) {
  uint64_t one = 1;
  tsb_instance_set_state(instance, TSB_INSTANCE_STOPPING);
  if (!instance->supervised) return;
  ssize_t written = write(instance->stop_fd, &one, sizeof one);
  (void)written;  // the counter cannot be full: this is its only write
  pthread_join(instance->supervisor, NULL);
  instance->supervised = false;
}
