// SPDX-License-Identifier: Apache-2.0
// One stub: a Node process with its memory, its control channel and its rings. A stub lives from its start to its one
// death; supervisor.c replaces a dead one by a new one.
#ifndef TSB_STUB_H
#define TSB_STUB_H

#include "metric_table.h"
#include "open_calls.h"
#include "outbox.h"
#include "payload.h"
#include "stub_events.h"

// The threads that take turns in reading answers, by the eventfd that wakes them.
enum tsb_waker { TSB_WAKER_SUPERVISOR, TSB_WAKER_EXECUTE, TSB_WAKER_COUNT };

struct tsb_stub {
  struct tsb_stub_process process;
  struct tsb_stub_memory memory;
  struct tsb_stub_channel channel;
  int wake_stub_fd;  // eventfds, see ring.h; this one never leaves the server
  int watch_fd;      // what the stub gets in its place
  int wake_shim_fds[TSB_WAKER_COUNT];
  struct tsb_outbox to_stub;
  struct tsb_ring to_shim;  // used by the one thread that reads answers
  bool checks_ready;        // the model has something to say about it, see readiness.h
  bool broken;              // it broke the protocol: its answers are not read any more; used by the same thread
  uint64_t refused_ns;      // when the log was told of an answer that its request does not allow; 0: never
  uint32_t refused_count;   // such answers since then; both used by the same thread
  struct tsb_open_calls calls;
  struct tsb_metric_table metrics;
  uint32_t references;  // of who made it, and of each open call; atomic
};

// What is asked of a stub over its control channel.
struct tsb_stub_question {
  uint32_t method;
  const struct tsb_text* payload;  // NULL: none
  const int* descriptors;
  uint32_t descriptor_count;
  int64_t timeout_ms;  // 0: no limit
  // Called when entries of the stub may be there; NULL: it has nothing to say but the reply.
  void (*on_entries)(void* context, struct tsb_stub* stub);
  void* context;
  int stop_fd;  // becoming readable ends the wait; -1: nothing does
};

// Starts the process and shakes hands. *stub is NULL after an error.
TRITONSERVER_Error* tsb_stub_start(struct tsb_stub** stub, const struct tsb_stub_plan* plan);
// Asks and waits for the reply, while the stub's output is logged and its frames are dealt with. An error that the stub
// replies with is the error returned. On success *reply must be freed.
TRITONSERVER_Error* tsb_stub_ask(struct tsb_stub* stub, const struct tsb_stub_question* question,
                                 struct tsb_message* reply);
// Sends entries to the stub; any thread may. A stub that lies about what it has taken is killed, and its death answers
// the requests.
void tsb_stub_post(struct tsb_stub* stub, const struct tsb_entry* entries, uint32_t count);
// Sends what the ring had no room for; for the thread that looks after the stub.
void tsb_stub_flush(struct tsb_stub* stub);
// Address of a place in a region of the shim or of the stub, also when the frame that announces the region is still on
// the way; NULL: there is none.
const uint8_t* tsb_stub_resolve(struct tsb_stub* stub, const struct tsb_place* place);
// Kills what is left and waits for the process. The memory stays for the calls of other models that are open, whose
// inputs lie there and are read still.
void tsb_stub_destroy(struct tsb_stub* stub);
// Keeps the memory of a stub for a call that is to be open, and lets it go.
void tsb_stub_retain(struct tsb_stub* stub);
void tsb_stub_release(struct tsb_stub* stub);

#endif
