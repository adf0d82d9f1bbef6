// SPDX-License-Identifier: Apache-2.0
// Threads for what waits long: a bounded number, started when there is something to do, and ended when there is
// nothing. What is more than they can do at once waits for its turn.
#ifndef TSB_WORKERS_H
#define TSB_WORKERS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

// As many loads of models may be nested in each other, one in the initialize of another. The server's own limit is
// lower, unless its option --model-load-thread-count says something else.
enum { TSB_MAX_WORKERS = 16 };

// Part of what is to be done, which `run` frees.
struct tsb_job {
  void (*run)(struct tsb_job* job);
  struct tsb_job* next;
};

struct tsb_worker {
  pthread_t thread;
  enum { TSB_WORKER_NONE, TSB_WORKER_RUNS, TSB_WORKER_IS_DONE } state;  // done: it only has to be joined
  struct tsb_workers* all;
};

struct tsb_workers {
  pthread_mutex_t lock;  // of all below; process-local; nothing else is locked under it
  pthread_cond_t changed;
  struct tsb_job* first;
  struct tsb_job** last;
  struct tsb_worker workers[TSB_MAX_WORKERS];
};

void tsb_workers_init(struct tsb_workers* workers);
// 0, and the job runs once, soon; or -errno where there is no thread for it and none can be started.
int tsb_workers_run(struct tsb_workers* workers, struct tsb_job* job);
// Waits until all jobs are done. No new one may come.
void tsb_workers_destroy(struct tsb_workers* workers);

#endif
