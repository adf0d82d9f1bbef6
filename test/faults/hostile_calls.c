// SPDX-License-Identifier: Apache-2.0
// The fake stub as a model that calls another one: FAKE_STUB_CALLS names it. Each request is answered with the first
// output of the call's answer; and what of this can be done wrong.
#include "hostile_stub.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { CALLS = 64, OTHERS_GENERATIONS = 4, RECORD_BYTES = 4096, MODEL_AT = 2688, NAME_AT = 2944 };

static struct {
  bool is_open;
  uint32_t generation;
  struct tsb_owner request;
  struct tsb_place answer;  // that is passed on; 0 bytes: none
} calls[CALLS];

bool makes_calls(void) { return getenv("FAKE_STUB_CALLS") != NULL; }

static void write_entry(uint32_t kind, struct tsb_owner owner, struct tsb_place place, uint32_t flags) {
  struct tsb_entry entry = {.kind = kind, .flags = flags, .owner = owner, .place = place};
  if (tsb_connection_write(&connection_, &entry, 1) < 0) _exit(97);
}

static struct tsb_owner owner_of(uint32_t index) {
  return (struct tsb_owner){.table = TSB_TABLE_CALLS, .index = index, .generation = calls[index].generation};
}

static void spoil_input(struct tsb_tensor* input) {
  if (is("call_input_lies")) input->dims_count = 0;
  if (is("call_input_dims")) input->dims_count = UINT32_MAX;
  if (is("call_input_huge")) input->place.bytes = UINT64_C(1) << 50;
  if (is("call_input_nowhere")) input->place.region = TSB_REGION_OF_STUB | 4711;
  if (is("call_input_control")) input->place.region = 0;
  if (is("call_input_lent")) input->place.region = TSB_REGION_OF_CLIENT | 3;
  if (is("call_input_lent_huge")) {
    input->place.region = TSB_REGION_OF_CLIENT | 3;
    input->place.bytes = UINT64_C(1) << 40;
    *(int64_t*)(input + 1) = INT64_C(1) << 38;
  }
  if (is("call_input_type")) input->datatype = 99;
  if (is("call_bytes_lie")) input->datatype = 13;
  if (is("call_bytes_none")) {
    input->datatype = 13;
    input->place.bytes = 0;
  }
  if (is("call_input_name")) input->name_offset = UINT32_MAX;
  if (is("call_input_index")) input->name = 0;
}

// Names that lie over each other, far more of them than the record has bytes.
static void overlap_texts(struct tsb_call* head, uint8_t* record) {
  enum { NAMES = 200, TABLE_AT = 1024, TEXT_AT = 3072, TEXT_BYTES = 512 };
  struct tsb_text_place* names = (struct tsb_text_place*)(record + TABLE_AT);
  for (uint32_t i = 0; i < NAMES; i++) names[i] = (struct tsb_text_place){TEXT_AT, TEXT_BYTES};
  memset(record + TEXT_AT, 'o', TEXT_BYTES);
  head->requested_count = NAMES;
  head->requested_offset = TABLE_AT;
}

// One large element of BYTES, named by many inputs: each of them is copied.
static void repeat_bytes(struct tsb_call* head) {
  enum { INPUTS = 12, ELEMENT_BYTES = 1 << 20, TYPE_BYTES = 13 };
  static struct tsb_block element;
  if (element.base == NULL && tsb_connection_alloc(&connection_, ELEMENT_BYTES, &element) < 0) _exit(96);
  *(uint32_t*)element.base = ELEMENT_BYTES - sizeof(uint32_t);
  uint8_t* at = (uint8_t*)(head + 1);
  for (uint32_t i = 0; i < INPUTS; i++) {
    *(struct tsb_tensor*)at =
        (struct tsb_tensor){.name = TSB_NAME_INLINE,
                            .datatype = TYPE_BYTES,
                            .dims_count = 1,
                            .name_offset = head->model.offset,
                            .name_bytes = 1,
                            .place = {.region = element.region, .offset = element.offset, .bytes = ELEMENT_BYTES}};
    *(int64_t*)(at + sizeof(struct tsb_tensor)) = 1;
    at += sizeof(struct tsb_tensor) + sizeof(int64_t);
  }
  head->input_count = INPUTS;
}

