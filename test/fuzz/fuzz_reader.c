// SPDX-License-Identifier: Apache-2.0
// The input is a schedule: batches are handed over, a stub writes records, entries and positions as it likes, and the
// threads of the shim read what is there. Whatever it does, each request is answered once, with an error or with
// outputs that fit, and given back once; and its times are in order. Each call that it makes ends, and what the stub
// gives back, or views in the end, is all that the calls have taken of the shim's memory.
#include <math.h>
#include <sys/eventfd.h>

#include "answers.h"
#include "barrier.h"
#include "fake_callee.h"
#include "fake_metrics.h"
#include "fuzz_stub.h"
#include "reader.h"

enum { MAX_STEPS = 500, MAX_REQUESTS = 12, OFFSET_UNIT = 64, PATIENCE_US = 20000000, LOOK_US = 100 };

static struct tsb_instance instance;
static TRITONBACKEND_ModelInstance triton_instance;
static TRITONBACKEND_Request requests[MAX_REQUESTS];
static unsigned used_requests;
static char instance_name[] = "fuzzed";
static bool has_metrics;

// What METRIC entries bring, besides any bits.
static const double CHANGES[] = {0, 1, -1, 1e300, INFINITY, NAN};
enum { CHANGE_COUNT = sizeof CHANGES / sizeof *CHANGES };

static int readable_eventfd(unsigned count) {
  int fd = eventfd(count, EFD_CLOEXEC | EFD_NONBLOCK);
  CHECK(fd >= 0);
  return fd;
}

// Two metrics of each kind, in the order of the kinds, and a ring for what is answered.
static void open_metrics(void) {
  static const double BUCKETS[] = {1, 2};
  static const char* const NAMES[] = {"fuzzed_counter", "fuzzed_gauge", "fuzzed_histogram"};
  struct tsb_control* control = fuzz_stub->memory.control;
  memset(&control->to_stub, 0, sizeof control->to_stub);
  tsb_ring_init(&fuzz_stub->to_stub.ring, &control->to_stub, control->to_stub_entries, -1);
  tsb_metric_table_init(&fuzz_stub->metrics);
  for (int kind = 0; kind < 3 && has_metrics; kind++) {
    struct tsb_owner family, metric;
    struct tsb_metric_label label = {"n", "1"};
    struct tsb_metric_plan plan = {.labels = &label, .buckets = BUCKETS, .bucket_count = 2};
    CHECK(tsb_metric_table_add_family(&fuzz_stub->metrics, (TRITONSERVER_MetricKind)kind, NAMES[kind], "", &family) ==
          NULL);
    for (plan.label_count = 0; plan.label_count < 2; plan.label_count++) {
      CHECK(tsb_metric_table_add(&fuzz_stub->metrics, &family, &plan, &metric) == NULL);
    }
  }
}

static void close_metrics(void) {
  tsb_metric_table_destroy(&fuzz_stub->metrics);
  free(fuzz_stub->to_stub.waiting);
  fuzz_stub->to_stub.waiting = NULL;
  fuzz_stub->to_stub.first = fuzz_stub->to_stub.count = fuzz_stub->to_stub.capacity = 0;
  CHECK_INT(fake_live_metrics(), 0);
  CHECK_INT(fake_live_metric_families(), 0);
  fake_metrics_forget();
}

// Other models answer on threads of their own; all of them are waited for.
static void end_calls(void) {
  struct tsb_open_calls* calls = &fuzz_stub->calls;
  for (uint32_t i = 0; i < calls->capacity; i++) {
    struct tsb_owner owner = {0};
    pthread_mutex_lock(&calls->lock);
    if (calls->calls[i] != NULL) owner = calls->calls[i]->owner;
    pthread_mutex_unlock(&calls->lock);
    if (owner.table != 0) CHECK_INT(tsb_open_calls_cancel(calls, &owner), 0);
  }
  tsb_backend_wait_for_calls(&fuzz_backend);
  // A model may delete a response without buffers when all else is over. The allocator stays.
  for (int waited = 0; waited < PATIENCE_US && fake_live_calls() > 1; waited += LOOK_US) usleep(LOOK_US);
  CHECK_INT(fake_live_calls(), 1);
  CHECK_INT(calls->count, 0);
  CHECK_INT(calls->copied_bytes, 0);
  for (uint32_t i = 0; i < calls->used_answers; i++) {
    struct tsb_owner owner = {.table = TSB_TABLE_ANSWERS, .index = i, .generation = calls->answers[i].generation};
    struct tsb_entry entry = {.kind = TSB_ENTRY_FREE, .owner = owner};
    if (calls->answers[i].in_use) CHECK_INT(tsb_calls_on_free(fuzz_stub, &entry), 0);
  }
  CHECK_INT(fuzz_stub->memory.inbound.used_bytes, 0);
  CHECK_INT(fuzz_stub->references, 1);
  tsb_open_calls_destroy(calls);
}

