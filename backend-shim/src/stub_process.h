// SPDX-License-Identifier: Apache-2.0
// The process of a stub: its start, what it prints, its end. It belongs to one instance, whose name it has in the log.
#ifndef TSB_STUB_PROCESS_H
#define TSB_STUB_PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

#include "log_pipe.h"
#include "settings.h"

struct tsb_stub_process {
  char* name;  // the instance's, for the log and for errors
  pid_t pid;
  int pidfd;  // readable once the process is dead
  uint64_t started_ns;
  struct tsb_log_pipe out, err;
};

struct tsb_shim_service;

struct tsb_stub_plan {
  const char* name;
  const char* node;   // path of the Node binary
  const char* entry;  // path of the stub's main.js
  const struct tsb_settings* settings;
  int maps_fd;                             // see mapping.h
  bool keeps_links;                        // the model's folder has no resolved name, see path.h
  const char* visible_devices;             // CUDA_VISIBLE_DEVICES of the process, NULL: as the server's
  const struct tsb_shim_service* service;  // for its calls, see shim_calls.h; NULL: it may make none
};

// Starts the process; *channel becomes this side's end of its control channel. 0 or -errno; to be destroyed in any
// case.
int tsb_stub_process_start(struct tsb_stub_process* process, const struct tsb_stub_plan* plan, int* channel);
// Gives the process to an instance of another name. Keeps the old one when there is no memory.
bool tsb_stub_process_rename(struct tsb_stub_process* process, const char* name);
// Logs what it has printed so far.
void tsb_stub_process_log(struct tsb_stub_process* process);
bool tsb_stub_process_is_dead(const struct tsb_stub_process* process);
// Waits for its end, -1: for ever. Whether it is dead.
bool tsb_stub_process_wait(const struct tsb_stub_process* process, int timeout_ms);
void tsb_stub_process_kill(struct tsb_stub_process* process);  // and all its children; returns at once
// A sentence that says how the process ended: "It was killed by signal 9 (Killed)."
void tsb_stub_process_describe_end(const struct tsb_stub_process* process, char* text, size_t bytes);
// Kills what is left, waits for the process, logs its last words and frees all.
void tsb_stub_process_destroy(struct tsb_stub_process* process);

#endif
