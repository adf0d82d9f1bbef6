// SPDX-License-Identifier: Apache-2.0
#include "channel.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "barrier.h"
#include "discard.h"

// A peer that stops in the middle of a frame is as broken as one that writes nonsense.
enum { CHANNEL_FRAME_TIMEOUT_MS = 5000 };
// That Linux lets one message have.
enum { MOST_DESCRIPTORS = 253 };

static int channel__wait(int socket, short events, int timeout_ms) {
  struct pollfd descriptor = {.fd = socket, .events = events};
  for (;;) {
    int ready = poll(&descriptor, 1, timeout_ms);
    if (ready > 0) return 0;
    if (ready == 0) return -ETIMEDOUT;
    if (errno != EINTR) return -errno;
  }
}

// Waits for room until the deadline; 0: for ever.
static int channel__wait_for_room(int socket, uint64_t deadline_ns) {
  if (deadline_ns == 0) return channel__wait(socket, POLLOUT, -1);
  uint64_t now = tsb_now_ns();
  if (now >= deadline_ns) return -ETIMEDOUT;
  return channel__wait(socket, POLLOUT, (int)((deadline_ns - now) / 1000000) + 1);
}

static int channel__send_all(int socket, const void* data, uint64_t bytes, uint64_t deadline_ns) {
  const char* at = data;
  while (bytes > 0) {
    ssize_t sent = send(socket, at, bytes, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent >= 0) {
      at += sent;
      bytes -= (uint64_t)sent;
    } else if (errno == EAGAIN) {
      int status = channel__wait_for_room(socket, deadline_ns);
      if (status < 0) return status;
    } else if (errno != EINTR) {
      return -errno;
    }
  }
  return 0;
}

int tsb_channel_send(int socket, const struct tsb_outgoing* outgoing, int timeout_ms) {
  uint32_t descriptor_count = outgoing->descriptor_count;
  if (outgoing->payload_bytes > TSB_MAX_PAYLOAD_BYTES || descriptor_count > TSB_CHANNEL_MAX_DESCRIPTORS) {
    return -EMSGSIZE;
  }
  struct tsb_frame frame = {.method = outgoing->method,
                            .flags = outgoing->flags,
                            .call = outgoing->call,
                            .payload_bytes = (uint32_t)outgoing->payload_bytes,
                            .region = outgoing->region,
                            .descriptor_count = descriptor_count};
  union {
    struct cmsghdr header;
    char space[CMSG_SPACE(sizeof(int) * TSB_CHANNEL_MAX_DESCRIPTORS)];
  } control;
  memset(&control, 0, sizeof control);
  struct iovec part = {.iov_base = &frame, .iov_len = sizeof frame};
  struct msghdr head = {.msg_iov = &part, .msg_iovlen = 1};
  if (descriptor_count > 0) {
    head.msg_control = control.space;
    head.msg_controllen = CMSG_SPACE(sizeof(int) * descriptor_count);
    struct cmsghdr* rights = CMSG_FIRSTHDR(&head);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof(int) * descriptor_count);
    memcpy(CMSG_DATA(rights), outgoing->descriptors, sizeof(int) * descriptor_count);
  }
  // Of the whole frame: a peer that makes room for a byte now and then cannot hold its writer.
  uint64_t deadline_ns = timeout_ms < 0 ? 0 : tsb_now_ns() + (uint64_t)timeout_ms * UINT64_C(1000000);
  ssize_t sent;
  while ((sent = sendmsg(socket, &head, MSG_NOSIGNAL | MSG_DONTWAIT)) < 0) {
    if (errno == EINTR) continue;
    if (errno != EAGAIN) return -errno;
    int status = channel__wait_for_room(socket, deadline_ns);
    if (status < 0) return status;
  }
  // The descriptors went with the first byte; the rest of a torn head goes without them.
  int status = channel__send_all(socket, (char*)&frame + sent, sizeof frame - (uint64_t)sent, deadline_ns);
  return status < 0 ? status : channel__send_all(socket, outgoing->payload, outgoing->payload_bytes, deadline_ns);
}

// A frame on its way in.
struct channel_receipt {
  int socket;
  int timeout_ms;
  uint64_t deadline_ns;  // 0: nothing came yet
  uint32_t descriptor_count;
  struct tsb_message* message;
};

