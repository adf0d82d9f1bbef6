// SPDX-License-Identifier: Apache-2.0
#include "connection.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "barrier.h"
#include "layout.h"

enum {
  HELLO_TIMEOUT_MS = 30000,
  SEND_TIMEOUT_MS = 10000,
  FULL_RING_NAP_NS = 50000,
  FULL_ARENA_NAPS = 4000,
  WATCH_STACK_BYTES = 65536
};

static int connection__announce(void* context, const struct tsb_region* region) {
  struct tsb_connection* connection = context;
  struct tsb_outgoing notice = {
      .method = TSB_METHOD_REGION, .region = region->id, .descriptors = &region->fd, .descriptor_count = 1};
  return tsb_channel_send(connection->channel, &notice, SEND_TIMEOUT_MS);
}

static int connection__check(struct tsb_connection* connection, uint64_t fingerprint, char* why, size_t why_bytes) {
  // Pairs with the release store in the shim's stub.c: all other fields are there once the version is.
  uint32_t version = tsb_load_acquire_u32(&connection->control->version);
  if (connection->control->magic != TSB_PROTOCOL_MAGIC || version != TSB_PROTOCOL_VERSION) {
    snprintf(why, why_bytes,
             "The library in the server speaks protocol version %" PRIu32
             ", but this runtime speaks version %u. Install the "
             "library and the runtime from the same release.",
             version, TSB_PROTOCOL_VERSION);
    return -EPROTO;
  }
  if (connection->control->fingerprint != tsb_layout_fingerprint() || fingerprint != tsb_layout_fingerprint()) {
    snprintf(why, why_bytes,
             "The library in the server, the addon and the runtime were built from different layouts of shared memory "
             "(%016" PRIx64 ", %016" PRIx64 ", %016" PRIx64 "). Install all of them from the same release.",
             connection->control->fingerprint, tsb_layout_fingerprint(), fingerprint);
    return -EPROTO;
  }
  return 0;
}

static void connection__refuse(struct tsb_connection* connection, const char* why) {
  char payload[1024];
  // `why` is one of the sentences above: nothing in it needs escaping.
  int length = snprintf(payload, sizeof payload, "{\"%s\":{\"%s\":\"INTERNAL\",\"%s\":\"%s\"}}",
                        tsb_layout_keys[TSB_KEY_ERROR_REPLY_error].key, tsb_layout_keys[TSB_KEY_ERROR_PART_code].key,
                        tsb_layout_keys[TSB_KEY_ERROR_PART_message].key, why);
  tsb_connection_reply(connection, TSB_METHOD_HELLO, connection->hello_call, payload, (uint64_t)length);
}

int tsb_connection_connect(struct tsb_connection* connection, int channel, uint64_t fingerprint, char* why,
                           size_t why_bytes) {
  struct tsb_message message;
  struct tsb_region region;
  *connection = (struct tsb_connection){.channel = channel};
  fcntl(channel, F_SETFD, FD_CLOEXEC);  // a child of the model must not keep the channel open
  int status = tsb_channel_receive(channel, &message, HELLO_TIMEOUT_MS);
  if (status <= 0 || message.frame.method != TSB_METHOD_HELLO || message.frame.descriptor_count != 4) {
    snprintf(why, why_bytes,
             "There is no Triton server at the other end of descriptor %d. This program is started by the TypeScript "
             "backend; "
             "to serve models, run `triton-ts serve`.",
             channel);
    if (status > 0) tsb_message_free(&message);
    return -EPROTO;
  }
  connection->hello_call = message.frame.call;
  connection->watch_fd = message.descriptors[1];
  connection->wake_shim_fds[0] = message.descriptors[2];
  connection->wake_shim_fds[1] = message.descriptors[3];
  status = tsb_region_adopt(&region, 0, message.descriptors[0], UINT64_MAX);
  for (int i = 0; i < 4; i++) message.descriptors[i] = -1;  // taken
  tsb_message_free(&message);
  if (status < 0 || region.bytes < sizeof(struct tsb_control)) {
    snprintf(why, why_bytes, "The control region of the server could not be mapped.");
    connection__refuse(connection, why);
    return -EPROTO;
  }
  tsb_region_add(&connection->regions, &region);
  connection->control = (struct tsb_control*)region.base;
  status = connection__check(connection, fingerprint, why, why_bytes);
  if (status < 0) {
    connection__refuse(connection, why);
    return status;
  }
  tsb_ring_init(&connection->to_stub, &connection->control->to_stub, connection->control->to_stub_entries, -1);
  tsb_ring_init(&connection->to_shim, &connection->control->to_shim, connection->control->to_shim_entries,
                connection->wake_shim_fds[0]);
  connection->to_shim.wake_fds[1] = connection->wake_shim_fds[1];
  tsb_arena_init(&connection->outbound, &connection->regions, TSB_REGION_OF_STUB, connection->control,
                 connection__announce, connection);
  return 0;
}

int tsb_connection_accept(struct tsb_connection* connection) {
  return tsb_connection_reply(connection, TSB_METHOD_HELLO, connection->hello_call, NULL, 0);
}

int tsb_connection_reply(struct tsb_connection* connection, uint32_t method, uint32_t call, const char* payload,
                         uint64_t payload_bytes) {
  struct tsb_outgoing reply = {
      .method = method, .flags = TSB_FRAME_REPLY, .call = call, .payload = payload, .payload_bytes = payload_bytes};
  // For as long as it takes: the server reads its channels, and a dead one ends this process.
  return tsb_channel_send(connection->channel, &reply, -1);
}

