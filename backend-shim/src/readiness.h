// SPDX-License-Identifier: Apache-2.0
// Whether a model says that it is ready (its method isReady), as the server asks on a thread of its own. One question
// is open at a time: who asks meanwhile gets the same answer. The thread that asks sends the question; the one that
// reads the channel takes the answer, or ends the question when the stub is dead.
#ifndef TSB_READINESS_H
#define TSB_READINESS_H

#include "stub_channel.h"

enum { TSB_READINESS_SECONDS = 5 };

enum tsb_readiness_answer {
  TSB_READINESS_YES,
  TSB_READINESS_NO,    // or it threw, or gave something else
  TSB_READINESS_LATE,  // no answer within TSB_READINESS_SECONDS
  TSB_READINESS_LOST,  // the stub is dead
};

struct tsb_readiness {
  const char* name;      // of the instance
  pthread_mutex_t lock;  // of all below; a leaf: nothing is locked or called under it
  pthread_cond_t changed;
  struct tsb_stub_call question;
  bool is_open;
  bool is_told;  // the log, that it takes too long
  uint64_t asked_ns;
  uint64_t ended;                    // questions that are over
  uint32_t waiting;                  // threads that wait for the answer
  enum tsb_readiness_answer answer;  // to the last one
  char reason[512];                  // why it is no, if the model has told
};

void tsb_readiness_init(struct tsb_readiness* readiness);
void tsb_readiness_destroy(struct tsb_readiness* readiness);
// Asks the stub, unless a question is open. The stub must stay meanwhile. Gives what tsb_readiness_wait needs.
uint64_t tsb_readiness_ask(struct tsb_readiness* readiness, struct tsb_stub_channel* channel);
// Waits for the answer. `reason` has room for that of the struct.
enum tsb_readiness_answer tsb_readiness_wait(struct tsb_readiness* readiness, uint64_t ticket, char* reason);
// The stub is dead, and nobody reads its channel any more.
void tsb_readiness_lose(struct tsb_readiness* readiness);

#endif
