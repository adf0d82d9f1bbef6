// SPDX-License-Identifier: Apache-2.0
#include "workers.h"

#include <stddef.h>

void tsb_workers_init(struct tsb_workers* workers) {
  *workers = (struct tsb_workers){0};
  workers->last = &workers->first;
  pthread_mutex_init(&workers->lock, NULL);
  pthread_cond_init(&workers->changed, NULL);
}

static struct tsb_job* workers__take(struct tsb_workers* workers) {
  struct tsb_job* job = workers->first;
  if (job == NULL) return NULL;
  workers->first = job->next;
  if (workers->first == NULL) workers->last = &workers->first;
  return job;
}

static void* workers__work(void* argument) {
  struct tsb_worker* self = argument;
  struct tsb_workers* workers = self->all;
  pthread_mutex_lock(&workers->lock);
  for (struct tsb_job* job; (job = workers__take(workers)) != NULL;) {
    pthread_mutex_unlock(&workers->lock);
    job->run(job);
    pthread_mutex_lock(&workers->lock);
  }
  self->state = TSB_WORKER_IS_DONE;
  pthread_cond_broadcast(&workers->changed);
  pthread_mutex_unlock(&workers->lock);
  return NULL;
}

// Whoever holds the lock joins without waiting: one that is done does not take it any more.
static void workers__join(struct tsb_worker* worker) {
  if (worker->state == TSB_WORKER_IS_DONE) pthread_join(worker->thread, NULL);
  worker->state = TSB_WORKER_NONE;
}

// One thread more, if there is room for it. 0, or -errno when there is none at all.
static int workers__start(struct tsb_workers* workers) {
  struct tsb_worker* place = NULL;
  bool any = false;
  for (int i = 0; i < TSB_MAX_WORKERS; i++) {
    struct tsb_worker* worker = &workers->workers[i];
    if (worker->state == TSB_WORKER_RUNS) {
      any = true;
    } else {
      place = worker;
    }
  }
  if (place == NULL) return 0;
  workers__join(place);
  place->all = workers;
  int status = pthread_create(&place->thread, NULL, workers__work, place);
  if (status == 0) place->state = TSB_WORKER_RUNS;
  return any ? 0 : -status;
}

int tsb_workers_run(struct tsb_workers* workers, struct tsb_job* job) {
  pthread_mutex_lock(&workers->lock);
  int status = workers__start(workers);
  if (status == 0) {
    job->next = NULL;
    *workers->last = job;
    workers->last = &job->next;
  }
  pthread_mutex_unlock(&workers->lock);
  return status;
}

void tsb_workers_destroy(struct tsb_workers* workers) {
  pthread_mutex_lock(&workers->lock);
  for (int i = 0; i < TSB_MAX_WORKERS; i++) {
    while (workers->workers[i].state == TSB_WORKER_RUNS) pthread_cond_wait(&workers->changed, &workers->lock);
    workers__join(&workers->workers[i]);
  }
  pthread_mutex_unlock(&workers->lock);
  pthread_cond_destroy(&workers->changed);
  pthread_mutex_destroy(&workers->lock);
}
