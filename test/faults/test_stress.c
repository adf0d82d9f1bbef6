// SPDX-License-Identifier: Apache-2.0
// test_stress SECONDS WINDOW PREFETCH SEED: batches of many sizes, some of them in clients' memory, while the stub is
// killed, stopped and woken at random, and the model unloaded and loaded again. Each request must be answered once, and
// rightly unless with an error.
#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "barrier.h"
#include "check.h"
#include "fake_client.h"
#include "fake_host.h"

enum { SLOTS = 64, MAX_REQUESTS = 3, BIG_COUNT = 300000, ROUND_MS = 1500, STUCK_MS = 20000 };
// In clients' memory: what is large enough to be lent, and room to have an output beside it or over a part of it.
enum { LENT_COUNT = 4096, PLACE_COUNT = 5 * LENT_COUNT, PLACE_BYTES = PLACE_COUNT * (int)sizeof(float) };

struct slot {
  TRITONBACKEND_Request requests[MAX_REQUESTS];
  float* data[MAX_REQUESTS];
  struct fake_client client;
  float first[MAX_REQUESTS];  // element i of request j is first[j] + i
  int count;
};

static struct slot slots[SLOTS];
static struct fake_client shared;  // element i is i; many batches have the same of its bytes at the same time
static uint32_t stop;
static unsigned seed;
static long kills, rights, errors;

static uint64_t now_ms(void) { return tsb_now_ns() / 1000000; }

// The one child of this process; each thread lists those that it started.
static int stub_pid(void) {
  int pid = 0;
  DIR* tasks = opendir("/proc/self/task");
  CHECK(tasks != NULL);
  for (struct dirent* entry; (entry = readdir(tasks)) != NULL;) {
    char path[300];
    snprintf(path, sizeof path, "/proc/self/task/%s/children", entry->d_name);
    FILE* file = entry->d_name[0] == '.' ? NULL : fopen(path, "r");
    if (file == NULL) continue;
    int found;
    if (fscanf(file, "%d", &found) == 1) pid = found;
    fclose(file);
  }
  closedir(tasks);
  return pid;
}

static void* kill_at_random(void* argument) {
  unsigned state = seed * 7 + 3;
  (void)argument;
  while (tsb_load_acquire_u32(&stop) == 0) {
    usleep(1000 + (unsigned)rand_r(&state) % 60000);
    int pid = stub_pid();
    int what = rand_r(&state) % 4;
    if (pid <= 0) continue;
    if (what == 0) {
      kill(pid, SIGSTOP);
      usleep((unsigned)rand_r(&state) % 20000);
      kill(pid, SIGCONT);
    } else if (what < 3) {
      kill(pid, SIGKILL);
      kills++;
    }
  }
  return NULL;
}

static void open_client(struct slot* slot) {
  char label[16];
  snprintf(label, sizeof label, "slot%d", (int)(slot - slots));
  fake_client_open(&slot->client, label, MAX_REQUESTS * PLACE_BYTES);
}

// Where the elements of a request lie, and how many they are; in clients' memory also where its output goes.
static float* choose_place(struct slot* slot, int index, unsigned* state, int* elements, uint8_t** output) {
  float* place = (float*)(void*)(slot->client.base + (size_t)index * PLACE_BYTES);
  *output = NULL;
  switch (rand_r(state) % 4) {
    case 0:
      *elements = LENT_COUNT + rand_r(state) % LENT_COUNT;
      slot->first[index] = (float)(2 * (rand_r(state) % LENT_COUNT));
      return (float*)(void*)shared.base + (int)slot->first[index];
    case 1:
      *elements = LENT_COUNT + rand_r(state) % LENT_COUNT;
      place += 2 * (rand_r(state) % LENT_COUNT);
      if (rand_r(state) % 2 == 0) *output = (uint8_t*)(place + rand_r(state) % LENT_COUNT);
      return place;
    default:
      *elements = 1 + rand_r(state) % 5000;
      if (rand_r(state) % 50 == 0) *elements = BIG_COUNT;
      if (rand_r(state) % 5 == 0) *elements = 0;
      return slot->data[index];
  }
}

static void prepare(struct slot* slot, unsigned* state) {
  slot->count = 1 + rand_r(state) % MAX_REQUESTS;
  if (rand_r(state) % 10 == 0) {
    fake_client_close(&slot->client);
    open_client(slot);
  }
  for (int i = 0; i < slot->count; i++) {
    int elements;
    uint8_t* output;
    slot->first[i] = (float)(rand_r(state) % 100000);
    float* data = choose_place(slot, i, state, &elements, &output);
    bool is_shared = (uintptr_t)data - (uintptr_t)shared.base < shared.bytes;
    for (int j = 0; j < elements && !is_shared; j++) data[j] = slot->first[i] + (float)j;
    uint64_t bytes = (uint64_t)elements * sizeof(float);
    slot->requests[i] = (TRITONBACKEND_Request){
        .id = "r", .input_count = 1, .outputs = {"OUT"}, .output_memory = {output}, .output_count = 1};
    slot->requests[i].inputs[0] = (TRITONBACKEND_Input){.name = "IN",
                                                        .datatype = TRITONSERVER_TYPE_FP32,
                                                        .shape = {elements},
                                                        .dims_count = 1,
                                                        .bytes = bytes,
                                                        .buffer_count = 1,
                                                        .buffers = {data},
                                                        .buffer_bytes = {bytes}};
  }
}