// An input of FP32 over and over, in turns as it is and as one element of BYTES.
static void repeat_input(struct tsb_call* head, uint32_t count) {
  enum { TYPE_BYTES = 13 };
  const struct tsb_tensor* first = (const struct tsb_tensor*)(head + 1);
  uint8_t* at = (uint8_t*)(first + 1) + sizeof(int64_t);
  for (uint32_t i = 1; i < count; i++) {
    struct tsb_tensor* next = (struct tsb_tensor*)at;
    *next = *first;
    next->name_offset = head->model.offset;
    next->name_bytes = 1;
    if (i % 2 == 1) next->datatype = TYPE_BYTES;
    *(int64_t*)(next + 1) = i % 2 == 1 ? 1 : *(const int64_t*)(first + 1);
    at += sizeof *next + sizeof(int64_t);
  }
  head->input_count = count;
}

// The client cuts its file short while the request is served.
static void cut_short(void) {
  int fd = shm_open(getenv("FAKE_STUB_CLIENT"), O_RDWR, 0);
  if (fd < 0 || ftruncate(fd, 0) != 0 || close(fd) != 0) _exit(98);
}

static void spoil_head(struct tsb_call* head, uint8_t* record) {
  if (is("call_shorter")) head->record_bytes = 8;
  if (is("call_longer")) head->record_bytes = UINT32_MAX;
  if (is("call_model")) head->model.offset = UINT32_MAX;
  if (is("call_model_zero")) record[head->model.offset] = 0;
  if (is("call_inputs_without_end")) head->input_count = UINT32_MAX;
  if (is("call_requested_without_end")) head->requested_count = UINT32_MAX;
  if (is("call_requested_nowhere")) {
    head->requested_count = 1;
    head->requested_offset = UINT32_MAX;
  }
  if (is("call_parameters_without_end")) head->parameter_count = UINT32_MAX;
  if (is("call_parameters_nowhere")) {
    head->parameter_count = 1;
    head->parameters_offset = UINT32_MAX;
  }
  if (is("call_trace_none")) head->trace = (struct tsb_owner){0};
  if (is("call_trace_table")) head->trace.table = TSB_TABLE_CALLS;
  if (is("call_trace_index")) head->trace.index = UINT32_MAX;
  if (is("call_trace_stale")) head->trace.generation--;
  if (is("call_trace_item")) head->trace.item = UINT32_MAX;
  if (is("call_id")) head->id = (struct tsb_text_place){UINT32_MAX, UINT32_MAX};
  if (is("floods")) head->model.bytes = 1;
  if (is("call_texts_overlap")) overlap_texts(head, record);
}

// Writes the record of a call with the first input of a request, where it lies.
static struct tsb_place call_record(const struct tsb_request* request, struct tsb_owner parent) {
  static struct tsb_block block;
  const char* model = getenv("FAKE_STUB_CALLS");
  const struct tsb_tensor* input = (const struct tsb_tensor*)(request + 1);
  if (tsb_connection_alloc(&connection_, RECORD_BYTES, &block) < 0) _exit(96);
  memset(block.base, 0, RECORD_BYTES);
  struct tsb_call* head = (struct tsb_call*)block.base;
  uint64_t dims_bytes = input->dims_count * sizeof(int64_t);
  struct tsb_tensor* tensor = (struct tsb_tensor*)(head + 1);
  *tensor = *input;
  tensor->name = TSB_NAME_INLINE;
  tensor->name_offset = NAME_AT;
  tensor->name_bytes = 2;
  memcpy(tensor + 1, input + 1, dims_bytes);
  memcpy(block.base + NAME_AT, "IN", 2);
  *head = (struct tsb_call){.record_bytes = RECORD_BYTES,
                            .parent = parent,
                            .trace = parent,
                            .model_version = -1,
                            .model = {MODEL_AT, (uint32_t)strlen(model)},
                            .parameters_offset = RECORD_BYTES,
                            .input_count = 1};
  memcpy(block.base + MODEL_AT, model, strlen(model));
  if (is("call_bytes_again")) repeat_bytes(head);
  if (is("call_second_lies")) repeat_input(head, 2);
  if (is("call_input_again")) repeat_input(head, 12);
  spoil_input(tensor);
  spoil_head(head, block.base);
  return (struct tsb_place){.region = block.region, .offset = block.offset, .bytes = RECORD_BYTES};
}

