// SPDX-License-Identifier: Apache-2.0
// However many files a stub must be told to let go, all of that has one deadline: the lock of its memory is held
// meanwhile. This program's sender stands in for the one of the library.
#include <fcntl.h>

#include "check.h"
#include "lender.h"

enum { FILES = TSB_MAX_CLIENT_FILES };
static const uint64_t LATER_NS = UINT64_C(1) << 62;

static struct tsb_sender sender;
static struct tsb_lender lender;
static uint32_t sent, deadlines;
static uint64_t deadline;

uint64_t tsb_sender_deadline_ns(void) { return ++deadlines; }

int tsb_sender_send(struct tsb_sender* used, const struct tsb_outgoing* outgoing) {
  return tsb_sender_send_by(used, outgoing, tsb_sender_deadline_ns());
}

int tsb_sender_send_by(struct tsb_sender* used, const struct tsb_outgoing* outgoing, uint64_t deadline_ns) {
  CHECK(used == &sender);
  CHECK_INT(outgoing->method, TSB_METHOD_FORGET_REGION);
  if (sent++ == 0) deadline = deadline_ns;
  CHECK_INT(deadline_ns, deadline);
  return 0;
}

static void fill(void) {
  tsb_lender_init(&lender, -1, &sender);
  for (uint32_t i = 0; i < FILES; i++) {
    lender.files[lender.count++] = (struct tsb_client_file){.region = TSB_REGION_OF_CLIENT | (i + 1),
                                                            .fd = open("/dev/null", O_RDONLY | O_CLOEXEC)};
  }
  sent = deadlines = 0;
}

int main(void) {
  fill();
  CHECK_INT(tsb_lender_drop_idle(&lender, LATER_NS), 0);
  CHECK_INT(sent, FILES);
  CHECK_INT(deadlines, 1);
  fill();
  CHECK_INT(tsb_lender_note_lost(&lender, 1), 0);
  CHECK_INT(sent, FILES);
  CHECK_INT(deadlines, 1);
  tsb_lender_free(&lender);
  return 0;
}
