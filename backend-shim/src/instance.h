// SPDX-License-Identifier: Apache-2.0
// One model instance: its one stub, its batches in flight, and the thread that looks after the stub.
//
//   Execute (Triton's thread)    encodes a batch, wakes the stub and, with one batch in flight, reads the answers itself
//   supervisor (one thread)      logs what the stub prints, notices its death, restarts it; with more than one batch in
//                                flight it also reads the answers
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

struct tsb_instance {
  TRITONBACKEND_ModelInstance* triton;
  struct tsb_model* model;
  char* name;
  const char* kind;
  char device_id[16];
  char* visible_devices;
  bool overlapped;  // more than one batch may be in flight
  struct tsb_encoder encoder;  // of the executing thread
  pthread_t supervisor;
  bool supervised;
  int stop_fd;

  pthread_mutex_t lock;    // of all below; process-local
  pthread_cond_t changed;  // state, users or in_flight
  enum tsb_instance_state state;
  struct tsb_stub* stub;   // NULL unless RUNNING (or dying)
  uint32_t users;          // threads between enter and leave: the stub must not be freed
  struct tsb_batch_table batches;
  bool timed_out;          // the stub was killed because a batch took too long
  char reason[1024];       // why the stub is not healthy
};

TRITONSERVER_Error* tsb_instance_new(struct tsb_instance** instance, TRITONBACKEND_ModelInstance* triton);
void tsb_instance_delete(struct tsb_instance* instance);
// Owns the requests from here on, whatever happens.
void tsb_instance_execute(struct tsb_instance* instance, TRITONBACKEND_Request** requests, uint32_t count);
TRITONSERVER_Error* tsb_instance_ready(struct tsb_instance* instance);

// --- Between instance.c, answers.c and supervisor.c ---
// Starts a stub for this instance and runs the model's initialize.
TRITONSERVER_Error* tsb_instance_start_stub(struct tsb_instance* instance, struct tsb_stub** stub);
// Reads all answers that are there. Negative: the stub broke the protocol and was killed.
int tsb_answers_drain(struct tsb_instance* instance, struct tsb_stub* stub);
// Waits for the answers to one batch, which is all that is in flight.
void tsb_answers_wait(struct tsb_instance* instance, struct tsb_stub* stub, struct tsb_batch_slot* slot);
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
