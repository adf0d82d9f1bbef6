// SPDX-License-Identifier: Apache-2.0
// A fake stub: it stands in for Node and main.js, speaks the protocol with the code of the real stub's C side, echoes
// tensors (clients' memory included), and then does one evil thing. FAKE_STUB_EVILS lists the evil of the first
// process, the second, and so on; processes after the end of the list are honest. FAKE_STUB_STARTS names the file that
// counts them.
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "barrier.h"
#include "client_regions.h"
#include "hostile_stub.h"
#include "layout.h"

enum { CHANNEL = 3, LIFETIME_SECONDS = 120 };

struct tsb_connection connection_;
static char evil[64];
static bool jitters;
static struct tsb_entry last_answer;

bool is(const char* name) { return strcmp(evil, name) == 0; }

static void choose_evil(void) {
  const char* list = getenv("FAKE_STUB_EVILS");
  const char* starts = getenv("FAKE_STUB_STARTS");
  struct stat info;
  if (list == NULL || starts == NULL) return;
  int fd = open(starts, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0 || write(fd, "x", 1) != 1 || fstat(fd, &info) != 0) _exit(90);
  close(fd);
  for (off_t i = 1; i < info.st_size && list != NULL; i++) {
    list = strchr(list, ',');
    if (list != NULL) list++;
  }
  if (list == NULL) return;
  snprintf(evil, sizeof evil, "%.*s", (int)strcspn(list, ","), list);
}

// For ever, but not longer than the host lives: a test that fails must not leave this process behind.
static void hang(void) {
  struct pollfd item = {.fd = CHANNEL, .events = POLLRDHUP};
  while (poll(&item, 1, -1) <= 0) {
  }
  _exit(0);
}

static void* change_words(void* argument) {
  for (uint32_t i = 0; i < UINT32_MAX; i++) {
    tsb_store_seq_u32(&connection_.control->inputs_written, i / 4 % 2);
    tsb_store_seq_u32(&connection_.control->regions_lost, i * 7);
    usleep(50);
  }
  return argument;
}

static void send_frame(uint32_t method, uint32_t flags, uint32_t call, const char* payload) {
  struct tsb_outgoing frame = {
      .method = method, .flags = flags, .call = call, .payload = payload, .payload_bytes = strlen(payload)};
  if (tsb_channel_send(CHANNEL, &frame, 5000) < 0) _exit(91);
}

static void send_bytes(const void* bytes, size_t count) {
  if (send(CHANNEL, bytes, count, MSG_NOSIGNAL) < 0) _exit(92);
}

static void send_garbage(void) {
  uint8_t bytes[4096];
  for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)(i * 37 + 11);
  send_bytes(bytes, sizeof bytes);
}