static void start_call(const struct tsb_entry* batch, uint32_t item, const struct tsb_request* request) {
  uint32_t index = 0;
  while (index < CALLS && calls[index].is_open) index++;
  if (index == CALLS) _exit(110);
  calls[index].is_open = true;
  calls[index].generation++;
  calls[index].answer = (struct tsb_place){0};
  calls[index].request = batch->owner;
  calls[index].request.item = item;
  struct tsb_owner owner = owner_of(index);
  struct tsb_place place = call_record(request, calls[index].request), used = place;
  if (is("call_table")) owner.table = TSB_TABLE_BATCHES;
  if (is("call_index")) owner.index = TSB_MAX_CALLS;
  if (is("call_item")) owner.item = 1;
  if (is("call_short")) used.bytes = 8;
  if (is("call_too_long")) used.bytes = UINT64_C(1) << 40;
  if (is("call_nowhere")) used.region = TSB_REGION_OF_STUB | 4711;
  write_entry(TSB_ENTRY_CALL, owner, used, is("call_flags") ? 1 : 0);
  if (is("call_twice")) write_entry(TSB_ENTRY_CALL, owner, used, 0);
  if (is("exit_in_call")) _exit(7);
  if (is("cancel_table")) {
    owner.table = TSB_TABLE_ANSWERS;
    write_entry(TSB_ENTRY_CALL_CANCEL, owner, (struct tsb_place){0}, 0);
  }
  if (is("cancel_index")) owner.index = TSB_MAX_CALLS;
  if (is("cancel_item")) owner.item = 1;
  if (is("cancel_index") || is("cancel_item")) write_entry(TSB_ENTRY_CALL_CANCEL, owner, (struct tsb_place){0}, 0);
  if (is("cancel_place")) write_entry(TSB_ENTRY_CALL_CANCEL, owner, place, 0);
  if (is("cancels") || is("cancel_twice")) write_entry(TSB_ENTRY_CALL_CANCEL, owner, (struct tsb_place){0}, 0);
  if (is("cancel_twice")) write_entry(TSB_ENTRY_CALL_CANCEL, owner, (struct tsb_place){0}, 0);
  tsb_connection_free_later(&connection_, place.region, place.offset, place.bytes);
}

// Calls without a rest, each of them correct, of a model that there is not: the answers are never read.
static void call_without_a_rest(const struct tsb_entry* batch, const struct tsb_request* request) {
  struct tsb_entry entry = {.kind = TSB_ENTRY_CALL, .owner = owner_of(0), .place = call_record(request, batch->owner)};
  usleep(50000);  // the supervisor is the one who reads by then, where Execute does not wait
  for (;;) {
    int status = tsb_ring_write(&connection_.to_shim, &entry);
    if (status < 0 && status != -ENOSPC) _exit(97);
    if (status < 0) tsb_ring_publish(&connection_.to_shim);  // and no nap, so that it is never empty for long
  }
}

// Of all calls that any stub of a test may have open.
static void cancel_calls_of_others(void) {
  struct tsb_owner owner = {.table = TSB_TABLE_CALLS};
  for (owner.index = 0; owner.index < CALLS; owner.index++) {
    for (owner.generation = 0; owner.generation < OTHERS_GENERATIONS; owner.generation++) {
      write_entry(TSB_ENTRY_CALL_CANCEL, owner, (struct tsb_place){0}, 0);
    }
  }
}

