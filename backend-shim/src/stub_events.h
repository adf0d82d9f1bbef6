// SPDX-License-Identifier: Apache-2.0
// The one loop in which a thread waits for what a stub does: while the stub loads and initializes, while it is
// supervised, while it finalizes. One thread at a time: who loads, then the supervisor, then who takes the instance
// down.
#ifndef TSB_STUB_EVENTS_H
#define TSB_STUB_EVENTS_H

#include "stub_channel.h"

// What has happened, as bits.
enum {
  TSB_EVENT_DEATH = 1,    // the process has ended
  TSB_EVENT_STOP = 2,     // stop_fd is readable
  TSB_EVENT_ANSWERS = 4,  // answers_fd is readable
  TSB_EVENT_TIMER = 8,    // timer_fd is readable
  TSB_EVENT_BACKLOG = 16  // backlog_fd is readable
};

// Descriptors to wait for besides the stub's own; negative: not that one.
struct tsb_stub_watch {
  int stop_fd, answers_fd, timer_fd, backlog_fd;
};

// Waits until something happens, `timeout_ms` at most (-1: for ever); logs what the stub has printed and deals with its
// frames. A stub whose channel is broken or closed is killed. Returns the bits.
uint32_t tsb_stub_events_wait(struct tsb_stub_process* process, struct tsb_stub_channel* channel,
                              const struct tsb_stub_watch* watch, int timeout_ms);

#endif