static int channel__collect(struct channel_receipt* receipt, struct msghdr* head) {
  int status = 0;
  for (struct cmsghdr* item = CMSG_FIRSTHDR(head); item != NULL; item = CMSG_NXTHDR(head, item)) {
    if (item->cmsg_level != SOL_SOCKET || item->cmsg_type != SCM_RIGHTS) continue;
    uint32_t received = (uint32_t)((item->cmsg_len - CMSG_LEN(0)) / sizeof(int));
    for (uint32_t i = 0; i < received; i++) {
      int fd;
      memcpy(&fd, CMSG_DATA(item) + i * sizeof(int), sizeof fd);
      if (receipt->descriptor_count < TSB_CHANNEL_MAX_DESCRIPTORS) {
        receipt->message->descriptors[receipt->descriptor_count++] = fd;
      } else {
        tsb_discard(fd);
        status = -EPROTO;
      }
    }
  }
  if ((head->msg_flags & MSG_CTRUNC) == 0) return status;
  return -EMFILE;  // there was room for all that a message may have: this process may open no more files
}

// How long to wait for more of a frame: as the caller says for its first byte, then until a deadline, so that a peer
// that sends a byte now and then cannot hold its reader.
static int channel__receive_wait(const struct channel_receipt* receipt) {
  if (receipt->deadline_ns == 0) return channel__wait(receipt->socket, POLLIN, receipt->timeout_ms);
  uint64_t now = tsb_now_ns();
  if (now >= receipt->deadline_ns) return -EPROTO;
  int status = channel__wait(receipt->socket, POLLIN, (int)((receipt->deadline_ns - now) / 1000000) + 1);
  return status == -ETIMEDOUT ? -EPROTO : status;
}

// Receives exactly `bytes`; descriptors are collected as they come. Returns 1, 0 at an orderly end before the first
// byte, or negative.
static int channel__receive_all(struct channel_receipt* receipt, void* data, uint64_t bytes) {
  uint64_t got = 0;
  while (got < bytes) {
    union {
      struct cmsghdr header;
      // Of a descriptor without room here the system would wait for the close.
      char space[CMSG_SPACE(sizeof(int) * MOST_DESCRIPTORS)];
    } control;
    struct iovec part = {.iov_base = (char*)data + got, .iov_len = bytes - got};
    struct msghdr head = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.space, .msg_controllen = sizeof control.space};
    ssize_t received = recvmsg(receipt->socket, &head, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (received > 0) {
      got += (uint64_t)received;
      if (receipt->deadline_ns == 0) {
        receipt->deadline_ns = tsb_now_ns() + CHANNEL_FRAME_TIMEOUT_MS * UINT64_C(1000000);
      }
      int status = channel__collect(receipt, &head);
      if (status < 0) return status;
    } else if (received == 0) {
      return 0;  // in the middle of a frame, too: so it is when a process is killed
    } else if (errno == EAGAIN) {
      int status = channel__receive_wait(receipt);
      if (status < 0) return status;
    } else if (errno == ECONNRESET) {
      return 0;
    } else if (errno != EINTR) {
      return -errno;
    }
  }
  return 1;
}

int tsb_channel_receive(int socket, struct tsb_message* message, int timeout_ms) {
  struct channel_receipt receipt = {.socket = socket, .timeout_ms = timeout_ms, .message = message};
  tsb_message_clear(message);
  int status = channel__receive_all(&receipt, &message->frame, sizeof message->frame);
  if (status <= 0) goto err;
  status = -EPROTO;
  uint64_t bytes = message->frame.payload_bytes;
  if (bytes > TSB_MAX_PAYLOAD_BYTES || message->frame.descriptor_count != receipt.descriptor_count) goto err;
  message->payload = malloc(bytes + 1);
  status = -ENOMEM;
  if (message->payload == NULL) goto err;
  message->payload[bytes] = '\0';
  if (bytes == 0) return 1;
  status = channel__receive_all(&receipt, message->payload, bytes);
  if (status > 0 && message->frame.descriptor_count == receipt.descriptor_count) return 1;
  if (status > 0) status = -EPROTO;
err:
  tsb_message_free(message);
  return status;
}

void tsb_message_clear(struct tsb_message* message) {
  memset(message, 0, sizeof *message);
  for (int i = 0; i < TSB_CHANNEL_MAX_DESCRIPTORS; i++) message->descriptors[i] = -1;
}

void tsb_message_free(struct tsb_message* message) {
  for (int i = 0; i < TSB_CHANNEL_MAX_DESCRIPTORS; i++) {
    if (message->descriptors[i] >= 0) tsb_discard(message->descriptors[i]);
    message->descriptors[i] = -1;
  }
  free(message->payload);
  message->payload = NULL;
}