void call_for_batch(const struct tsb_entry* batch) {
  uint32_t count;
  const struct tsb_request* request = requests_of(batch, &count);
  if (is("cancels_those_of_others")) cancel_calls_of_others();
  if (is("floods")) call_without_a_rest(batch, request);
  if (is("call_cut_short")) cut_short();
  for (uint32_t i = 0; i < count; i++) {
    start_call(batch, i, request);
    request = (const struct tsb_request*)((const uint8_t*)request + request->record_bytes);
  }
  struct tsb_owner nothing = {.table = TSB_TABLE_ANSWERS, .index = 0, .generation = 77};
  if (is("free_unknown")) write_entry(TSB_ENTRY_FREE, nothing, (struct tsb_place){0}, 0);
  nothing.index = UINT32_MAX;
  if (is("free_index")) write_entry(TSB_ENTRY_FREE, nothing, (struct tsb_place){0}, 0);
}

static void free_answer(const struct tsb_place* place) {
  const struct tsb_answer* answer = (const void*)tsb_region_resolve(&connection_.regions, place);
  if (answer == NULL) _exit(111);
  struct tsb_owner owner = answer->owner;
  if (is("free_table")) owner.table = TSB_TABLE_CALLS;
  if (is("free_item")) owner.item = 3;
  if (is("free_stale")) owner.generation--;
  write_entry(TSB_ENTRY_FREE, owner, (struct tsb_place){0}, is("free_flags") ? 1 : 0);
  if (is("free_twice")) write_entry(TSB_ENTRY_FREE, owner, (struct tsb_place){0}, 0);
}

// Answers a request of a batch with what the call has brought: its first output, or the error.
static void answer_with(uint32_t index, uint32_t flags) {
  const struct tsb_place* place = &calls[index].answer;
  struct tsb_block block;
  if (tsb_connection_alloc(&connection_, RECORD_BYTES, &block) < 0) _exit(96);
  struct tsb_response* head = (struct tsb_response*)block.base;
  *head = (struct tsb_response){.record_bytes = RECORD_BYTES, .status = 2, .message_offset = sizeof *head};
  if (place->bytes > 0) {
    const struct tsb_response* given =
        (const struct tsb_response*)(tsb_region_resolve(&connection_.regions, place) + sizeof(struct tsb_answer));
    uint32_t message_bytes = given->message_bytes;
    memcpy(head, given, given->record_bytes);  // offsets are the record's own, so it may be moved
    head->record_bytes = RECORD_BYTES;
    if (given->status == 0) ((struct tsb_tensor*)(head + 1))->name = 0;
    head->message_bytes = message_bytes;
  } else if ((flags & TSB_CALL_RESPONSE_LOST) != 0) {
    memcpy(head + 1, "lost", 4);
    head->message_bytes = 4;
  }
  struct tsb_place record = {.region = block.region, .offset = block.offset, .bytes = RECORD_BYTES};
  write_entry(TSB_ENTRY_RESPONSE, calls[index].request, record, TSB_RESPONSE_FINAL);
  tsb_connection_free_later(&connection_, record.region, record.offset, record.bytes);
}

void call_response(const struct tsb_entry* entry) {
  uint32_t index = entry->owner.index;
  if (index >= CALLS || !calls[index].is_open || entry->owner.generation != calls[index].generation) _exit(112);
  bool is_last = (entry->flags & TSB_CALL_RESPONSE_FINAL) != 0;
  if (entry->place.bytes > 0) {
    if (calls[index].answer.bytes > 0) free_answer(&calls[index].answer);
    calls[index].answer = entry->place;
  }
  if (!is_last) return;
  answer_with(index, entry->flags);
  if (calls[index].answer.bytes > 0 && !is("keeps_answers")) free_answer(&calls[index].answer);
  calls[index].is_open = false;
}
