// SPDX-License-Identifier: Apache-2.0
// What the threads of one model instance share: its one stub, its batches, and who reads answers. The threads are
//
//   Execute      Triton's (execute.c): encodes a batch, hands it over, reads answers until there is room for one more
//   supervisor   ours (supervisor.c): logs what the stub prints, notices its death, restarts it; reads the answers that
//                come while Execute is not there
//
// and each field says whose it is. Locks are process-local, and taken in this order: `reading`, `lock`; the stub's own
// locks (stub_channel.h, stub_memory.h, outbox.h, open_calls.h) come after both, and the backend's list of instances
// before both. `reading` is held while a response is sent and a request is released, so nothing that Triton may call
// back from there may take it; `lock` and the stub's locks never are.
#ifndef TSB_INSTANCE_STATE_H
#define TSB_INSTANCE_STATE_H

#include "batch.h"
#include "builtin_metrics.h"
#include "model.h"
#include "readiness.h"
#include "request_record.h"

//   RUNNING --death--> RESTARTING --started--> RUNNING
//                       |    ^
//                  failed    back-off over (or at once after a first death)
//                       v    |
//                       DOWN-+            any --finalize--> STOPPING
enum tsb_instance_state {
  TSB_INSTANCE_RUNNING,
  TSB_INSTANCE_RESTARTING,  // requests wait
  TSB_INSTANCE_DOWN,        // requests fail at once, with `reason`
  TSB_INSTANCE_STOPPING,
};

// How often the time limits of batches in flight are looked at, and how often it is asked whether anybody still waits
// for a request that is open.
enum { TSB_CHECK_TIME_MS = 1000, TSB_CHECK_CANCEL_MS = 10 };

// What the instance's timer does, so that an idle instance never wakes up.
enum tsb_ticking {
  TSB_TICKING_NOT,
  TSB_TICKING_SLOWLY,   // every TSB_CHECK_TIME_MS: something was in flight lately
  TSB_TICKING_QUICKLY,  // every TSB_CHECK_CANCEL_MS: requests are open and no thread sleeps in Execute for them
};

struct tsb_instance {
  // --- Set before there is a second thread
  TRITONBACKEND_ModelInstance* triton;
  struct tsb_model* model;
  char* name;
  const char* kind;
  char device_id[16];
  char* visible_devices;
  // How many batches the model may execute at once, and whether more may wait in the stub: handed over while the model
  // is busy, so that neither process sleeps between two short batches.
  uint32_t concurrency;
  bool prefetches;
  pthread_t supervisor;
  bool supervised;
  int stop_fd;
  int timer_fd;                        // see `ticking`
  struct tsb_builtin_metrics builtin;  // the gauges are the supervisor's

  struct tsb_instance* next_of_backend;  // under the backend's instances_lock

  // --- Of the supervisor
  uint64_t checked_ns;  // when it looked at time limits last

  // --- Of the thread that executes
  struct tsb_encoder encoder;

  // --- Of the thread that reads answers, which holds `reading` (reader.h)
  pthread_mutex_t reading;
  uint32_t look_wanted;  // the supervisor was woken for an answer but found `reading` taken; atomic, no lock
  uint32_t
      at_once_share;  // how often Execute follows at once on itself, see pace.h; written by the thread that executes
  uint64_t left_ns;   // when Execute left last
  uint64_t model_free_ns;   // when the stub wrote the last answer of the batch answered last; written under `lock`, too
  uint64_t reader_free_ns;  // when the reader was done with it; as above
  uint64_t last_answer_ns;  // of the batch answered last; written under `lock`, too, where others read it
  uint64_t compute_ns;      // how long the model takes for one, averaged over the last few; 0: not known

  // --- With a lock of its own
  struct tsb_readiness readiness;

  // --- Of who holds `lock`
  pthread_mutex_t lock;
  pthread_cond_t changed;  // state, users or batches
  enum tsb_instance_state state;
  struct tsb_stub* stub;  // NULL unless RUNNING (or dying)
  uint32_t users;         // threads between enter and leave: the stub must not be freed
  enum tsb_ticking ticking;
  struct tsb_batch_table batches;
  bool timed_out;     // the stub was killed because a batch took too long
  char reason[1024];  // why the stub is not healthy
};

// Sets the timer; the caller holds `lock`.
void tsb_instance_tick(struct tsb_instance* instance, enum tsb_ticking ticking);
// Makes the locks and the rest that must be there before anything can fail.
void tsb_instance_state_init(struct tsb_instance* instance);
void tsb_instance_state_destroy(struct tsb_instance* instance);
// Puts the instance into the backend's list of all, and takes it out.
void tsb_instance_enlist(struct tsb_instance* instance);
void tsb_instance_delist(struct tsb_instance* instance);
void tsb_instance_set_state(struct tsb_instance* instance, enum tsb_instance_state state);
// Waits for a running stub in which fewer than MAX_OPEN_REQUESTS are open, and for one that is being restarted no
// longer than a short while: a model whose initialize takes minutes must not hold its requests, and with them its
// unloading, for as long. Until tsb_instance_leave the stub is not destroyed. NULL: it is down, *error says why.
struct tsb_stub* tsb_instance_enter(struct tsb_instance* instance, TRITONSERVER_Error** error);
void tsb_instance_leave(struct tsb_instance* instance);
// What a client is told whose request cannot be served: the first sentence is always the same.
TRITONSERVER_Error* tsb_instance_error_unhealthy(const struct tsb_instance* instance, const char* reason);

#endif
