// SPDX-License-Identifier: Apache-2.0
#include "model_waits.h"

#include <stddef.h>
#include <string.h>

void tsb_model_waits_init(struct tsb_model_waits* waits) {
  waits->first = NULL;
  pthread_mutex_init(&waits->lock, NULL);
}

void tsb_model_waits_destroy(struct tsb_model_waits* waits) { pthread_mutex_destroy(&waits->lock); }

// Whether `name` is one of those that `to` waits for, once all waits that begin there are marked as seen.
static bool model_waits__leads_back(struct tsb_model_waits* waits, const char* name, const char* to) {
  if (strcmp(name, to) == 0) return true;
  for (struct tsb_model_wait* wait = waits->first; wait != NULL; wait = wait->next) wait->seen = false;
  for (bool found = true; found;) {
    found = false;
    for (struct tsb_model_wait* wait = waits->first; wait != NULL; wait = wait->next) {
      bool is_reached = strcmp(wait->from, to) == 0;
      for (struct tsb_model_wait* other = waits->first; other != NULL && !is_reached; other = other->next) {
        is_reached = other->seen && strcmp(other->to, wait->from) == 0;
      }
      if (wait->seen || !is_reached) continue;
      if (strcmp(wait->to, name) == 0) return true;
      wait->seen = found = true;
    }
  }
  return false;
}

bool tsb_model_waits_add(struct tsb_model_waits* waits, struct tsb_model_wait* wait) {
  pthread_mutex_lock(&waits->lock);
  bool is_fine = !model_waits__leads_back(waits, wait->from, wait->to);
  if (is_fine) {
    wait->next = waits->first;
    waits->first = wait;
  }
  pthread_mutex_unlock(&waits->lock);
  return is_fine;
}

void tsb_model_waits_remove(struct tsb_model_waits* waits, struct tsb_model_wait* wait) {
  pthread_mutex_lock(&waits->lock);
  struct tsb_model_wait** at = &waits->first;
  while (*at != wait) at = &(*at)->next;
  *at = wait->next;
  pthread_mutex_unlock(&waits->lock);
}