static void collect(struct slot* slot) {
  for (int i = 0; i < slot->count; i++) {
    TRITONBACKEND_Request* request = &slot->requests[i];
    if (!fake_request_wait(request, STUCK_MS)) CHECK_FAIL("a request was not answered in %d ms", STUCK_MS);
    CHECK_INT(request->response_count, 1);
    CHECK_INT(request->release_count, 1);
    CHECK_INT(request->success_count + request->failure_count, 1);
    if (request->response->error != NULL) {
      CHECK_INT(request->failure_count, 1);
      errors++;
    } else {
      const TRITONBACKEND_Output* output = fake_output(request, "OUT");
      CHECK(output != NULL);
      CHECK_INT(output->bytes, request->inputs[0].bytes);
      for (uint64_t j = 0; j < output->bytes / sizeof(float); j++) {
        float element = ((const float*)(const void*)output->data)[j], expected = slot->first[i] + (float)j;
        if (element != expected) CHECK_FAIL("element %d is %g, expected %g", (int)j, element, expected);
      }
      rights++;
    }
    fake_request_clear(request);
  }
}

// Keeps up to SLOTS batches in the hands of the library; the oldest is collected first.
static int send_batches(struct fake_host* host, unsigned* state, int* first) {
  uint64_t end = now_ms() + ROUND_MS;
  int used = 0;
  while (now_ms() < end) {
    if (used == SLOTS || (used > 0 && rand_r(state) % 3 == 0)) {
      collect(&slots[*first]);
      *first = (*first + 1) % SLOTS;
      used--;
      continue;
    }
    struct slot* slot = &slots[(*first + used++) % SLOTS];
    TRITONBACKEND_Request* batch[MAX_REQUESTS];
    prepare(slot, state);
    for (int i = 0; i < slot->count; i++) batch[i] = &slot->requests[i];
    fake_host_execute(host, batch, (uint32_t)slot->count);
    if (rand_r(state) % 8 == 0) usleep((unsigned)rand_r(state) % 2000);
  }
  return used;
}

static void run_round(const char* config, unsigned* state) {
  struct fake_host_plan plan = {.options = "\"restart-backoff-ms\":\"1\"", .config = config, .repository = "/nowhere"};
  struct fake_host host;
  const char* step;
  pthread_t killer;
  int first = 0;
  fake_log_clear();
  tsb_store_release_u32(&stop, 0);
  TRITONSERVER_Error* error = fake_host_load(&host, fake_library_linked(), &plan, &step);
  if (error != NULL) CHECK_FAIL("loading failed in step '%s': %s", step, TRITONSERVER_ErrorMessage(error));
  CHECK_INT(pthread_create(&killer, NULL, kill_at_random, NULL), 0);
  int used = send_batches(&host, state, &first);
  tsb_store_release_u32(&stop, 1);
  pthread_join(killer, NULL);
  for (; used > 0; used--, first = (first + 1) % SLOTS) collect(&slots[first]);
  fake_host_unload(&host);
  for (int i = 0; i < 2000 && fake_has_children(); i++) {
    while (waitpid(-1, NULL, WNOHANG) > 0) {
    }
    usleep(1000);
  }
  const char* left = fake_host_leftover(&host);
  if (left != NULL) CHECK_FAIL("%s", left);
  CHECK_INT(fake_live_responses(), 0);
  CHECK(!fake_log_has("breaks the protocol"));
  CHECK(!fake_log_has("freed twice"));
  CHECK(!fake_log_has("are not in order"));
}

int main(int argc, char** argv) {
  char config[1024];
  CHECK_INT(argc, 5);
  uint64_t end = now_ms() + strtoul(argv[1], NULL, 10) * 1000;
  const char* group = strcmp(argv[3], "1") == 0 ? "\"instance_group\":[{\"count\":1,\"kind\":\"KIND_CPU\"}]," : "";
  seed = (unsigned)strtoul(argv[4], NULL, 10);
  unsigned state = seed;
  signal(SIGPIPE, SIG_IGN);
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  setenv("TRITON_TYPESCRIPT_NODE", HOSTILE_STUB, 1);
  setenv("TRITON_TYPESCRIPT_RUNTIME", FAKE_RUNTIME, 1);
  setenv("FAKE_STUB_JITTER", "1", 1);
  setenv("FAKE_STUB_EVILS", "", 1);
  for (int i = 0; i < SLOTS; i++) {
    for (int j = 0; j < MAX_REQUESTS; j++) CHECK((slots[i].data[j] = malloc(BIG_COUNT * sizeof(float))) != NULL);
    open_client(&slots[i]);
  }
  fake_client_open(&shared, "shared", PLACE_BYTES);
  for (int i = 0; i < PLACE_COUNT; i++) ((float*)(void*)shared.base)[i] = (float)i;
  snprintf(config, sizeof config,
           "{\"name\":\"fake_model\",\"max_batch_size\":0,%s\"input\":[{\"name\":\"IN\",\"data_type\":\"TYPE_FP32\","
           "\"dims\":[-1]}],\"output\":[{\"name\":\"OUT\",\"data_type\":\"TYPE_FP32\",\"dims\":[-1]}],"
           "\"parameters\":{\"MAX_IN_FLIGHT_BATCHES\":{\"string_value\":\"%s\"}}}",
           group, argv[2]);
  while (now_ms() < end) run_round(config, &state);
  printf("%ld kills, %ld right answers, %ld errors\n", kills, rights, errors);
  CHECK(rights > 0);
  for (int i = 0; i < SLOTS; i++) {
    for (int j = 0; j < MAX_REQUESTS; j++) free(slots[i].data[j]);
    fake_client_close(&slots[i].client);
  }
  fake_client_close(&shared);
  return 0;
}