int tsb_connection_call(struct tsb_connection* connection, uint32_t method, uint32_t call, const char* payload,
                        uint64_t payload_bytes) {
  struct tsb_outgoing frame = {.method = method, .call = call, .payload = payload, .payload_bytes = payload_bytes};
  if (payload_bytes > TSB_MAX_CALL_PAYLOAD_BYTES) return -EMSGSIZE;
  return tsb_channel_send(connection->channel, &frame, -1);
}

void tsb_connection_end_with_server(void) {
  // Nobody reads any more what this process could still do. Its children go with it, as it leads its own process group.
  if (getpgrp() == getpid()) kill(0, SIGKILL);
  _exit(1);
}

static void* connection__watch(void* argument) {
  struct pollfd item = {.fd = (int)(intptr_t)argument, .events = POLLRDHUP};
  while (poll(&item, 1, -1) < 0 && errno == EINTR) {
  }
  tsb_connection_end_with_server();
}

int tsb_connection_watch_server(struct tsb_connection* connection) {
  pthread_t thread;
  pthread_attr_t attributes;
  sigset_t all, before;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, WATCH_STACK_BYTES);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);  // signals are for Node's own threads
  int status = pthread_create(&thread, &attributes, connection__watch, (void*)(intptr_t)connection->channel);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  pthread_attr_destroy(&attributes);
  return -status;
}

int tsb_connection_adopt(struct tsb_connection* connection, struct tsb_message* message) {
  struct tsb_region region;
  if (message->frame.descriptor_count != 1 || (message->frame.region & TSB_REGION_OF_STUB) != 0) return -EPROTO;
  int fd = message->descriptors[0];
  message->descriptors[0] = -1;
  int status = tsb_region_adopt(&region, message->frame.region, fd, UINT64_MAX);
  if (status < 0) return status;
  status = tsb_region_add(&connection->regions, &region);
  if (status < 0) tsb_region_close(&region);
  return status;
}

static void connection__free_behind(struct tsb_connection* connection, uint64_t head) {
  while (connection->pending_count > 0) {
    const struct tsb_pending_block* block = &connection->pending[connection->pending_first];
    if ((int64_t)(head - block->position) < 0) return;
    tsb_arena_free(&connection->outbound, block->region, block->offset, block->bytes);
    connection->pending_first = (connection->pending_first + 1) % connection->pending_capacity;
    connection->pending_count--;
  }
}

int tsb_connection_consumed(struct tsb_connection* connection, uint64_t* head) {
  int status = tsb_ring_consumed(&connection->to_shim, head);
  if (status == 0) connection__free_behind(connection, *head);
  return status;
}

int tsb_connection_alloc_now(struct tsb_connection* connection, uint64_t bytes, struct tsb_block* block) {
  uint64_t head;
  if (connection->pending_count > 0) tsb_connection_consumed(connection, &head);
  return tsb_arena_alloc(&connection->outbound, bytes, block);
}

int tsb_connection_alloc(struct tsb_connection* connection, uint64_t bytes, struct tsb_block* block) {
  for (int naps = 0;; naps++) {
    int status = tsb_connection_alloc_now(connection, bytes, block);
    // At the limit, what the shim is just reading will do in a moment.
    if (status != -ENOMEM || connection->pending_count == 0 || naps == FULL_ARENA_NAPS) return status;
    nanosleep(&(struct timespec){.tv_nsec = FULL_RING_NAP_NS}, NULL);
  }
}

int tsb_connection_free_later(struct tsb_connection* connection, uint32_t region, uint64_t offset, uint64_t bytes) {
  if (connection->pending_count == connection->pending_capacity) {
    uint32_t capacity = connection->pending_capacity == 0 ? 64 : connection->pending_capacity * 2;
    struct tsb_pending_block* larger = malloc(capacity * sizeof *larger);
    if (larger == NULL) return -ENOMEM;
    for (uint32_t i = 0; i < connection->pending_count; i++) {
      larger[i] = connection->pending[(connection->pending_first + i) % connection->pending_capacity];
    }
    free(connection->pending);
    connection->pending = larger;
    connection->pending_first = 0;
    connection->pending_capacity = capacity;
  }
  connection->pending[(connection->pending_first + connection->pending_count++) % connection->pending_capacity] =
      (struct tsb_pending_block){
          .position = connection->to_shim.position, .region = region, .offset = offset, .bytes = bytes};
  return 0;
}

int tsb_connection_write(struct tsb_connection* connection, struct tsb_entry* entries, uint32_t count) {
  uint64_t now_ns = tsb_now_ns();
  for (uint32_t i = 0; i < count; i++) {
    int status;
    entries[i].sent_ns = now_ns;
    if (entries[i].kind == TSB_ENTRY_CALL) {
      connection->open_calls++;
      connection->called_ns = now_ns;
    }
    while ((status = tsb_ring_write(&connection->to_shim, &entries[i])) == -ENOSPC) {
      // The shim always reads on, and a dead one ends this process (connection__watch), so this wait is short.
      tsb_ring_publish(&connection->to_shim);
      nanosleep(&(struct timespec){.tv_nsec = FULL_RING_NAP_NS}, NULL);
    }
    if (status < 0) return status;
  }
  tsb_ring_publish(&connection->to_shim);
  return 0;
}
