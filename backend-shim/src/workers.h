// SPDX-License-Identifier: Apache-2.0
// Threads for what waits long: started when there is something to do, and ended when there is nothing. Their number is
// bounded, and what is more than they can do at once waits for its turn, and so does what has the key of another
// one; but for what is urgent.
#ifndef TSB_WORKERS_H
#define TSB_WORKERS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

enum { TSB_MAX_WORKERS = 16 };

// Part of what is to be done, which `run` frees.
struct tsb_job {
  void (*run)(struct tsb_job* job);
  // Who waits for it may be who the others wait for: it has a thread of its own, so that it never waits for them.
  bool is_urgent;
  struct tsb_job* next;
  char* key;  // allocated, or NULL: of those with the same key one runs at a time, in order, but for urgent ones
};

struct tsb_worker {
  pthread_t thread;
  bool is_done;         // it only has to be joined
  struct tsb_job* own;  // the only job that it does; NULL: all that wait for their turn
  struct tsb_workers* all;
  struct tsb_worker* next;
  char* key;  // of the job that runs
};

struct tsb_workers {
  pthread_mutex_t lock;  // of all below; process-local; nothing else is locked under it
  pthread_cond_t changed;
  struct tsb_job* first;
  struct tsb_job** last;
  struct tsb_worker* workers;
  uint32_t shared_count;  // of those that do what waits for its turn
};

void tsb_workers_init(struct tsb_workers* workers);
// 0, and the job runs once, soon; or -errno where there is no thread for it and none can be started.
int tsb_workers_run(struct tsb_workers* workers, struct tsb_job* job);
// Waits until all jobs are done. No new one may come.
void tsb_workers_destroy(struct tsb_workers* workers);

#endif
