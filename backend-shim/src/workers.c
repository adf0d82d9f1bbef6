// SPDX-License-Identifier: Apache-2.0
#include "workers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void tsb_workers_init(struct tsb_workers* workers) {
  *workers = (struct tsb_workers){0};
  workers->last = &workers->first;
  pthread_mutex_init(&workers->lock, NULL);
  pthread_cond_init(&workers->changed, NULL);
}

static bool workers__may_run(const struct tsb_workers* workers, const struct tsb_job* job) {
  if (job->key == NULL) return true;
  for (const struct tsb_worker* worker = workers->workers; worker != NULL; worker = worker->next) {
    if (worker->key != NULL && strcmp(worker->key, job->key) == 0) return false;
  }
  return true;
}

// The first one that may run. Whoever ends a job looks for the next, so one that waited for its key is not forgotten.
static struct tsb_job* workers__take(struct tsb_workers* workers) {
  struct tsb_job** at = &workers->first;
  while (*at != NULL && !workers__may_run(workers, *at)) at = &(*at)->next;
  struct tsb_job* job = *at;
  if (job == NULL) return NULL;
  *at = job->next;
  if (job->next == NULL) workers->last = at;
  return job;
}

static void* workers__work(void* argument) {
  struct tsb_worker* self = argument;
  struct tsb_workers* workers = self->all;
  if (self->own != NULL) self->own->run(self->own);
  pthread_mutex_lock(&workers->lock);
  if (self->own == NULL) {
    for (struct tsb_job* job; (job = workers__take(workers)) != NULL;) {
      self->key = job->key;
      job->key = NULL;
      pthread_mutex_unlock(&workers->lock);
      job->run(job);
      pthread_mutex_lock(&workers->lock);
      free(self->key);
      self->key = NULL;
    }
    workers->shared_count--;
  }
  self->is_done = true;
  pthread_cond_broadcast(&workers->changed);
  pthread_mutex_unlock(&workers->lock);
  return NULL;
}

// Whoever holds the lock joins without waiting: one that is done does not take it any more.
static void workers__join_done(struct tsb_workers* workers) {
  for (struct tsb_worker** at = &workers->workers; *at != NULL;) {
    struct tsb_worker* worker = *at;
    if (!worker->is_done) {
      at = &worker->next;
      continue;
    }
    *at = worker->next;
    pthread_join(worker->thread, NULL);
    free(worker);
  }
}

// One thread more, for a job of its own or, if that is NULL, for all. 0 or -errno.
static int workers__start(struct tsb_workers* workers, struct tsb_job* own) {
  struct tsb_worker* worker = malloc(sizeof *worker);
  if (worker == NULL) return -ENOMEM;
  *worker = (struct tsb_worker){.own = own, .all = workers, .next = workers->workers};
  int status = pthread_create(&worker->thread, NULL, workers__work, worker);
  if (status != 0) {
    free(worker);
    return -status;
  }
  workers->workers = worker;
  if (own == NULL) workers->shared_count++;
  return 0;
}

static int workers__run_in_turn(struct tsb_workers* workers, struct tsb_job* job) {
  int status = workers->shared_count < TSB_MAX_WORKERS ? workers__start(workers, NULL) : 0;
  if (status < 0 && workers->shared_count == 0) return status;
  job->next = NULL;
  *workers->last = job;
  workers->last = &job->next;
  return 0;
}

int tsb_workers_run(struct tsb_workers* workers, struct tsb_job* job) {
  pthread_mutex_lock(&workers->lock);
  workers__join_done(workers);
  int status = job->is_urgent ? workers__start(workers, job) : workers__run_in_turn(workers, job);
  pthread_mutex_unlock(&workers->lock);
  return status;
}

void tsb_workers_destroy(struct tsb_workers* workers) {
  pthread_mutex_lock(&workers->lock);
  while (workers__join_done(workers), workers->workers != NULL) {
    pthread_cond_wait(&workers->changed, &workers->lock);
  }
  pthread_mutex_unlock(&workers->lock);
  pthread_cond_destroy(&workers->changed);
  pthread_mutex_destroy(&workers->lock);
}
