// SPDX-License-Identifier: Apache-2.0
// Descriptors whose close waits.
#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "hostile_stub.h"

enum { LINGER_SECONDS = 1000, COPIES = 4 };

// A connection with bytes that its other end never takes: whoever closes it last waits for them.
static int make_lingering(void) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof address;
  struct linger linger = {.l_onoff = 1, .l_linger = LINGER_SECONDS};
  static char bytes[1 << 16];
  int listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (bind(listening, (struct sockaddr*)&address, length) != 0 || listen(listening, 1) != 0 ||
      getsockname(listening, (struct sockaddr*)&address, &length) != 0 ||
      connect(fd, (struct sockaddr*)&address, length) != 0 || accept4(listening, NULL, NULL, SOCK_CLOEXEC) < 0 ||
      setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger) != 0) {
    _exit(111);
  }
  while (send(fd, bytes, sizeof bytes, MSG_DONTWAIT | MSG_NOSIGNAL) > 0) {
  }
  return fd;
}

static void send_lingering(uint32_t method, uint32_t region, uint32_t count) {
  int descriptors[COPIES];
  for (uint32_t i = 0; i < count; i++) descriptors[i] = make_lingering();
  struct tsb_outgoing notice = {
      .method = method, .region = region, .descriptors = descriptors, .descriptor_count = count};
  tsb_channel_send(CHANNEL, &notice, 5000);
  for (uint32_t i = 0; i < count; i++) close(descriptors[i]);
}

void evil_descriptors(void) {
  if (is("region_that_lingers")) send_lingering(TSB_METHOD_REGION, TSB_REGION_OF_STUB | 50, 1);
  if (is("regions_that_linger")) send_lingering(TSB_METHOD_REGION, TSB_REGION_OF_STUB | 50, COPIES);
  if (is("method_that_lingers")) send_lingering(4711, 0, 1);
}