static void begin(void) {
  fuzz_open_stub();
  if (instance.name == NULL) {
    instance = (struct tsb_instance){.triton = &triton_instance, .model = &fuzz_model, .name = instance_name};
    tsb_instance_state_init(&instance);
    for (int i = 0; i < TSB_WAKER_COUNT; i++) fuzz_stub->wake_shim_fds[i] = readable_eventfd(0);
    fuzz_stub->process.pidfd = readable_eventfd(1);  // it has died: whoever would sleep until an answer comes does not
    fuzz_stub->process.pid = -1;
    instance.state = TSB_INSTANCE_DOWN;
  }
  struct tsb_control* control = fuzz_stub->memory.control;
  memset(&control->to_shim, 0, sizeof control->to_shim);
  tsb_ring_init(&fuzz_stub->to_shim, &control->to_shim, control->to_shim_entries, -1);
  fuzz_stub->broken = false;
  open_metrics();
  tsb_open_calls_init(&fuzz_stub->calls);
  instance.compute_ns = instance.model_free_ns = instance.reader_free_ns = instance.last_answer_ns = 0;
  CHECK_INT(tsb_batch_table_init(&instance.batches, 1 + TSB_PACE_MAX_PREFETCH), 0);
  used_requests = 0;
}

// A stub chooses what its calls are called; they go on, or are over.
static bool names_what_it_likes(const struct tsb_entry* entry) {
  return entry->kind == TSB_ENTRY_CALL || entry->kind == TSB_ENTRY_CALL_CANCEL;
}

// What was read since, with a generation that nothing has had, has ended the stub.
static uint64_t check_generations(uint64_t since) {
  const struct tsb_entry* entries = fuzz_stub->memory.control->to_shim_entries;
  for (; since < fuzz_stub->to_shim.position; since++) {
    const struct tsb_entry* entry = &entries[since % TSB_RING_CAPACITY];
    if (entry->owner.generation > MAX_STEPS && !names_what_it_likes(entry)) CHECK(fuzz_stub->broken);
  }
  return since;
}

static void execute(unsigned count) {
  TRITONBACKEND_Request* batch[MAX_REQUESTS];
  if (used_requests + count > MAX_REQUESTS || instance.batches.open_count == instance.batches.count) return;
  for (unsigned i = 0; i < count; i++) {
    fuzz_ask(&requests[used_requests], ~0u);
    batch[i] = &requests[used_requests++];
  }
  pthread_mutex_lock(&instance.lock);
  struct tsb_batch_slot* slot = tsb_batch_claim(&instance.batches, batch, count);
  CHECK(slot != NULL);
  slot->exec_start_ns = slot->compute_start_ns = tsb_now_ns();
  slot->batch_size = count;
  tsb_batch_run(slot);
  pthread_mutex_unlock(&instance.lock);
}

static void write_record(struct fuzz_input* input) {
  size_t offset = fuzz_u8(input) * (size_t)OFFSET_UNIT, size = fuzz_u8(input) * 2u;
  if (size > FUZZ_REGION_BYTES - offset) size = FUZZ_REGION_BYTES - offset;
  fuzz_bytes(input, fuzz_memory + offset, size);
}

static uint32_t generation_of_call(uint32_t index) {
  struct tsb_open_calls* calls = &fuzz_stub->calls;
  pthread_mutex_lock(&calls->lock);
  uint32_t generation =
      index < calls->capacity && calls->calls[index] != NULL ? calls->calls[index]->owner.generation : 0;
  pthread_mutex_unlock(&calls->lock);
  return generation;
}

