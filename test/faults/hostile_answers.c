// SPDX-License-Identifier: Apache-2.0
// The fake stub's answers: it echoes the first input of each request, clients' memory included; what of this can be a
// lie about owners, places and times, and what of the memory can change meanwhile.
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "barrier.h"
#include "client_regions.h"
#include "hostile_stub.h"

static bool jitters(void) { return getenv("FAKE_STUB_JITTER") != NULL; }

static const struct tsb_tensor* first_input(const struct tsb_request* request) {
  return (const struct tsb_tensor*)(request + 1);
}

static struct tsb_block allocate(uint64_t bytes) {
  struct tsb_block block;
  if (tsb_connection_alloc(&connection_, bytes, &block) < 0) _exit(96);
  return block;
}

static struct tsb_place error_record(const char* message) {
  uint64_t bytes = sizeof(struct tsb_response) + strlen(message);
  struct tsb_block block = allocate(bytes);
  *(struct tsb_response*)block.base = (struct tsb_response){.record_bytes = (uint32_t)bytes,
                                                            .status = 2,
                                                            .message_offset = sizeof(struct tsb_response),
                                                            .message_bytes = (uint32_t)strlen(message)};
  memcpy(block.base + sizeof(struct tsb_response), message, strlen(message));
  return (struct tsb_place){.region = block.region, .offset = block.offset, .bytes = bytes};
}

static uint8_t* data_of(const struct tsb_tensor* input) {
  uint8_t* data = tsb_region_resolve(&connection_.regions, &input->place);
  if (data == NULL) _exit(108);
  return data;
}

static struct tsb_place copy_data(const struct tsb_tensor* input) {
  if (input->place.bytes == 0) return (struct tsb_place){0};
  struct tsb_block block = allocate(input->place.bytes);
  memcpy(block.base, data_of(input), input->place.bytes);
  return (struct tsb_place){.region = block.region, .offset = block.offset, .bytes = input->place.bytes};
}

// Where the first request of a batch says that its output lies.
static void lie_about_a_place(const struct tsb_request* request, struct tsb_place* place) {
  const struct tsb_request* other = (const struct tsb_request*)((const uint8_t*)request + request->record_bytes);
  if (is("loan_of_another_request")) *place = first_input(other)->place;
  if (is("region_never_lent")) place->region = TSB_REGION_OF_CLIENT | 0xfffff;
  if (is("region_that_nobody_makes")) place->region = TSB_REGION_OF_STUB | TSB_REGION_OF_CLIENT | 1;
  if (is("behind_the_loan")) place->offset += 64;
  if (is("before_the_loan")) place->offset -= 64;
  if (is("output_in_a_bad_region")) {  // who reads the answer meets the frame first
    announce(TSB_REGION_OF_STUB | 60, make_file(1 << 20, 0));
    *place = (struct tsb_place){.region = TSB_REGION_OF_STUB | 60, .bytes = place->bytes};
  }
  if (is("loan_overflow")) place->offset = UINT64_MAX - 8;
}

// Writes the record that echoes the first input of a request, into memory of the stub. `data` is a copy of it, if any.
struct tsb_place echo_record(const struct tsb_request* request, const struct tsb_place* data, uint32_t index) {
  const struct tsb_tensor* input = first_input(request);
  const int64_t* dims = (const int64_t*)(input + 1);
  uint64_t bytes = sizeof(struct tsb_response) + sizeof *input + input->dims_count * sizeof *dims;
  struct tsb_block block = allocate(bytes);
  struct tsb_response* head = (struct tsb_response*)block.base;
  struct tsb_tensor* output = (struct tsb_tensor*)(head + 1);
  *head = (struct tsb_response){.record_bytes = (uint32_t)bytes, .output_count = 1};
  *output = *input;
  output->name = 0;
  if (data->bytes > 0) output->place = *data;
  if (index == 0) lie_about_a_place(request, &output->place);
  memcpy(output + 1, dims, input->dims_count * sizeof *dims);
  return (struct tsb_place){.region = block.region, .offset = block.offset, .bytes = bytes};
}

// An entry that only the shim writes, soundly named: a request of its own, and answers to what it never asked.
static void turn_round(struct tsb_entry* entry) {
  static const struct {
    const char* name;
    uint32_t kind, table;
  } KINDS[] = {{"execute_kind", TSB_ENTRY_EXECUTE, TSB_TABLE_BATCHES},
               {"cancel_kind", TSB_ENTRY_CANCEL, TSB_TABLE_BATCHES},
               {"call_response_kind", TSB_ENTRY_CALL_RESPONSE, TSB_TABLE_CALLS},
               {"metric_value_kind", TSB_ENTRY_METRIC_VALUE, TSB_TABLE_METRICS}};
  for (size_t i = 0; i < sizeof KINDS / sizeof KINDS[0]; i++) {
    if (!is(KINDS[i].name)) continue;
    entry->kind = KINDS[i].kind;
    entry->owner.table = KINDS[i].table;
  }
}

