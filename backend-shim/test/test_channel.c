// SPDX-License-Identifier: Apache-2.0
// Frames on a stream socket: whole ones, torn ones, and ones that lie.
#include "channel.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check.h"

static const struct tsb_outgoing LOAD = {.method = TSB_METHOD_LOAD};
static int pair[2];

static void open_pair(void) { CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0); }

static void close_pair(void) {
  close(pair[0]);
  close(pair[1]);
}

static int open_descriptors(void) {
  int count = 0;
  for (int fd = 0; fd < 256; fd++) count += fcntl(fd, F_GETFD) >= 0;
  return count;
}

// Sends raw bytes with descriptors, past all checks of tsb_channel_send.
static void send_raw(const void* data, size_t bytes, int fd_to_copy, int copies) {
  union {
    struct cmsghdr header;
    char space[CMSG_SPACE(sizeof(int) * 16)];
  } control;
  struct iovec part = {.iov_base = (void*)data, .iov_len = bytes};
  struct msghdr head = {.msg_iov = &part, .msg_iovlen = 1};
  memset(&control, 0, sizeof control);
  if (copies > 0) {
    head.msg_control = control.space;
    head.msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)copies);
    struct cmsghdr* rights = CMSG_FIRSTHDR(&head);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof(int) * (size_t)copies);
    for (int i = 0; i < copies; i++) memcpy(CMSG_DATA(rights) + i * sizeof(int), &fd_to_copy, sizeof(int));
  }
  CHECK_INT(sendmsg(pair[0], &head, MSG_NOSIGNAL), bytes);
}