static uint32_t generation_of_answer(uint32_t index) {
  struct tsb_open_calls* calls = &fuzz_stub->calls;
  pthread_mutex_lock(&calls->lock);
  uint32_t generation = index < calls->used_answers ? calls->answers[index].generation : 0;
  pthread_mutex_unlock(&calls->lock);
  return generation;
}

static uint32_t right_generation(const struct tsb_owner* owner) {
  const struct tsb_metric_slots* metrics = &fuzz_stub->metrics.metrics;
  const struct tsb_metric_slots* families = &fuzz_stub->metrics.families;
  uint32_t index = owner->index;
  if (owner->table == TSB_TABLE_CALLS) return generation_of_call(index);
  if (owner->table == TSB_TABLE_ANSWERS) return generation_of_answer(index);
  if (owner->table == TSB_TABLE_METRICS) return index < metrics->used ? metrics->slots[index].generation : 0;
  if (owner->table == TSB_TABLE_METRIC_FAMILIES) return index < families->used ? families->slots[index].generation : 0;
  return index < instance.batches.count ? instance.batches.slots[index].generation : 0;
}

static uint64_t any_value(struct fuzz_input* input) {
  uint64_t value;
  uint8_t choice = fuzz_u8(input);
  if (choice >= CHANGE_COUNT) return fuzz_u64(input);
  memcpy(&value, &CHANGES[choice], sizeof value);
  return value;
}

// An entry of a stub that knows what it may name, and may name something else. The generation is a distance from the
// right one.
static void write_entry(struct fuzz_input* input) {
  struct tsb_control* control = fuzz_stub->memory.control;
  struct tsb_entry entry = {.kind = fuzz_u8(input), .flags = fuzz_u8(input), .owner = {.table = fuzz_u8(input)}};
  entry.owner.index = fuzz_u8(input);
  if (entry.owner.index == 0xff) entry.owner.index = UINT32_MAX;
  entry.owner.generation = right_generation(&entry.owner) + fuzz_u8(input);
  entry.owner.item = fuzz_u8(input);
  entry.place.region = FUZZ_REGION ^ fuzz_u8(input);
  entry.place.offset = fuzz_u8(input) * (uint64_t)OFFSET_UNIT;
  entry.place.bytes = fuzz_u16(input);
  uint8_t later_ms = fuzz_u8(input);
  entry.sent_ns = later_ms < 0x80 ? tsb_now_ns() + later_ms * UINT64_C(1000000) : fuzz_u64(input);
  entry.value = any_value(input);
  uint64_t tail = control->to_shim.tail;
  control->to_shim_entries[tail % TSB_RING_CAPACITY] = entry;
  control->to_shim.tail = tail + 1;
}

static void harass(struct fuzz_input* input) {
  struct tsb_control* control = fuzz_stub->memory.control;
  switch (fuzz_u8(input) % 5) {
    case 0: control->to_shim.tail = fuzz_stub->to_shim.position + fuzz_u16(input); break;
    case 1: control->to_shim.tail = fuzz_u64(input); break;
    case 2: control->to_shim.head = fuzz_u64(input); break;
    case 3: __atomic_store_n(&control->to_stub.head, fuzz_u64(input), __ATOMIC_RELAXED); break;  // others read it
    default: control->to_shim.consumer_sleeps = fuzz_u64(input);
  }
}

static void serve(void) {
  uint64_t now = tsb_now_ns();
  bool is_reader = tsb_reader_begin(&instance, fuzz_stub);
  CHECK(is_reader);
  tsb_reader_serve(&instance, fuzz_stub, is_reader, now);
}

