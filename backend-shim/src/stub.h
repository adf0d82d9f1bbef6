// SPDX-License-Identifier: Apache-2.0
// One stub: a Node process with its regions, rings and control channel. A stub lives from spawn to its one death;
// instance.c replaces a dead one by a new one.
#ifndef TSB_STUB_H
#define TSB_STUB_H

#include <pthread.h>
#include <sys/types.h>

#include "arena.h"
#include "batch.h"
#include "channel.h"
#include "log_pipe.h"
#include "ring.h"
#include "settings.h"

// The threads that take turns in reading answers, by the eventfd that wakes them.
enum tsb_waker { TSB_WAKER_SUPERVISOR, TSB_WAKER_EXECUTE, TSB_WAKER_COUNT };

struct tsb_stub {
  char* name;  // the instance's, for the log and for errors
  pid_t pid;
  int pidfd;         // readable once the process is dead
  int channel;       // control channel
  int wake_stub_fd;  // eventfds, see ring.h
  int wake_shim_fds[TSB_WAKER_COUNT];
  uint64_t started_ns;
  struct tsb_log_pipe out, err;
  struct tsb_ring to_stub;       // used by the thread that executes
  struct tsb_ring to_shim;       // used by the one thread that reads answers
  bool broken;                   // it broke the protocol: its answers are not read any more; used by the same thread
  pthread_mutex_t channel_lock;  // reading the channel; process-local; taken before memory_lock
  pthread_mutex_t memory_lock;   // regions, inbound and lender, and sending what they announce; process-local
  struct tsb_region_table regions;
  struct tsb_arena inbound;
  struct tsb_lender lender;
  uint64_t stub_region_bytes;  // of the regions that the stub made
  uint64_t max_region_bytes;
};

struct tsb_stub_plan {
  const char* name;
  const char* node;   // path of the Node binary
  const char* entry;  // path of the stub's main.js
  const struct tsb_settings* settings;
  int maps_fd;                  // see mapping.h
  const char* visible_devices;  // CUDA_VISIBLE_DEVICES of the process, NULL: as the server's
};

// Starts the process and shakes hands. *stub is NULL after an error.
TRITONSERVER_Error* tsb_stub_start(struct tsb_stub** stub, const struct tsb_stub_plan* plan);
// Sends a request of the control channel and waits for its answer while the stub's output is logged. `timeout_ms` 0
// means no limit. `stop_fd` (or -1) becoming readable ends the wait. The answer's "error" is turned into an error
// here. On success *answer must be freed.
TRITONSERVER_Error* tsb_stub_call(struct tsb_stub* stub, uint32_t kind, const char* payload, size_t payload_bytes,
                                  uint32_t answer_kind, int64_t timeout_ms, int stop_fd, struct tsb_message* answer);
// Handles what came on the control channel outside of a call (regions). Negative: the channel is broken.
int tsb_stub_read_channel(struct tsb_stub* stub);
// Address of a place in shared memory, also when the message that announces its region is still on the way; NULL: bad.
uint8_t* tsb_stub_resolve(struct tsb_stub* stub, const struct tsb_place* place);
// Whether the model writes into its inputs, as the stub says: then none may be lent.
bool tsb_stub_writes_inputs(const struct tsb_stub* stub);
// How often a client cut a region short that the stub read, as the stub says.
uint32_t tsb_stub_regions_lost(const struct tsb_stub* stub);
// Frees the block of a batch and ends its loans. -EINVAL: the block was not allocated.
int tsb_stub_free_batch(struct tsb_stub* stub, struct tsb_batch_slot* slot);
bool tsb_stub_is_dead(const struct tsb_stub* stub);
void tsb_stub_kill(struct tsb_stub* stub);  // the process and all its children; returns at once
// A sentence that says how the process ended: "It was killed by signal 9 (Killed)."
void tsb_stub_describe_death(struct tsb_stub* stub, char* text, size_t bytes);
// Kills what is left, waits for the process and frees all.
void tsb_stub_destroy(struct tsb_stub* stub);

#endif