static void test_a_frame_with_text_and_descriptors(void) {
  struct tsb_message message;
  open_pair();
  int descriptors[] = {pair[0], pair[1]};
  struct tsb_outgoing sent = {.method = TSB_METHOD_LOAD,
                              .flags = TSB_FRAME_REPLY,
                              .call = 77,
                              .region = 9,
                              .payload = "{\"a\":1}",
                              .payload_bytes = 7,
                              .descriptors = descriptors,
                              .descriptor_count = 2};
  CHECK_INT(tsb_channel_send(pair[0], &sent, 1000), 0);
  CHECK_INT(tsb_channel_receive(pair[1], &message, 1000), 1);
  CHECK_INT(message.frame.method, TSB_METHOD_LOAD);
  CHECK_INT(message.frame.flags, TSB_FRAME_REPLY);
  CHECK_INT(message.frame.call, 77);
  CHECK_INT(message.frame.region, 9);
  CHECK_INT(message.frame.payload_bytes, 7);
  CHECK_TEXT(message.payload, "{\"a\":1}");
  CHECK(message.descriptors[0] >= 0 && message.descriptors[1] >= 0);
  CHECK_INT(fcntl(message.descriptors[0], F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
  CHECK_INT(message.descriptors[2], -1);
  int taken = message.descriptors[0], left = message.descriptors[1];
  message.descriptors[0] = -1;
  tsb_message_free(&message);
  CHECK(fcntl(taken, F_GETFD) >= 0);
  CHECK_SOON(fcntl(left, F_GETFD) < 0);
  close(taken);
  close_pair();
}

static void test_nothing_there_and_the_end(void) {
  struct tsb_message message;
  open_pair();
  CHECK_INT(tsb_channel_receive(pair[1], &message, 0), -ETIMEDOUT);
  CHECK_INT(tsb_channel_receive(pair[1], &message, 20), -ETIMEDOUT);
  close(pair[0]);
  CHECK_INT(tsb_channel_receive(pair[1], &message, 1000), 0);
  CHECK_INT(tsb_channel_send(pair[1], &LOAD, 1000), -EPIPE);
  close(pair[1]);
}

static void test_limits_of_the_sender(void) {
  int descriptors[5] = {0};
  struct tsb_outgoing huge = {.method = TSB_METHOD_LOAD, .payload_bytes = (uint64_t)TSB_MAX_PAYLOAD_BYTES + 1};
  struct tsb_outgoing many = {.method = TSB_METHOD_LOAD, .descriptors = descriptors, .descriptor_count = 5};
  CHECK_INT(tsb_channel_send(0, &huge, 0), -EMSGSIZE);
  CHECK_INT(tsb_channel_send(0, &many, 0), -EMSGSIZE);
}

// A peer that dies in the middle of a frame, at every byte of it.
static void test_a_torn_frame_is_an_end(void) {
  char bytes[sizeof(struct tsb_frame) + 8];
  struct tsb_frame frame = {.method = TSB_METHOD_LOAD, .payload_bytes = 8};
  memcpy(bytes, &frame, sizeof frame);
  memcpy(bytes + sizeof frame, "{\"ab\":1}", 8);
  for (size_t length = 1; length < sizeof bytes; length++) {
    struct tsb_message message;
    open_pair();
    send_raw(bytes, length, -1, 0);
    close(pair[0]);
    CHECK_INT(tsb_channel_receive(pair[1], &message, 1000), 0);
    CHECK(message.payload == NULL);
    close(pair[1]);
  }
}

// A peer that begins a frame and then says nothing more is broken, not quiet; and a byte now and then does not help it.
static void test_a_frame_has_a_deadline(void) {
  struct tsb_frame frame = {.method = TSB_METHOD_LOAD, .payload_bytes = 8};
  struct tsb_message message;
  open_pair();
  send_raw((const char*)&frame, sizeof frame, -1, 0);
  CHECK_INT(tsb_channel_receive(pair[1], &message, 0), -EPROTO);
  close(pair[0]);
  close(pair[1]);
}

static void* send_slowly(void* argument) {
  const char* bytes = argument;
  for (size_t i = 0; i < sizeof(struct tsb_frame) + 8; i++) {
    CHECK_INT(send(pair[0], bytes + i, 1, MSG_NOSIGNAL), 1);
    usleep(500);
  }
  return NULL;
}

static void test_a_frame_may_come_byte_by_byte(void) {
  char bytes[sizeof(struct tsb_frame) + 8];
  struct tsb_frame frame = {.method = TSB_METHOD_LOAD, .payload_bytes = 8};
  struct tsb_message message;
  pthread_t thread;
  memcpy(bytes, &frame, sizeof frame);
  memcpy(bytes + sizeof frame, "{\"ab\":1}", 8);
  open_pair();
  CHECK_INT(pthread_create(&thread, NULL, send_slowly, bytes), 0);
  CHECK_INT(tsb_channel_receive(pair[1], &message, 5000), 1);
  CHECK_TEXT(message.payload, "{\"ab\":1}");
  tsb_message_free(&message);
  pthread_join(thread, NULL);
  close_pair();
}

static void test_frames_that_lie_are_refused_and_leak_nothing(void) {
  static const struct {
    struct tsb_frame frame;
    int descriptors;
  } CASES[] = {
      {{.method = TSB_METHOD_LOAD, .payload_bytes = TSB_MAX_PAYLOAD_BYTES + 1}, 0},
      {{.method = TSB_METHOD_LOAD, .payload_bytes = UINT32_MAX}, 0},
      {{.method = TSB_METHOD_REGION, .region = 1, .descriptor_count = 1}, 0},  // says it has a descriptor, and has none
      {{.method = TSB_METHOD_REGION, .region = 1, .descriptor_count = 0}, 1},  // the other way round
      {{.method = TSB_METHOD_REGION, .region = 1, .descriptor_count = 2}, 1},
      {{.method = TSB_METHOD_REGION, .region = 1, .descriptor_count = 5}, 5},  // more than a frame may carry
      {{.method = TSB_METHOD_REGION, .region = 1, .descriptor_count = 16}, 16},
      {{.method = TSB_METHOD_REGION, .region = 1, .descriptor_count = UINT32_MAX}, 4},
  };
  for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
    struct tsb_message message;
    open_pair();
    int before = open_descriptors();
    send_raw(&CASES[i].frame, sizeof CASES[i].frame, pair[0], CASES[i].descriptors);
    int status = tsb_channel_receive(pair[1], &message, 1000);
    if (status != -EPROTO) CHECK_FAIL("case %zu gave %d", i, status);
    CHECK_SOON(open_descriptors() == before);
    close_pair();
  }
}

static void test_descriptors_beside_the_payload_are_counted(void) {
  struct tsb_frame frame = {.method = TSB_METHOD_LOAD, .payload_bytes = 4};
  struct tsb_message message;
  open_pair();
  int before = open_descriptors();
  send_raw(&frame, sizeof frame, -1, 0);
  send_raw("null", 4, pair[0], 3);
  CHECK_INT(tsb_channel_receive(pair[1], &message, 1000), -EPROTO);
  CHECK_SOON(open_descriptors() == before);
  close_pair();
}

// A receiver that may open no more files is told so: its peer broke nothing.
static void test_a_limit_of_open_files(void) {
  struct tsb_message message;
  struct rlimit before, low;
  open_pair();
  struct tsb_outgoing outgoing = {.method = 7, .descriptors = &pair[0], .descriptor_count = 1};
  CHECK_INT(tsb_channel_send(pair[0], &outgoing, 1000), 0);
  CHECK_INT(getrlimit(RLIMIT_NOFILE, &before), 0);
  low = before;
  low.rlim_cur = (rlim_t)pair[1] + 1;
  CHECK_INT(setrlimit(RLIMIT_NOFILE, &low), 0);
  CHECK_INT(tsb_channel_receive(pair[1], &message, 1000), -EMFILE);
  CHECK_INT(setrlimit(RLIMIT_NOFILE, &before), 0);
  close_pair();
}

static void* receive_large(void* argument) {
  CHECK_INT(tsb_channel_receive(pair[1], argument, 10000), 1);
  return NULL;
}

static void test_a_frame_larger_than_the_socket_holds(void) {
  size_t bytes = 8u << 20;
  char* payload = malloc(bytes);
  struct tsb_message message;
  pthread_t thread;
  open_pair();
  memset(payload, 'x', bytes);
  CHECK_INT(pthread_create(&thread, NULL, receive_large, &message), 0);
  struct tsb_outgoing frame = {.method = TSB_METHOD_LOAD, .payload = payload, .payload_bytes = bytes};
  CHECK_INT(tsb_channel_send(pair[0], &frame, 10000), 0);
  pthread_join(thread, NULL);
  CHECK_INT(message.frame.payload_bytes, bytes);
  CHECK_INT(memcmp(message.payload, payload, bytes), 0);
  tsb_message_free(&message);
  free(payload);
  close_pair();
}

static void test_a_reader_that_stands_still_is_given_up(void) {
  size_t bytes = 8u << 20;
  char* payload = calloc(1, bytes);
  open_pair();
  struct tsb_outgoing frame = {.method = TSB_METHOD_LOAD, .payload = payload, .payload_bytes = bytes};
  CHECK_INT(tsb_channel_send(pair[0], &frame, 50), -ETIMEDOUT);
  free(payload);
  close_pair();
}

int main(void) {
  test_a_frame_with_text_and_descriptors();
  test_nothing_there_and_the_end();
  test_limits_of_the_sender();
  test_a_torn_frame_is_an_end();
  test_a_frame_has_a_deadline();
  test_a_frame_may_come_byte_by_byte();
  test_frames_that_lie_are_refused_and_leak_nothing();
  test_descriptors_beside_the_payload_are_counted();
  test_a_frame_larger_than_the_socket_holds();
  test_a_reader_that_stands_still_is_given_up();
  test_a_limit_of_open_files();
  return 0;
}
