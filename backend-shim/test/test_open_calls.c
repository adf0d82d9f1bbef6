// SPDX-License-Identifier: Apache-2.0
// The calls that one stub has open: their names, and how long they take.
#include "open_calls.h"

#include <errno.h>

#include "barrier.h"
#include "check.h"
#include "pace.h"

static struct tsb_open_calls calls;

static struct tsb_owner name(uint32_t index) {
  return (struct tsb_owner){.table = TSB_TABLE_CALLS, .index = index, .generation = 1};
}

static struct tsb_open_call* begin(uint32_t index) {
  const struct tsb_owner owner = name(index);
  struct tsb_open_call* call;
  CHECK_INT(tsb_open_calls_begin(&calls, &owner, &call), 0);
  return call;
}

static void end(struct tsb_open_call* call) {
  pthread_mutex_lock(&calls.lock);
  tsb_open_calls_end(&calls, call);
  pthread_mutex_unlock(&calls.lock);
  tsb_open_call_free(call);
}

static void test_names(void) {
  tsb_open_calls_init(&calls);
  struct tsb_open_call *first = begin(0), *far = begin(1000), *again;
  const struct tsb_owner taken = name(1000), none = name(TSB_MAX_CALLS);
  CHECK_INT(tsb_open_calls_begin(&calls, &taken, &again), -EPROTO);
  CHECK_INT(tsb_open_calls_begin(&calls, &none, &again), -EPROTO);
  CHECK_INT(calls.count, 2);
  end(far);
  end(first);
  again = begin(1000);
  end(again);
  CHECK_INT(calls.count, 0);
  tsb_open_calls_destroy(&calls);
}

static void test_how_long_a_call_is_expected_to_take(void) {
  tsb_open_calls_init(&calls);
  CHECK_INT(tsb_open_calls_expect(&calls).call_ns, 0);
  struct tsb_open_call* call = begin(0);
  CHECK_INT(tsb_open_calls_expect(&calls).call_ns, 0);  // nothing is known yet
  end(call);
  CHECK(calls.call_ns > 0);
  CHECK_INT(tsb_open_calls_expect(&calls).call_ns, 0);
  call = begin(0);
  CHECK_INT(tsb_open_calls_expect(&calls).call_ns, calls.call_ns);
  end(call);
  tsb_open_calls_destroy(&calls);
}

static void test_how_soon_the_first_call_is_expected(void) {
  enum { AGO_NS = 50000 };
  tsb_open_calls_init(&calls);
  tsb_open_calls_note_batch(&calls, tsb_now_ns() - AGO_NS);
  CHECK_INT(calls.batch_ns, 0);  // of a stub that has never made one nothing is kept
  end(begin(0));
  tsb_open_calls_note_batch(&calls, tsb_now_ns() - AGO_NS);
  CHECK_INT(tsb_open_calls_expect(&calls).first_ns, 0);  // nothing is known yet
  struct tsb_open_call* call = begin(0);
  CHECK(calls.first_ns >= AGO_NS);
  calls.first_ns = AGO_NS;  // whatever this machine took
  struct tsb_open_calls_expected expected = tsb_open_calls_expect(&calls);
  CHECK_INT(expected.first_ns, 0);
  CHECK_INT(expected.call_ns, calls.call_ns);
  end(call);
  CHECK_INT(tsb_open_calls_expect(&calls).first_ns, 0);  // no batch since
  tsb_open_calls_note_batch(&calls, tsb_now_ns());
  CHECK_INT(tsb_open_calls_expect(&calls).first_ns, calls.first_ns);
  uint64_t before = calls.first_ns;
  call = begin(0);
  CHECK(calls.first_ns != before);
  before = calls.first_ns;
  end(call);
  end(begin(0));  // the second one of a batch does not count
  CHECK_INT(calls.first_ns, before);
  tsb_open_calls_destroy(&calls);
}

// A batch whose first call came at once, so that the next one's is expected.
static void learn_first(void) {
  tsb_open_calls_init(&calls);
  end(begin(0));
  tsb_open_calls_note_batch(&calls, tsb_now_ns());
  end(begin(0));
  CHECK(calls.first_ns > 0);
  calls.first_ns = 50000;  // whatever this machine took
}

static void test_a_first_call_that_does_not_come_is_waited_for_once(void) {
  learn_first();
  tsb_open_calls_note_batch(&calls, tsb_now_ns());
  CHECK_INT(tsb_open_calls_expect(&calls).first_ns, 50000);
  CHECK_INT(tsb_open_calls_expect(&calls).first_ns, 50000);  // something else has come, such as a metric
  tsb_open_calls_note_no_first(&calls);
  CHECK_INT(tsb_open_calls_expect(&calls).first_ns, 0);
  tsb_open_calls_note_batch(&calls, tsb_now_ns());
  CHECK(tsb_open_calls_expect(&calls).first_ns > 50000);  // again, and it is expected later
  struct tsb_open_call* call = begin(0);
  CHECK_INT(tsb_open_calls_expect(&calls).call_ns, calls.call_ns);
  end(call);
  tsb_open_calls_destroy(&calls);
}

static void test_a_model_that_calls_no_more_is_not_waited_for(void) {
  learn_first();
  for (int i = 0; i < 3; i++) tsb_open_calls_note_batch(&calls, tsb_now_ns());
  CHECK(tsb_open_calls_expect(&calls).first_ns > 50000);
  for (int i = 0; i < 6; i++) tsb_open_calls_note_batch(&calls, tsb_now_ns());
  CHECK_INT(tsb_open_calls_expect(&calls).first_ns, 0);  // so that the answer is waited for instead
  tsb_open_calls_destroy(&calls);
}

static void test_a_call_long_after_a_batch_counts_little(void) {
  learn_first();
  tsb_open_calls_note_batch(&calls, tsb_now_ns() - UINT64_C(3600000000000));
  end(begin(0));
  CHECK_INT(calls.first_ns, tsb_pace_average(50000, TSB_PACE_LATE_CALL_NS));
  tsb_open_calls_destroy(&calls);
}

// One that calls, but never for a batch, is not known better for that.
static void test_nothing_is_learned_of_a_first_call_that_never_came(void) {
  tsb_open_calls_init(&calls);
  end(begin(0));
  for (int i = 0; i < 3; i++) tsb_open_calls_note_batch(&calls, tsb_now_ns());
  CHECK_INT(calls.first_ns, 0);
  tsb_open_calls_destroy(&calls);
}

int main(void) {
  test_names();
  test_how_long_a_call_is_expected_to_take();
  test_how_soon_the_first_call_is_expected();
  test_a_first_call_that_does_not_come_is_waited_for_once();
  test_a_model_that_calls_no_more_is_not_waited_for();
  test_a_call_long_after_a_batch_counts_little();
  test_nothing_is_learned_of_a_first_call_that_never_came();
  return 0;
}
