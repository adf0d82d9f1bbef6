// SPDX-License-Identifier: Apache-2.0
// The fake stub as a decoupled model: settles a batch at once, answers each request several times and ends it, the
// even ones with their last response and the odd ones without one; and what of this can be done wrong.
#include "hostile_stub.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { UNKNOWN_FLAG = 64 };

bool streams(void) { return getenv("FAKE_STUB_STREAMS") != NULL; }

static void write_entry(struct tsb_entry* entry) {
  if (tsb_connection_write(&connection_, entry, 1) < 0) _exit(97);
}

static void respond(const struct tsb_entry* batch, uint32_t item, uint32_t flags, const struct tsb_request* request) {
  struct tsb_entry entry = {.kind = TSB_ENTRY_RESPONSE, .flags = flags, .owner = batch->owner};
  entry.owner.item = item;
  if (request != NULL) entry.place = echo_record(request, &(struct tsb_place){0}, item);
  write_entry(&entry);
  if (request != NULL) {
    tsb_connection_free_later(&connection_, entry.place.region, entry.place.offset, entry.place.bytes);
  }
}

static void settle(const struct tsb_entry* batch) {
  struct tsb_entry entry = {.kind = TSB_ENTRY_SETTLED, .owner = batch->owner};
  if (is("settled_unknown")) entry.owner.index += 500;
  if (is("settled_stale")) entry.owner.generation--;
  if (is("settled_item")) entry.owner.item = 1;
  if (is("settled_table")) entry.owner.table = 99;
  if (is("settled_flags")) entry.flags = 1;
  if (is("settled_place")) entry.place = batch->place;
  write_entry(&entry);
  if (is("settled_twice")) write_entry(&entry);
}

static const struct tsb_request* next_of(const struct tsb_request* request) {
  return (const struct tsb_request*)((const uint8_t*)request + request->record_bytes);
}

static void evil_responses(const struct tsb_entry* batch, const struct tsb_request* request) {
  if (is("stream_says_nothing")) respond(batch, 0, 0, NULL);
  if (is("stream_unknown_flag")) respond(batch, 0, UNKNOWN_FLAG, request);
  if (is("stream_reschedules")) respond(batch, 0, TSB_RESPONSE_RESCHEDULE, NULL);
  if (is("stream_final_and_rescheduled")) respond(batch, 0, TSB_RESPONSE_RESCHEDULE | TSB_RESPONSE_FINAL, NULL);
  if (is("stream_bad_place")) {
    struct tsb_entry entry = {.kind = TSB_ENTRY_RESPONSE, .owner = batch->owner, .place = {.region = 77, .bytes = 64}};
    write_entry(&entry);
  }
  if (is("exit_in_stream")) _exit(7);
  if (is("kill_in_stream")) abort();
}

void stream_batch(const struct tsb_entry* batch) {
  uint32_t count;
  const struct tsb_request* first = requests_of(batch, &count);
  const struct tsb_request* request = first;
  if (getenv("FAKE_STUB_RESCHEDULES") != NULL && request->id_bytes > 0) {  // of one request: until it has no id
    respond(batch, 0, TSB_RESPONSE_RESCHEDULE, NULL);
    return;
  }
  if (!is("settles_late")) settle(batch);
  for (int round = 0; round < atoi(getenv("FAKE_STUB_STREAMS")); round++) {
    request = first;
    for (uint32_t i = 0; i < count; i++, request = next_of(request)) {
      if (request->cancelled == 0) respond(batch, i, 0, request);
    }
    evil_responses(batch, first);
  }
  if (is("settles_late")) settle(batch);
  request = first;
  for (uint32_t i = 0; i < count; i++, request = next_of(request)) {
    if (is("waits_for_cancel") && request->cancelled == 0) continue;
    respond(batch, i, TSB_RESPONSE_FINAL, i % 2 == 0 && request->cancelled == 0 ? request : NULL);
  }
  if (is("stream_after_final")) respond(batch, 0, 0, first);
  if (is("stream_final_twice")) respond(batch, 0, TSB_RESPONSE_FINAL, NULL);
  if (is("settled_after_the_end")) settle(batch);
}

void stream_cancel(const struct tsb_entry* cancel) {
  if (is("waits_for_cancel")) respond(cancel, cancel->owner.item, TSB_RESPONSE_FINAL, NULL);
}
