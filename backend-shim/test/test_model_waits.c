// SPDX-License-Identifier: Apache-2.0
// No circle of models that wait for each other in their initialize.
#include "model_waits.h"

#include "check.h"

static struct tsb_model_waits waits;

static struct tsb_model_wait wait_of(const char* from, const char* to) {
  return (struct tsb_model_wait){.from = from, .to = to};
}

int main(void) {
  struct tsb_model_wait itself = wait_of("a", "a");
  struct tsb_model_wait ab = wait_of("a", "b"), ab_again = wait_of("a", "b"), ac = wait_of("a", "c");
  struct tsb_model_wait bd = wait_of("b", "d"), cd = wait_of("c", "d"), da = wait_of("d", "a"), de = wait_of("d", "e");
  struct tsb_model_wait ba = wait_of("b", "a"), ea = wait_of("e", "a");
  tsb_model_waits_init(&waits);
  CHECK(!tsb_model_waits_add(&waits, &itself));
  CHECK(tsb_model_waits_add(&waits, &ab));
  CHECK(tsb_model_waits_add(&waits, &ab_again));  // two instances
  CHECK(!tsb_model_waits_add(&waits, &ba));
  CHECK(tsb_model_waits_add(&waits, &de));  // before those that lead there
  CHECK(tsb_model_waits_add(&waits, &ac));
  CHECK(tsb_model_waits_add(&waits, &bd));
  CHECK(tsb_model_waits_add(&waits, &cd));
  CHECK(!tsb_model_waits_add(&waits, &da));
  CHECK(!tsb_model_waits_add(&waits, &ea));
  tsb_model_waits_remove(&waits, &bd);
  CHECK(!tsb_model_waits_add(&waits, &ea));  // by way of c
  tsb_model_waits_remove(&waits, &cd);
  CHECK(tsb_model_waits_add(&waits, &ea));
  tsb_model_waits_remove(&waits, &ab);
  CHECK(!tsb_model_waits_add(&waits, &ba));  // the other instance
  tsb_model_waits_remove(&waits, &ab_again);
  CHECK(tsb_model_waits_add(&waits, &ba));
  tsb_model_waits_remove(&waits, &ba);
  tsb_model_waits_remove(&waits, &ac);
  tsb_model_waits_remove(&waits, &de);
  tsb_model_waits_remove(&waits, &ea);
  CHECK(waits.first == NULL);
  tsb_model_waits_destroy(&waits);
  return 0;
}
