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
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "barrier.h"
#include "client_regions.h"
#include "hostile_stub.h"
#include "layout.h"

enum { LIFETIME_SECONDS = 120 };

struct tsb_connection connection_;
static char evil[64];

bool is(const char* name) { return strcmp(evil, name) == 0; }

bool begins(const char* start) { return strncmp(evil, start, strlen(start)) == 0; }

void be_honest(void) { evil[0] = '\0'; }

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

static void* change_words(void* argument) {
  for (uint32_t i = 0; i < UINT32_MAX; i++) {
    tsb_store_seq_u32(&connection_.control->inputs_written, i / 4 % 2);
    tsb_store_seq_u32(&connection_.control->regions_lost, i * 7);
    usleep(50);
  }
  return argument;
}

static void execute(const struct tsb_entry* entry) {
  jitter();
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
      if (begins("exit")) _exit(7);
      if (begins("kill")) raise(SIGKILL);
      if (begins("hang")) hang();
      if (begins("stop")) raise(SIGSTOP);
      if (begins("loads")) send_loads(TSB_MAX_SHIM_CALLS / 2);
      if (begins("garbage")) send_garbage();
      if (begins("nonsense")) reply = "{\"config\":";
      if (begins("other")) send_frame(TSB_METHOD_HELLO, TSB_FRAME_REPLY, frame->call, "{}");
      if (begins("stale")) send_frame(frame->method, TSB_FRAME_REPLY, frame->call - 1, "{}");
      if (begins("error")) {
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
  if (is("exit_before_hello")) _exit(0);
  say_hello();
  serve();
  return 0;
}