static int make_file(off_t bytes, int seals) {
  int fd = memfd_create("hostile", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (fd < 0 || ftruncate(fd, bytes) != 0) _exit(93);
  if (seals != 0 && fcntl(fd, F_ADD_SEALS, seals) != 0) _exit(94);
  return fd;
}

static void announce(uint32_t id, int fd) {
  struct tsb_outgoing notice = {
      .method = TSB_METHOD_REGION, .region = id, .descriptors = &fd, .descriptor_count = fd < 0 ? 0 : 1};
  if (tsb_channel_send(CHANNEL, &notice, 5000) < 0) _exit(95);
}

// --- Answers -------------------------------------------------------------------------------------------------------
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

static void answer(const struct tsb_entry* batch, uint32_t index, const struct tsb_place* place) {
  struct tsb_entry entry = {
      .kind = TSB_ENTRY_RESPONSE, .flags = TSB_RESPONSE_FINAL, .owner = batch->owner, .place = *place};
  entry.owner.item = index;
  if (is("unknown_table")) entry.owner.table = 99;
  if (is("not_final")) entry.flags = 0;
  if (is("unknown_kind")) entry.kind = 99;
  if (is("execute_kind")) entry.kind = TSB_ENTRY_EXECUTE;
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
  last_answer = entry;
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

static void evil_regions(void) {
  int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
  if (is("region_unsealed") || is("region_shrunk")) {
    int fd = make_file(1 << 20, 0);
    announce(TSB_REGION_OF_STUB | 50, fd);
    if (is("region_shrunk") && ftruncate(fd, 0) != 0) _exit(100);
  }
  if (is("region_empty")) announce(TSB_REGION_OF_STUB | 50, make_file(0, seals));
  if (is("region_too_large")) announce(TSB_REGION_OF_STUB | 50, make_file((off_t)1 << 41, seals));
  if (is("region_of_the_shim")) announce(50, make_file(4096, seals));
  if (is("region_without_descriptor")) announce(TSB_REGION_OF_STUB | 50, -1);
  if (is("region_twice")) {
    announce(TSB_REGION_OF_STUB | 50, make_file(4096, seals));
    announce(TSB_REGION_OF_STUB | 50, make_file(4096, seals));
  }
  if (is("regions_without_end")) {
    for (uint32_t i = 0; i < 300; i++) {
      int fd = make_file(4096, seals);
      announce(TSB_REGION_OF_STUB | (100 + i), fd);
      close(fd);
    }
  }
}

static void evil_channel(void) {
  struct tsb_frame frame = {.method = TSB_METHOD_REGION, .payload_bytes = UINT32_MAX};
  if (is("garbage_on_channel")) send_garbage();
  if (is("huge_frame")) send_bytes(&frame, sizeof frame);
  if (is("torn_frame")) send_bytes(&frame, 7);
  if (is("answer_nobody_asked_for")) send_frame(TSB_METHOD_LOAD, TSB_FRAME_REPLY, 4711, "{}");
  if (is("call_of_an_unknown_method")) send_frame(4711, 0, 1, "{}");
  if (is("call_of_a_method_of_the_stub")) send_frame(TSB_METHOD_FINALIZE, 0, 1, "{}");
  if (is("method_zero")) send_frame(0, 0, 0, "");
  if (is("shut_down_channel")) shutdown(CHANNEL, SHUT_WR);
  if (is("close_channel")) {
    close(CHANNEL);
    for (;;) pause();
  }
}

static void evil_rings(void) {
  struct tsb_ring_shared* to_shim = &connection_.control->to_shim;
  if (is("tail_jump")) tsb_store_seq_u64(&to_shim->tail, to_shim->tail + TSB_RING_CAPACITY + 5000);
  if (is("tail_back")) tsb_store_seq_u64(&to_shim->tail, to_shim->tail - 3);
  if (is("head_jump")) tsb_store_seq_u64(&connection_.control->to_stub.head, UINT64_C(1) << 40);
  if (is("full_ring_of_nonsense")) {
    memset(connection_.control->to_shim_entries, 0x5a, sizeof connection_.control->to_shim_entries);
    tsb_store_seq_u64(&to_shim->tail, to_shim->head + TSB_RING_CAPACITY);
  }
  if (is("all_of_memory_is_nonsense")) {
    for (uint32_t i = 0; i < connection_.regions.count; i++) {
      memset(connection_.regions.regions[i].base, 0x5a, connection_.regions.regions[i].bytes);
    }
  }
  uint64_t one = 1;
  for (int i = 0; i < 2; i++) {  // whatever the words say about sleep, the shim shall look
    if (write(connection_.wake_shim_fds[i], &one, sizeof one) < 0) _exit(101);
  }
  // The next honest answer would put the word right.
  if (strncmp(evil, "tail", 4) == 0 || is("full_ring_of_nonsense")) hang();
}

// Makes every descriptor that the server may write to block it, once it is told that this process sleeps, and never
// comes back.
static void block_the_server(void) {
  int descriptors[] = {CHANNEL, connection_.watch_fd, connection_.wake_shim_fds[0], connection_.wake_shim_fds[1]};
  uint64_t full = UINT64_MAX - 1, count;
  for (int i = 0; i < 4; i++) {
    fcntl(descriptors[i], F_SETFL, fcntl(descriptors[i], F_GETFL) & ~O_NONBLOCK);
    if (i == 0) continue;
    struct pollfd item = {.fd = descriptors[i], .events = POLLIN};
    ssize_t done = poll(&item, 1, 0) > 0 ? read(descriptors[i], &count, sizeof count) : 0;
    done = write(descriptors[i], &full, sizeof full);
    (void)done;  // refused where this is no eventfd
  }
  hang();
}

// A tracer of its own keeps a dead process from being reaped. It ends with its control channel.
static void die_traced(void) {
  int ready[2];
  char byte;
  if (pipe(ready) != 0) _exit(111);
  prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
  pid_t traced = getpid();
  if (fork() == 0) {
    setsid();
    if (ptrace(PTRACE_SEIZE, traced, NULL, NULL) != 0) fprintf(stderr, "This process may not be traced.\n");
    if (write(ready[1], "x", 1) != 1) _exit(112);
    hang();
  }
  if (read(ready[0], &byte, 1) != 1) _exit(113);
  _exit(7);
}

static void evil_process(void) {
  if (is("dies_traced")) die_traced();
  if (is("exit_in_batch")) _exit(7);
  if (is("kill_in_batch")) raise(SIGKILL);
  if (is("abort_in_batch")) abort();
  if (is("stop_in_batch")) raise(SIGSTOP);
  if (is("hang_in_batch")) hang();
  if (is("child_left_behind")) {
    if (fork() == 0) pause();
    _exit(7);
  }
  if (is("flood_of_output")) {
    char line[1024];
    memset(line, 'f', sizeof line);
    line[sizeof line - 1] = '\n';
    for (int i = 0; i < 4096; i++) {
      if (write(1 + i % 2, line, sizeof line) < 0) _exit(102);
    }
  }
}

static int dice(int sides) {
  static unsigned state;
  if (state == 0) state = (unsigned)getpid();
  return rand_r(&state) % sides;
}

// Takes a random time: none, some of a processor's, or a sleep.
static void jitter(void) {
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
  if (is("copies") || strncmp(evil, "writes", 6) == 0 || (jitters && dice(2) == 0)) data = copy_data(input);
  // A model that writes into its input when it has seen it.
  if (data.bytes > 0 && (is("writes_without_a_rest") || (jitters && dice(500) == 0))) data_of(input)[0] ^= 1;
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

static void answer_batch(const struct tsb_entry* entry) {
  uint32_t count;
  const struct tsb_request* request = requests_of(entry, &count);
  for (uint32_t i = 0; i < count; i++) {
    answer_request(entry, request, i);
    if (is("exit_after_one_answer")) _exit(7);
    request = (const struct tsb_request*)((const uint8_t*)request + request->record_bytes);
  }
}

// Two batches at once: the model writes into the first input of the one, and only then looks at all others.
static void write_into_an_input(const struct tsb_entry* entry) {
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
  evil[0] = '\0';
}

static void execute(const struct tsb_entry* entry) {
  if (jitters) jitter();
  evil_process();
  evil_log_in_batch();
  ready_batch();
  evil_regions();
  evil_descriptors();
  evil_shim_calls();
  evil_channel();
  evil_rings();
  if (has_metrics()) use_metrics();
  if (streams()) {
    stream_batch(entry);
  } else if (makes_calls()) {
    call_for_batch(entry);
  } else if (is("writes_into_an_input")) {
    write_into_an_input(entry);
  } else {
    answer_batch(entry);
  }
  if (is("blocks_the_server") && tsb_ring_prepare_sleep(&connection_.to_stub, 0)) block_the_server();
  // Where batches overlap for ever there is never one that is the last.
  if (!is("writes_without_a_rest")) tsb_client_regions_restore();
  if (is("exit_after_answers")) _exit(7);
}

// --- Steps ---------------------------------------------------------------------------------------------------------
static void step(const struct tsb_frame* frame) {
  static const struct {
    uint32_t method;
    const char *name, *honest;
  } STEPS[] = {{TSB_METHOD_LOAD, "load", "{\"config\":null}"},
               {TSB_METHOD_INITIALIZE, "initialize", "{}"},
               {TSB_METHOD_FINALIZE, "finalize", "{}"}};
  for (size_t i = 0; i < sizeof STEPS / sizeof STEPS[0]; i++) {
    if (STEPS[i].method != frame->method) continue;
    const char* separator = strstr(evil, "_in_");
    const char* reply = STEPS[i].method == TSB_METHOD_INITIALIZE ? ready_initialize_reply() : STEPS[i].honest;
    if (separator != NULL && strcmp(separator + 4, STEPS[i].name) == 0) {
      if (strncmp(evil, "exit", 4) == 0) _exit(7);
      if (strncmp(evil, "kill", 4) == 0) raise(SIGKILL);
      if (strncmp(evil, "hang", 4) == 0) hang();
      if (strncmp(evil, "stop", 4) == 0) raise(SIGSTOP);
      if (strncmp(evil, "loads", 5) == 0) send_loads(TSB_MAX_SHIM_CALLS / 2);
      if (strncmp(evil, "garbage", 7) == 0) send_garbage();
      if (strncmp(evil, "nonsense", 8) == 0) reply = "{\"config\":";
      if (strncmp(evil, "other", 5) == 0) send_frame(TSB_METHOD_HELLO, TSB_FRAME_REPLY, frame->call, "{}");
      if (strncmp(evil, "stale", 5) == 0) send_frame(frame->method, TSB_FRAME_REPLY, frame->call - 1, "{}");
      if (strncmp(evil, "error", 5) == 0) {
        reply = "{\"error\":{\"code\":\"INVALID_ARG\",\"message\":\"the stub's own words\"}}";
      }
    }
    send_frame(frame->method, TSB_FRAME_REPLY, frame->call, reply);
  }
  if (frame->method == TSB_METHOD_FINALIZE) _exit(0);
}

static void read_channel(void) {
  struct tsb_message message;
  int status = tsb_channel_receive(CHANNEL, &message, 0);
  if (status == 0) _exit(0);
  if (status < 0) _exit(104);
  if (message.frame.method == TSB_METHOD_REGION) {
    if (tsb_connection_adopt(&connection_, &message) < 0) _exit(105);
  } else if (message.frame.method == TSB_METHOD_CLIENT_REGION) {
    if (tsb_client_regions_adopt(&connection_, &message) < 0) _exit(109);
  } else if (message.frame.method == TSB_METHOD_FORGET_REGION) {
    tsb_client_regions_forget(&connection_, message.frame.region, false);
  } else if ((message.frame.flags & TSB_FRAME_REPLY) != 0) {
    shim_call_replied(&message);
  } else if (message.frame.method == TSB_METHOD_CHECK_READY) {
    ready_check(&message.frame);
  } else {
    step(&message.frame);
  }
  tsb_message_free(&message);
}

static bool channel_has_something(void) {
  struct pollfd item = {.fd = CHANNEL, .events = POLLIN};
  return poll(&item, 1, 0) > 0;
}

static void serve(void) {
  for (;;) {
    struct pollfd items[] = {{.fd = CHANNEL, .events = POLLIN}, {.fd = connection_.watch_fd, .events = POLLIN}};
    struct tsb_entry entry;
    if (tsb_ring_prepare_sleep(&connection_.to_stub, 0)) poll(items, 2, 1000);
    tsb_ring_awake(&connection_.to_stub);
    tsb_ring_clear_watch(connection_.watch_fd);
    while (channel_has_something()) read_channel();
    while (tsb_ring_take(&connection_.to_stub, &entry) > 0) {
      while (channel_has_something()) read_channel();  // what announces the entry's regions was sent before it
      if (!is("head_jump")) tsb_ring_release(&connection_.to_stub);
      if (entry.kind == TSB_ENTRY_CANCEL) {
        stream_cancel(&entry);
      } else if (entry.kind == TSB_ENTRY_CALL_RESPONSE) {
        call_response(&entry);
      } else {
        execute(&entry);
      }
    }
  }
}

// Peeking at a frame gives copies of its descriptors, so the control region can be changed before the handshake.
static void spoil_version(uint32_t version) {
  union {
    struct cmsghdr header;
    char space[CMSG_SPACE(sizeof(int) * TSB_CHANNEL_MAX_DESCRIPTORS)];
  } control;
  struct tsb_frame frame;
  struct iovec part = {.iov_base = &frame, .iov_len = sizeof frame};
  struct msghdr head = {
      .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.space, .msg_controllen = sizeof control.space};
  int fd;
  if (recvmsg(CHANNEL, &head, MSG_PEEK) != sizeof frame || CMSG_FIRSTHDR(&head) == NULL) _exit(106);
  memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&head)), sizeof fd);
  struct tsb_control* shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (shared == MAP_FAILED) _exit(107);
  tsb_store_release_u32(&shared->version, version);
}

