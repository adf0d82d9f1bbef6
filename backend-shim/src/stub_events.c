// SPDX-License-Identifier: Apache-2.0
#include "stub_events.h"

#include <errno.h>
#include <poll.h>
#include <time.h>

#include "log_levels.h"

// The system is short of memory: no reason to use up a core.
enum { FAILED_POLL_NAP_NS = 10000000 };

uint32_t tsb_stub_events_wait(struct tsb_stub_process* process, struct tsb_stub_channel* channel,
                              const struct tsb_stub_watch* watch, int timeout_ms) {
  enum { OUT, ERR, CHANNEL, DEATH, STOP, ANSWERS, TIMER, BACKLOG, COUNT };
  static const uint32_t BITS[COUNT] = {[DEATH] = TSB_EVENT_DEATH,
                                       [STOP] = TSB_EVENT_STOP,
                                       [ANSWERS] = TSB_EVENT_ANSWERS,
                                       [TIMER] = TSB_EVENT_TIMER,
                                       [BACKLOG] = TSB_EVENT_BACKLOG};
  // Another thread may have found it broken. It is not polled again: it would be ready for ever.
  bool broken = tsb_stub_channel_is_broken(channel);
  if (broken) tsb_stub_process_kill(process);
  struct pollfd items[COUNT] = {[OUT] = {process->out.fd, POLLIN, 0},
                                [ERR] = {process->err.fd, POLLIN, 0},
                                [CHANNEL] = {broken ? -1 : channel->socket, POLLIN, 0},
                                [DEATH] = {process->pidfd, POLLIN, 0},
                                [STOP] = {watch->stop_fd, POLLIN, 0},
                                [ANSWERS] = {watch->answers_fd, POLLIN, 0},
                                [TIMER] = {watch->timer_fd, POLLIN, 0},
                                [BACKLOG] = {watch->backlog_fd, POLLIN, 0}};
  uint32_t happened = 0;
  int ready = poll(items, COUNT, timeout_ms);
  if (ready < 0 && errno != EINTR) nanosleep(&(struct timespec){.tv_nsec = FAILED_POLL_NAP_NS}, NULL);
  if (ready <= 0) return 0;
  if (items[OUT].revents != 0 || items[ERR].revents != 0) {
    tsb_stub_process_log(process);
    tsb_log_levels_tell(channel->memory->control);
  }
  if (items[CHANNEL].revents != 0 && tsb_stub_channel_read(channel) < 0) tsb_stub_process_kill(process);
  for (int i = 0; i < COUNT; i++) {
    if (items[i].revents != 0) happened |= BITS[i];
  }
  return happened;
}