static void answer(const struct tsb_entry* batch, uint32_t index, const struct tsb_place* place) {
  struct tsb_entry entry = {
      .kind = TSB_ENTRY_RESPONSE, .flags = TSB_RESPONSE_FINAL, .owner = batch->owner, .place = *place};
  entry.owner.item = index;
  turn_round(&entry);
  if (is("unknown_table")) entry.owner.table = 99;
  if (is("not_final")) entry.flags = 0;
  if (is("unknown_kind")) entry.kind = 99;
  if (is("unknown_batch")) entry.owner.index = UINT32_MAX;
  if (is("unused_batch")) entry.owner.index += 500;
  if (is("stale_generation")) entry.owner.generation--;
  if (is("unknown_request")) entry.owner.item = 1000000;
  if (is("place_behind_the_end")) entry.place.offset = UINT64_C(1) << 40;
  if (is("place_overflow")) entry.place.offset = UINT64_MAX - 8;
  if (is("place_too_long")) entry.place.bytes = UINT64_C(1) << 50;
  if (is("region_unknown")) entry.place.region = TSB_REGION_OF_STUB | 4711;
  if (is("region_zero")) entry.place = (struct tsb_place){.region = 0, .offset = 0, .bytes = 256};
  if (is("taken_in_the_future")) entry.value = UINT64_MAX;
  if (is("taken_long_ago")) entry.value = 1;
  if (is("sent_long_ago") || is("sent_in_the_future")) {  // past tsb_connection_write, which stamps the time
    entry.sent_ns = is("sent_long_ago") ? 0 : UINT64_MAX;
    if (tsb_ring_write(&connection_.to_shim, &entry) < 0) _exit(97);
    tsb_ring_publish(&connection_.to_shim);
  } else if (tsb_connection_write(&connection_, &entry, 1) < 0) {
    _exit(97);
  }
  if (is("answer_twice") && tsb_connection_write(&connection_, &entry, 1) < 0) _exit(97);
  if (is("answer_early")) {
    entry.owner.generation++;
    tsb_connection_write(&connection_, &entry, 1);
  }
  tsb_connection_free_later(&connection_, place->region, place->offset, place->bytes);
}

// A new region for each answer, used as soon as it is announced.
static struct tsb_place record_in_new_region(const struct tsb_place* place) {
  static uint32_t next = 100;
  struct tsb_region region;
  if (tsb_region_create(&region, TSB_REGION_OF_STUB | next++, 4096) < 0) _exit(98);
  memcpy(region.base, tsb_region_resolve(&connection_.regions, place), place->bytes);
  announce(region.id, region.fd);
  struct tsb_place moved = {.region = region.id, .offset = 0, .bytes = place->bytes};
  tsb_region_close(&region);
  return moved;
}

static void* change_for_ever(void* argument) {
  uint8_t* bytes = argument;
  for (uint64_t state = 88172645463325252;;) {
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    bytes[state % 88] ^= (uint8_t)(state >> 32);
  }
  return NULL;
}

static void keep_changing(const struct tsb_place* place) {
  static bool started;
  pthread_t thread;
  if (started) return;
  started = true;
  uint8_t* bytes = tsb_region_resolve(&connection_.regions, place);
  if (pthread_create(&thread, NULL, change_for_ever, bytes) != 0) _exit(99);
}

static int dice(int sides) {
  static unsigned state;
  if (state == 0) state = (unsigned)getpid();
  return rand_r(&state) % sides;
}

// Takes a random time: none, some of a processor's, or a sleep.
void jitter(void) {
  if (!jitters()) return;
  int what = dice(10);
  if (what == 0) {
    usleep((unsigned)dice(3000));
  } else if (what < 4) {
    uint64_t end = tsb_now_ns() + (uint64_t)dice(60000);
    while (tsb_now_ns() < end) {
    }
  }
}

const struct tsb_request* requests_of(const struct tsb_entry* entry, uint32_t* count) {
  const uint8_t* base = tsb_region_resolve(&connection_.regions, &entry->place);
  if (base == NULL) _exit(103);
  *count = ((const struct tsb_batch*)base)->request_count;
  return (const struct tsb_request*)(base + sizeof(struct tsb_batch));
}

static void answer_request(const struct tsb_entry* entry, const struct tsb_request* request, uint32_t index) {
  const struct tsb_tensor* input = first_input(request);
  struct tsb_place data = {0};
  if (is("copies") || begins("writes") || (jitters() && dice(2) == 0)) data = copy_data(input);
  // A model that writes into its input when it has seen it.
  if (data.bytes > 0 && (is("writes_without_a_rest") || (jitters() && dice(500) == 0))) data_of(input)[0] ^= 1;
  struct tsb_place place = tsb_client_regions_is_lost(input->place.region) ? error_record("the input was cut short")
                                                                           : echo_record(request, &data, index);
  if (is("record_that_changes")) keep_changing(&place);
  struct tsb_place sent =
      is("region_for_each_answer") ? record_in_new_region(&place)
      : is("record_in_lent_memory")
          ? (struct tsb_place){.region = input->place.region, .offset = input->place.offset, .bytes = 128}
          : place;
  answer(entry, index, &sent);
  if (data.bytes > 0) tsb_connection_free_later(&connection_, data.region, data.offset, data.bytes);
}

void answer_batch(const struct tsb_entry* entry) {
  uint32_t count;
  const struct tsb_request* request = requests_of(entry, &count);
  for (uint32_t i = 0; i < count; i++) {
    answer_request(entry, request, i);
    if (is("exit_after_one_answer")) _exit(7);
    request = (const struct tsb_request*)((const uint8_t*)request + request->record_bytes);
  }
}

void write_into_an_input(const struct tsb_entry* entry) {
  static struct tsb_entry first;
  uint32_t count;
  if (first.kind == 0) {
    first = *entry;
    return;
  }
  const struct tsb_tensor* input = first_input(requests_of(&first, &count));
  memset(data_of(input), 0xff, input->place.bytes);
  answer_batch(entry);
  answer_batch(&first);
  be_honest();
}
