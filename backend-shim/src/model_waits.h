// SPDX-License-Identifier: Apache-2.0
// Which models wait in their initialize for what the server does with others. While a model is being loaded, the server
// lets whatever else is to be done with it wait; so a circle of such waits would never end.
#ifndef TSB_MODEL_WAITS_H
#define TSB_MODEL_WAITS_H

#include <pthread.h>
#include <stdbool.h>

struct tsb_model_wait {
  const char* from;  // the model that is in its initialize; the texts are the caller's, and stay
  const char* to;
  bool seen;
  struct tsb_model_wait* next;
};

struct tsb_model_waits {
  pthread_mutex_t lock;  // of all below; process-local; nothing else is locked under it
  struct tsb_model_wait* first;
};

void tsb_model_waits_init(struct tsb_model_waits* waits);
void tsb_model_waits_destroy(struct tsb_model_waits* waits);
// Notes that `wait->from` waits for `wait->to`. False, and nothing is noted: `to` waits for `from`, perhaps by way of
// others, or is the same.
bool tsb_model_waits_add(struct tsb_model_waits* waits, struct tsb_model_wait* wait);
void tsb_model_waits_remove(struct tsb_model_waits* waits, struct tsb_model_wait* wait);

#endif
