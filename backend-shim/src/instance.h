// SPDX-License-Identifier: Apache-2.0
// One model instance: its one stub, its batches in flight, and the thread that looks after the stub.
//
//   Execute (Triton's thread)    encodes a batch, wakes the stub, and reads answers until there is room for one more
//   batch supervisor (one thread)      logs what the stub prints, notices its death, restarts it; reads the answers
//   that come
//                                while Execute is not there
//
// The two take turns as the reader of answers: `reading` is held by who reads, and the ring's consumer_sleeps names the
// eventfd of who wants to be woken (enum tsb_waker), so that an answer wakes one thread.
#ifndef TSB_INSTANCE_H
#define TSB_INSTANCE_H

#include "batch.h"
#include "encode_request.h"
#include "model.h"

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

// How often the time limits of batches in flight are looked at.
enum { TSB_CHECK_TIME_MS = 1000 };
// With more hurry than this, requests are a crowd, and cores have better things to do than to wait for one of them.
enum { TSB_HURRY_ALL = 1 << 16, TSB_HURRY_OF_CROWD = TSB_HURRY_ALL / 5 };
// Batches that may wait in the stub at most while the model executes others.
enum { TSB_MAX_PREFETCH = 4 };

struct tsb_instance {
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
  struct tsb_encoder encoder;  // of the executing thread
  pthread_t supervisor;
  bool supervised;
  int stop_fd;
  int timer_fd;  // ticks while batches are in flight, so that an idle instance never wakes up

  pthread_mutex_t reading;  // held by the thread that reads answers; taken before `lock`
  uint32_t look_wanted;     // the supervisor was woken for an answer but found `reading` taken; atomic
  uint32_t hurry;    // share of the last calls of Execute that followed at once on the one before, of TSB_HURRY_ALL
  uint64_t left_ns;  // when Execute left last
  uint64_t model_free_ns;      // when the stub wrote the last answer of the batch answered last
  uint64_t reader_free_ns;     // when the reader was done with it
  uint64_t last_answer_ns;     // of the batch answered last; written by the reader, as the next, but under `lock`
  uint64_t recent_compute_ns;  // how long the model takes for one, averaged over the last few

  pthread_mutex_t lock;    // of all below; process-local
  pthread_cond_t changed;  // state, users or in_flight
  enum tsb_instance_state state;
  struct tsb_stub* stub;  // NULL unless RUNNING (or dying)
  uint32_t users;         // threads between enter and leave: the stub must not be freed
  bool ticking;           // timer_fd is armed
  struct tsb_batch_table batches;
  bool timed_out;     // the stub was killed because a batch took too long
  char reason[1024];  // why the stub is not healthy
};

TRITONSERVER_Error* tsb_instance_new(struct tsb_instance** instance, TRITONBACKEND_ModelInstance* triton);
void tsb_instance_delete(struct tsb_instance* instance);
// Owns the requests from here on, whatever happens.
void tsb_instance_execute(struct tsb_instance* instance, TRITONBACKEND_Request** requests, uint32_t count);
TRITONSERVER_Error* tsb_instance_ready(struct tsb_instance* instance);

// --- Between instance.c, answers.c and supervisor.c ---
// Whether requests come few at a time. The executing thread's to ask.
static inline bool tsb_instance_is_calm(const struct tsb_instance* instance) {
  return instance->hurry < TSB_HURRY_OF_CROWD;
}
// Starts a stub for this instance and runs the model's initialize.
TRITONSERVER_Error* tsb_instance_start_stub(struct tsb_instance* instance, struct tsb_stub** stub);
// Reads all answers that are there; the caller holds `reading`. Negative: the stub broke the protocol and was killed.
int tsb_answers_drain(struct tsb_instance* instance, struct tsb_stub* stub);
// Execute, before it hands a batch over: becomes the reader if nobody else is. Returns whether it did.
bool tsb_answers_begin(struct tsb_instance* instance, struct tsb_stub* stub);
// Execute, afterwards: reads answers until there is room for one more batch, and leaves the rest to the supervisor.
void tsb_answers_serve(struct tsb_instance* instance, struct tsb_stub* stub, bool is_reader, uint64_t exec_start_ns);
// Execute, instead of tsb_answers_serve, when nothing was handed over.
void tsb_answers_leave(struct tsb_instance* instance, struct tsb_stub* stub);
// Supervisor, woken by an answer: reads what is there unless Execute does.
void tsb_answers_look(struct tsb_instance* instance, struct tsb_stub* stub);
// Fails every request in flight; nobody reads answers any more.
void tsb_answers_fail_all(struct tsb_instance* instance, struct tsb_stub* stub, const char* reason);
// Fails one request that never became part of a batch.
void tsb_answers_fail_request(struct tsb_instance* instance, TRITONBACKEND_Request* request, uint64_t exec_start_ns,
                              TRITONSERVER_Error* error);
// Looks at the time limits of the batches in flight; kills the stub when one is over.
void tsb_answers_check_time(struct tsb_instance* instance, struct tsb_stub* stub);
TRITONSERVER_Error* tsb_instance_unhealthy(const struct tsb_instance* instance, const char* reason);
int tsb_supervisor_start(struct tsb_instance* instance);  // 0 or -errno
void tsb_supervisor_stop(struct tsb_instance* instance);

#endif