static void end(void) {
  CHECK_INT(pthread_mutex_trylock(&instance.reading), 0);
  tsb_answers_fail_all(&instance, fuzz_stub, "It is over.");
  pthread_mutex_unlock(&instance.reading);
  CHECK_INT(instance.batches.open_count, 0);
  CHECK_INT(instance.batches.executing_count, 0);
  end_calls();
  tsb_batch_table_free(&instance.batches);
  close_metrics();
  for (unsigned i = 0; i < used_requests; i++) {
    fuzz_check_response(&requests[i]);
    CHECK_INT(requests[i].release_count, 1);
    CHECK_INT(requests[i].success_count, requests[i].response->error == NULL);
    CHECK_INT(requests[i].failure_count, requests[i].response->error != NULL);
    fake_request_clear(&requests[i]);
  }
  CHECK(!fake_log_has("not in order"));
  CHECK(!fake_log_has("freed twice"));
  CHECK(!fake_log_has("TRITONSERVER_Metric"));  // the server was never asked for what it refuses
  fake_log_clear();
  CHECK_INT(fake_live_responses(), 0);
  CHECK_INT(fake_live_errors(), 0);
}

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  struct fuzz_input input = {data, size};
  uint8_t options = fuzz_u8(&input);
  has_metrics = (options & 16) != 0;
  begin();
  fuzz_model.max_batch_size = (options & 1) != 0 ? 4 : 0;
  fuzz_model.caches = (options & 2) != 0;
  instance.concurrency = (options & 4) != 0 ? 2 : 1;
  instance.prefetches = (options & 8) != 0;
  uint64_t checked = 0;
  for (int step = 0; step < MAX_STEPS && input.left > 0; step++) {
    uint8_t choice = fuzz_u8(&input);
    switch (choice % 8) {
      case 0: execute(1 + choice / 8 % 4); break;
      case 1: write_record(&input); break;
      case 2:
      case 3: write_entry(&input); break;
      case 4: harass(&input); break;
      case 5:
        CHECK_INT(pthread_mutex_trylock(&instance.reading), 0);
        tsb_reader_drain(&instance, fuzz_stub);
        pthread_mutex_unlock(&instance.reading);
        break;
      case 6: tsb_reader_look(&instance, fuzz_stub); break;
      default: serve();
    }
    checked = check_generations(checked);
  }
  end();
  return 0;
}

static void add_entry(struct fuzz_seed* seed, unsigned index, unsigned item, unsigned offset, unsigned bytes,
                      unsigned later_ms) {
  const uint8_t entry[] = {2,
                           TSB_ENTRY_RESPONSE,
                           TSB_RESPONSE_FINAL,
                           TSB_TABLE_BATCHES,
                           (uint8_t)index,
                           0,
                           (uint8_t)item,
                           0,
                           (uint8_t)(offset / OFFSET_UNIT)};
  fuzz_add(seed, entry, sizeof entry);
  fuzz_add_u16(seed, bytes);
  fuzz_add_u8(seed, later_ms);
  fuzz_add_u8(seed, 0);  // when it was taken is not told
}

static void add_metric(struct fuzz_seed* seed, unsigned table, unsigned index, unsigned flags, unsigned change) {
  const uint8_t entry[] = {
      2, TSB_ENTRY_METRIC, (uint8_t)flags, (uint8_t)table, (uint8_t)index, 0, 0, FUZZ_REGION & 0xff, 0, 0, 0,
      0, (uint8_t)change};
  fuzz_add(seed, entry, sizeof entry);
}

// All that may be said of metrics, and one entry that no correct stub writes, last.
static void seeds_of_metrics(fuzz_take take) {
  static const uint8_t WRONG[][4] = {
      {TSB_TABLE_METRICS, 0, TSB_METRIC_INCREMENT, 2},   {TSB_TABLE_METRICS, 2, TSB_METRIC_OBSERVE, 1},
      {TSB_TABLE_METRICS, 4, TSB_METRIC_SET, 1},         {TSB_TABLE_METRICS, 3, TSB_METRIC_INCREMENT, 5},
      {TSB_TABLE_METRICS, 6, TSB_METRIC_SET, 1},         {TSB_TABLE_BATCHES, 2, TSB_METRIC_SET, 1},
      {TSB_TABLE_METRIC_FAMILIES, 1, TSB_METRIC_SET, 1}, {TSB_TABLE_METRIC_FAMILIES, 3, TSB_METRIC_DELETE, 0}};
  for (size_t i = 0; i < sizeof WRONG / sizeof *WRONG; i++) {
    struct fuzz_seed seed = {0};
    fuzz_add_u8(&seed, 16);
    for (unsigned metric = 0; metric < 6; metric++) {
      static const uint8_t CHANGE_OF_KIND[] = {TSB_METRIC_INCREMENT, TSB_METRIC_SET, TSB_METRIC_OBSERVE};
      add_metric(&seed, TSB_TABLE_METRICS, metric, CHANGE_OF_KIND[metric / 2], 1);
      add_metric(&seed, TSB_TABLE_METRICS, metric, TSB_METRIC_ASK, 0);
    }
    fuzz_add_u8(&seed, 5);
    add_metric(&seed, TSB_TABLE_METRICS, 1, TSB_METRIC_DELETE, 0);
    add_metric(&seed, TSB_TABLE_METRIC_FAMILIES, 2, TSB_METRIC_DELETE, 0);
    fuzz_add_u8(&seed, 6);
    add_metric(&seed, WRONG[i][0], WRONG[i][1], WRONG[i][2], WRONG[i][3]);
    fuzz_add_u8(&seed, 5);
    take(seed.bytes, seed.size);
  }
}