static void say_hello(void) {
  char why[640];
  if (is("other_version")) spoil_version(TSB_PROTOCOL_VERSION + 1);
  if (is("version_not_published")) spoil_version(0);
  uint64_t fingerprint = tsb_layout_fingerprint() + (is("wrong_fingerprint") ? 1 : 0);
  if (tsb_connection_connect(&connection_, CHANNEL, fingerprint, why, sizeof why) < 0) {
    fprintf(stderr, "%s\n", why);
    _exit(1);
  }
  if (is("exit_after_hello")) _exit(7);
  if (is("kill_after_hello")) raise(SIGKILL);
  if (is("hang_after_hello")) hang();
  pthread_t thread;
  if (is("words_that_change") && pthread_create(&thread, NULL, change_words, NULL) != 0) _exit(99);
  evil_log_at_start();
  if (is("garbage_after_hello")) send_garbage();
  uint32_t call = connection_.hello_call;
  if (is("refuse_without_reason")) send_frame(TSB_METHOD_HELLO, TSB_FRAME_REPLY, call, "{\"error\":{}}");
  if (is("other_answer_to_hello")) send_frame(TSB_METHOD_INITIALIZE, TSB_FRAME_REPLY, call, "{}");
  if (is("hello_that_is_not_json")) send_frame(TSB_METHOD_HELLO, TSB_FRAME_REPLY, call, "\x01\x02");
  if (is("descriptors_nobody_asked_for")) {
    int descriptors[] = {0, 1, 2, CHANNEL};
    struct tsb_outgoing reply = {.method = TSB_METHOD_HELLO,
                                 .flags = TSB_FRAME_REPLY,
                                 .call = call,
                                 .descriptors = descriptors,
                                 .descriptor_count = 4};
    tsb_channel_send(CHANNEL, &reply, 5000);
    return;
  }
  if (tsb_connection_accept(&connection_) < 0) _exit(91);
}

int main(void) {
  alarm(LIFETIME_SECONDS);
  choose_evil();
  jitters = getenv("FAKE_STUB_JITTER") != NULL;
  if (is("exit_before_hello")) _exit(0);
  say_hello();
  serve();
  return 0;
}
