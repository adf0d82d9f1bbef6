// SPDX-License-Identifier: Apache-2.0
// When it pays to wait awake, and for how long: numbers in, numbers out.
#include "pace.h"

#include "check.h"

static void test_an_average_follows_slowly(void) {
  uint64_t average = 8000;
  average = tsb_pace_average(average, 80000);
  CHECK_INT(average, 17000);
  for (int i = 0; i < 200; i++) average = tsb_pace_average(average, 8000);
  CHECK(average >= 8000 && average < 8100);
  CHECK_INT(tsb_pace_average(0, 0), 0);
}

static void test_when_requests_are_sparse(void) {
  uint32_t share = 0;
  CHECK(tsb_pace_is_sparse(share));
  for (int i = 0; i < 3; i++) share = tsb_pace_share(share, true);
  CHECK(tsb_pace_is_sparse(share));  // three in a row are not many
  share = tsb_pace_share(share, true);
  CHECK(!tsb_pace_is_sparse(share));
  for (int i = 0; i < 200; i++) share = tsb_pace_share(share, true);
  CHECK(share <= TSB_PACE_ALL);
  int calls = 0;
  for (; !tsb_pace_is_sparse(share); calls++) share = tsb_pace_share(share, false);
  CHECK_INT(calls, 25);
  // One in five is the limit: one in six in the long run is sparse, one in four is not.
  for (int i = 0; i < 600; i++) share = tsb_pace_share(share, i % 6 == 0);
  CHECK(tsb_pace_is_sparse(share));
  for (int i = 0; i < 600; i++) share = tsb_pace_share(share, i % 4 == 0);
  CHECK(!tsb_pace_is_sparse(share));
}

static void test_how_long_an_answer_is_waited_for(void) {
  CHECK_INT(tsb_pace_for_answer_ns(true, 30000), 60000);
  CHECK_INT(tsb_pace_for_answer_ns(false, 30000), 0);  // many at once
  CHECK_INT(tsb_pace_for_answer_ns(true, 0), 0);       // nothing is known
  CHECK_INT(tsb_pace_for_answer_ns(true, 10000), 0);   // the brief wait is enough
  CHECK_INT(tsb_pace_for_answer_ns(true, 10001), 20002);
  CHECK_INT(tsb_pace_for_answer_ns(true, 75000), 150000);
  CHECK_INT(tsb_pace_for_answer_ns(true, 75001), 0);  // too long
}

static void test_how_long_a_batch_is_waited_for(void) {
  CHECK_INT(tsb_pace_for_batch_ns(true, 100000), 200000);
  CHECK_INT(tsb_pace_for_batch_ns(false, 100000), 0);
  CHECK_INT(tsb_pace_for_batch_ns(true, 399999), 799998);
  CHECK_INT(tsb_pace_for_batch_ns(true, 400000), 0);
}

static void test_how_long_a_call_is_waited_for(void) {
  CHECK_INT(tsb_pace_for_call_ns(true, 50000), 100000);
  CHECK_INT(tsb_pace_for_call_ns(false, 50000), 0);  // many at once
  CHECK_INT(tsb_pace_for_call_ns(true, 0), 0);       // nothing is known
  CHECK_INT(tsb_pace_for_call_ns(true, 500000), 1000000);
  CHECK_INT(tsb_pace_for_call_ns(true, 500001), 0);  // too long
}

static void test_an_average_begins_with_the_first(void) {
  uint64_t average = tsb_pace_first_average(0, 8000);
  CHECK(average >= 8000 && average <= 8001);
  CHECK_INT(tsb_pace_first_average(8000, 80000), tsb_pace_average(8000, 80000));
  CHECK(tsb_pace_first_average(0, 0) <= 1);
}

static void test_a_first_call_that_is_late_or_missing(void) {
  CHECK_INT(tsb_pace_first_call_average(8000, 80000), tsb_pace_average(8000, 80000));
  CHECK_INT(tsb_pace_first_call_average(8000, 3600 * UINT64_C(1000000000)), tsb_pace_average(8000, 1000000));
  uint64_t average = 50000;
  int batches = 0;
  for (; tsb_pace_for_call_ns(true, average) > 0; batches++) {
    average = tsb_pace_first_call_average(average, TSB_PACE_LATE_CALL_NS);
  }
  CHECK(batches > 2 && batches <= 8);  // one or two say nothing
  for (int i = 0; i < 1000; i++) average = tsb_pace_first_call_average(average, TSB_PACE_LATE_CALL_NS);
  for (batches = 0; tsb_pace_for_call_ns(true, average) == 0; batches++) {
    average = tsb_pace_first_call_average(average, 50000);
  }
  CHECK(batches <= 8);
}

static void test_how_much_is_handed_over_early(void) {
  CHECK_INT(tsb_pace_prefetch(0), 0);  // nobody knows how fast the model is
  CHECK_INT(tsb_pace_prefetch(1), 4);
  CHECK_INT(tsb_pace_prefetch(62500), 4);
  CHECK_INT(tsb_pace_prefetch(62501), 3);
  CHECK_INT(tsb_pace_prefetch(250000), 1);
  CHECK_INT(tsb_pace_prefetch(250001), 0);
}

static int skips(struct tsb_pace_patience* patience) {
  int count = 0;
  while (!tsb_pace_may_wait(patience)) count++;
  return count;
}

static void test_useless_brief_waits_become_rare(void) {
  static const int EXPECTED[] = {1, 2, 4, 8, 16, 32, 64, 64, 64};
  struct tsb_pace_patience patience = {0};
  CHECK_INT(skips(&patience), 0);
  for (size_t i = 0; i < sizeof EXPECTED / sizeof EXPECTED[0]; i++) {
    tsb_pace_note_brief(&patience, false);
    CHECK_INT(skips(&patience), EXPECTED[i]);
  }
  tsb_pace_note_brief(&patience, true);
  CHECK_INT(skips(&patience), 0);
  tsb_pace_note_brief(&patience, false);
  CHECK_INT(skips(&patience), 1);
}

static void test_a_lost_core_is_tried_less_often(void) {
  static const int EXPECTED[] = {64, 128, 256, 512, 1024, 2048, 4096, 4096};
  struct tsb_pace_patience patience = {0};
  for (size_t i = 0; i < sizeof EXPECTED / sizeof EXPECTED[0]; i++) {
    tsb_pace_note_lost_core(&patience);
    CHECK_INT(skips(&patience), EXPECTED[i]);
  }
  for (int i = 0; i < 5000; i++) tsb_pace_note_found(&patience);
  CHECK_INT(patience.penalty, 0);
  tsb_pace_note_lost_core(&patience);
  CHECK_INT(skips(&patience), 64);
}

int main(void) {
  test_an_average_follows_slowly();
  test_when_requests_are_sparse();
  test_how_long_an_answer_is_waited_for();
  test_how_long_a_batch_is_waited_for();
  test_how_long_a_call_is_waited_for();
  test_an_average_begins_with_the_first();
  test_a_first_call_that_is_late_or_missing();
  test_how_much_is_handed_over_early();
  test_useless_brief_waits_become_rare();
  test_a_lost_core_is_tried_less_often();
  return 0;
}