static void add_record(struct fuzz_seed* seed, unsigned offset, const struct fuzz_seed* record) {
  const uint8_t head[] = {1, (uint8_t)(offset / OFFSET_UNIT), (uint8_t)((record->size + 1) / 2)};
  fuzz_add(seed, head, sizeof head);
  fuzz_add(seed, record->bytes, record->size);
  if (record->size % 2 != 0) fuzz_add_u8(seed, 0);
}

// A record of a call with one input of `bytes` bytes behind it, one requested output and a parameter.
static void add_call_record(struct fuzz_seed* seed, unsigned offset, const char* model, uint32_t datatype,
                            int64_t count, const void* data, uint32_t bytes) {
  enum { TEXT_BYTES = 32 };
  struct fuzz_seed record = {0};
  char texts[TEXT_BYTES] = "INOUTid";  // and the model's name
  struct tsb_owner parent = {.table = TSB_TABLE_BATCHES, .index = 0, .generation = 1};
  struct tsb_tensor tensor = {.name = TSB_NAME_INLINE,
                              .datatype = datatype,
                              .dims_count = 1,
                              .name_bytes = 2,
                              .place = {FUZZ_REGION, 0, 0, bytes}};
  struct tsb_parameter parameter = {.type = TSB_PARAMETER_INT, .key_bytes = 2, .value = 7};
  struct tsb_call head = {.parent = parent, .trace = parent, .model_version = -1, .input_count = 1};
  uint32_t texts_at = sizeof head + sizeof tensor + sizeof count;
  struct tsb_text_place requested = {texts_at + 2, 3};
  snprintf(texts + 7, sizeof texts - 7, "%s", model);
  tensor.name_offset = texts_at;
  head.id = (struct tsb_text_place){texts_at + 5, 2};
  head.model = (struct tsb_text_place){texts_at + 7, (uint32_t)strlen(texts + 7)};
  head.requested_offset = texts_at + TEXT_BYTES;
  head.requested_count = 1;
  head.parameters_offset = head.requested_offset + (uint32_t)sizeof requested;
  head.parameter_count = 1;
  head.record_bytes = head.parameters_offset + (uint32_t)sizeof parameter + 8;
  tensor.place.offset = offset + head.record_bytes;
  fuzz_add(&record, &head, sizeof head);
  fuzz_add(&record, &tensor, sizeof tensor);
  fuzz_add(&record, &count, sizeof count);
  fuzz_add(&record, texts, sizeof texts);
  fuzz_add(&record, &requested, sizeof requested);
  fuzz_add(&record, &parameter, sizeof parameter);
  fuzz_add(&record, "by\0\0\0\0\0", 8);
  fuzz_add(&record, data, bytes);
  add_record(seed, offset, &record);
}

// `later` is added to the generation that is right, see write_entry.
static void add_call_entry(struct fuzz_seed* seed, unsigned kind, unsigned index, unsigned later, unsigned offset,
                           unsigned bytes) {
  const uint8_t entry[] = {2,
                           (uint8_t)kind,
                           0,
                           kind == TSB_ENTRY_FREE ? TSB_TABLE_ANSWERS : TSB_TABLE_CALLS,
                           (uint8_t)index,
                           (uint8_t)later,
                           0,
                           0,
                           (uint8_t)(offset / OFFSET_UNIT)};
  fuzz_add(seed, entry, sizeof entry);
  fuzz_add_u16(seed, bytes);
  fuzz_add_u8(seed, 0);
  fuzz_add_u8(seed, 0);
}

