// SPDX-License-Identifier: Apache-2.0
// Jobs run once each, as many at a time as there may be threads; the rest waits for its turn, but for what is urgent.
#include "workers.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "check.h"

enum { JOBS = 3 * TSB_MAX_WORKERS };

struct test_job {
  struct tsb_job job;
  atomic_int runs;
};

static struct test_job jobs[JOBS];
static atomic_int running, done;
static atomic_bool open_gate;

static void run(struct tsb_job* job) {
  struct test_job* self = (struct test_job*)job;
  running++;
  while (!open_gate) usleep(500);
  running--;
  self->runs++;
  done++;
}

static void wait_for(atomic_int* number, int value) {
  for (int i = 0; *number != value; i++) {
    if (i == 60000) CHECK_FAIL("it is %d, and not %d", *number, value);
    usleep(1000);
  }
}

static void begin(struct tsb_workers* workers, bool gate) {
  open_gate = gate;
  done = 0;
  for (int i = 0; i < JOBS; i++) jobs[i] = (struct test_job){.job = {.run = run}};
  tsb_workers_init(workers);
}

static void test_many(void) {
  struct tsb_workers workers;
  begin(&workers, false);
  for (int i = 0; i < JOBS; i++) {
    CHECK_INT(tsb_workers_run(&workers, &jobs[i].job), 0);
  }
  wait_for(&running, TSB_MAX_WORKERS);
  CHECK_INT(done, 0);
  open_gate = true;
  tsb_workers_destroy(&workers);  // waits for all, also for those that had not begun
  CHECK_INT(done, JOBS);
  CHECK_INT(running, 0);
  for (int i = 0; i < JOBS; i++) CHECK_INT(jobs[i].runs, 1);
}

static atomic_int next_of_key, running_of_key;

static void run_with_key(struct tsb_job* job) {
  CHECK_INT(running_of_key++, 0);
  CHECK_INT((struct test_job*)job - jobs, next_of_key++);
  run(job);
  running_of_key--;
}

// Of those with one key one runs at a time, in their order, and they hold up nobody else.
static void test_keys(void) {
  struct tsb_workers workers;
  begin(&workers, false);
  for (int i = 0; i < JOBS; i++) {
    bool is_free = i >= JOBS - 2;
    jobs[i].job.run = is_free ? run : run_with_key;
    jobs[i].job.key = i == JOBS - 1 ? NULL : strdup(is_free ? "other" : "same");
    CHECK_INT(tsb_workers_run(&workers, &jobs[i].job), 0);
  }
  wait_for(&running, 3);
  open_gate = true;
  tsb_workers_destroy(&workers);
  CHECK_INT(done, JOBS);
  CHECK_INT(next_of_key, JOBS - 2);
}

// Threads end when there is nothing to do, and others come after them.
static void test_one_after_the_other(void) {
  struct tsb_workers workers;
  begin(&workers, true);
  for (int i = 0; i < JOBS; i++) {
    CHECK_INT(tsb_workers_run(&workers, &jobs[i].job), 0);
    if (i % 2 == 0) wait_for(&done, i + 1);
  }
  tsb_workers_destroy(&workers);
  CHECK_INT(done, JOBS);
}

static void open_the_gate(struct tsb_job* job) {
  (void)job;
  open_gate = true;
}

// All threads do what waits, directly or not, for what only this job brings about.
static void test_urgent(void) {
  struct tsb_workers workers;
  struct tsb_job urgent[] = {{.run = open_the_gate, .is_urgent = true}, {.run = open_the_gate, .is_urgent = true}};
  begin(&workers, false);
  for (int i = 0; i < JOBS; i++) CHECK_INT(tsb_workers_run(&workers, &jobs[i].job), 0);
  wait_for(&running, TSB_MAX_WORKERS);
  for (int i = 0; i < 2; i++) CHECK_INT(tsb_workers_run(&workers, &urgent[i]), 0);
  wait_for(&done, JOBS);
  tsb_workers_destroy(&workers);
}

static void test_none(void) {
  struct tsb_workers workers;
  begin(&workers, true);
  tsb_workers_destroy(&workers);
}

int main(void) {
  test_many();
  test_keys();
  test_one_after_the_other();
  test_urgent();
  test_none();
  return 0;
}