// A call of each kind of model; its answer is given back, or the call cancelled, and one entry that no correct stub
// writes comes last.
static void seeds_of_calls(fuzz_take take) {
  static const char* const MODELS[] = {"echo_inline", "stream", "silent", "failing", "refusing", "nobody", "short"};
  static const float NUMBERS[] = {1.5f, 2.5f};
  static const uint8_t TEXT[] = {1, 0, 0, 0, 'a'};
  enum { RECORD_BYTES = 256, FP32 = TRITONSERVER_TYPE_FP32, BYTES = TRITONSERVER_TYPE_BYTES };
  for (size_t i = 0; i < sizeof MODELS / sizeof *MODELS; i++) {
    struct fuzz_seed seed = {0};
    fuzz_add_u8(&seed, 0);
    fuzz_add_u8(&seed, 0);  // a batch of one request
    if (i % 2 == 0) add_call_record(&seed, 0, MODELS[i], FP32, 2, NUMBERS, sizeof NUMBERS);
    if (i % 2 != 0) add_call_record(&seed, 0, MODELS[i], BYTES, 1, TEXT, sizeof TEXT);
    add_call_entry(&seed, TSB_ENTRY_CALL, 0, 1, 0, RECORD_BYTES);
    add_call_entry(&seed, TSB_ENTRY_CALL, 1, 1, 0, RECORD_BYTES);
    fuzz_add_u8(&seed, 5);
    add_call_entry(&seed, TSB_ENTRY_CALL_CANCEL, 0, 0, 0, 0);
    fuzz_add_u8(&seed, 5);
    if (strcmp(MODELS[i], "echo_inline") == 0) add_call_entry(&seed, TSB_ENTRY_FREE, 0, 0, 0, 0);
    if (strcmp(MODELS[i], "silent") == 0) add_call_entry(&seed, TSB_ENTRY_CALL, 1, 0, 0, RECORD_BYTES);
    add_call_entry(&seed, TSB_ENTRY_FREE, 7, 0, 0, 0);
    fuzz_add_u8(&seed, 6);
    take(seed.bytes, seed.size);
  }
}

void fuzz_seeds(fuzz_take take) {
  static const float NUMBERS[] = {1.5f, 2.5f, 3.5f};
  static const uint8_t TEXTS[] = {1, 0, 0, 0, 'a'};
  static const uint8_t READS[] = {5, 6, 7};
  struct fuzz_seed good = {0}, text = {0}, failed = {0};
  uint32_t good_bytes = fuzz_record_of(&good, 0, (int64_t[]){3}, 1, NUMBERS, sizeof NUMBERS);
  uint32_t text_bytes = fuzz_record_of(&text, 2, (int64_t[]){1}, 1, TEXTS, sizeof TEXTS);
  uint32_t failed_bytes = fuzz_record_of_error(&failed);
  for (unsigned i = 0; i < sizeof READS; i++) {
    struct fuzz_seed seed = {0};
    fuzz_add_u8(&seed, i == 2 ? 12 : 0);
    fuzz_add_u8(&seed, 0);  // a batch of one request
    fuzz_add_u8(&seed, 8);  // and one of two
    add_record(&seed, 0, &good);
    add_entry(&seed, 0, 0, 0, good_bytes, 0);
    fuzz_add_u8(&seed, READS[i]);
    add_record(&seed, 256, &failed);
    add_entry(&seed, 1, 1, 256, failed_bytes, 0);
    add_entry(&seed, 1, 0, 0, good_bytes, 0);
    fuzz_add_u8(&seed, READS[i]);
    take(seed.bytes, seed.size);
  }
  // A batch of three, one of them is answered twice.
  struct fuzz_seed seed = {0};
  fuzz_add_u8(&seed, 0);
  fuzz_add_u8(&seed, 16);
  add_record(&seed, 512, &text);
  for (int i = 0; i < 2; i++) add_entry(&seed, 0, 2, 512, text_bytes, 0);
  fuzz_add_u8(&seed, 6);
  take(seed.bytes, seed.size);
  // Batches of one, whose answers were written later than now.
  seed.size = 0;
  fuzz_add_u8(&seed, 0);
  add_record(&seed, 0, &good);
  for (int i = 0; i < 3; i++) fuzz_add_u8(&seed, 0);
  for (unsigned i = 0; i < 3; i++) add_entry(&seed, i, 0, 0, good_bytes, 100);
  fuzz_add_u8(&seed, 5);
  take(seed.bytes, seed.size);
  seeds_of_metrics(take);
  seeds_of_calls(take);
}
