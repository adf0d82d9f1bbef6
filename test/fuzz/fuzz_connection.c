// SPDX-License-Identifier: Apache-2.0
// The stub's end: whatever a server says in the handshake and after it, and writes into the rings. The library refuses
// it or takes what lies within its regions; no descriptor is left open.
#include <errno.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "barrier.h"
#include "client_regions.h"
#include "fuzz.h"
#include "layout.h"

enum { PAGE = 4096, MAX_STEPS = 200, MAX_IDS = 8, REGIONS_BYTES = 1 << 20 };

static struct tsb_region control_region, small_region;
static int open_file, wake_fd;

static struct tsb_control* control(void) { return (struct tsb_control*)control_region.base; }

static void open_things(void) {
  if (control_region.base == NULL) {
    CHECK_INT(tsb_region_create(&control_region, 0, sizeof(struct tsb_control)), 0);
    CHECK_INT(tsb_region_create(&small_region, 1, PAGE), 0);
    open_file = memfd_create("fuzz", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    CHECK(open_file >= 0 && wake_fd >= 0);
    CHECK_INT(ftruncate(open_file, 3 * PAGE), 0);
  }
  memset(control(), 0, offsetof(struct tsb_control, to_stub_entries));
  control()->magic = TSB_PROTOCOL_MAGIC;
  control()->version = TSB_PROTOCOL_VERSION;
  control()->fingerprint = tsb_layout_fingerprint();
  control()->max_bytes = control()->initial_bytes = control()->growth_bytes = REGIONS_BYTES;
}

static int lowest_free_descriptor(void) {
  int fd = dup(0);
  CHECK(fd >= 0);
  close(fd);
  return fd;
}

static int some_descriptor(uint8_t choice) {
  const int all[] = {control_region.fd, small_region.fd, open_file, wake_fd};
  return all[choice % 4];
}

// A frame of the server; the channel has room for it, as each is read before the next is sent.
static void say(int socket, const struct tsb_outgoing* frame) { CHECK_INT(tsb_channel_send(socket, frame, 0), 0); }

static bool shake_hands(struct fuzz_input* input, struct tsb_connection* connection, int socket, int server) {
  uint8_t choice = fuzz_u8(input);
  int descriptors[] = {control_region.fd, wake_fd, wake_fd, wake_fd};
  struct tsb_outgoing hello = {
      .method = TSB_METHOD_HELLO, .call = 1, .descriptors = descriptors, .descriptor_count = 4};
  char why[640];
  if ((choice & 1) != 0) hello.method = fuzz_u8(input);
  if ((choice & 2) != 0) hello.descriptor_count = fuzz_u8(input) % 5;
  if ((choice & 4) != 0) descriptors[0] = some_descriptor(fuzz_u8(input));
  if ((choice & 8) != 0) control()->version = fuzz_u8(input);
  if ((choice & 16) != 0) control()->fingerprint = fuzz_u64(input);
  if ((choice & 32) != 0) control()->magic = fuzz_u8(input);
  say(server, &hello);
  int status = tsb_connection_connect(connection, socket, tsb_layout_fingerprint(), why, sizeof why);
  CHECK(status == 0 || strlen(why) > 20);
  return status == 0;
}

// As loop.c does it. Ids that came are noted, to be forgotten again.
static int take_frame(struct tsb_connection* connection, struct tsb_message* message) {
  if ((message->frame.flags & TSB_FRAME_REPLY) != 0) return 0;
  switch (message->frame.method) {
    case TSB_METHOD_REGION: return tsb_connection_adopt(connection, message);
    case TSB_METHOD_CLIENT_REGION: return tsb_client_regions_adopt(connection, message);
    default: return 0;
  }
}

static uint32_t some_id(uint8_t choice) {
  static const uint32_t OWNERS[] = {0, TSB_REGION_OF_CLIENT, TSB_REGION_OF_STUB, TSB_REGION_OF_CLIENT};
  return OWNERS[choice & 3] | (choice >> 2 & (MAX_IDS - 1));
}

static int exchange_frame(struct fuzz_input* input, struct tsb_connection* connection, int server) {
  char payload[16];
  struct tsb_message message;
  uint8_t choice = fuzz_u8(input);
  int descriptors[] = {some_descriptor(fuzz_u8(input)), wake_fd};
  struct tsb_outgoing frame = {.method = choice & 15, .flags = (choice & 0xc0) == 0xc0, .descriptors = descriptors};
  frame.descriptor_count = (choice >> 4 & 3) == 3 ? 2 : choice >> 4 & 1;
  frame.region = some_id(fuzz_u8(input));
  frame.payload_bytes = fuzz_bytes(input, payload, fuzz_u8(input) % sizeof payload);
  frame.payload = payload;
  say(server, &frame);
  CHECK_INT(tsb_channel_receive(connection->channel, &message, 0), 1);
  CHECK_INT(message.frame.payload_bytes, frame.payload_bytes);
  int status = take_frame(connection, &message);
  tsb_message_free(&message);
  return status;
}

static void take_entries(struct fuzz_input* input, struct tsb_connection* connection) {
  struct tsb_entry entry;
  int status;
  while ((status = tsb_ring_take(&connection->to_stub, &entry)) > 0) {
    const uint8_t* base = tsb_region_resolve(&connection->regions, &entry.place);
    struct tsb_region* region = tsb_region_find(&connection->regions, entry.place.region);
    if (base == NULL) continue;
    CHECK(region != NULL && base >= region->base && base + entry.place.bytes <= region->base + region->bytes);
  }
  CHECK(status == 0 || status == -EPROTO);
  tsb_ring_release(&connection->to_stub);
  if (tsb_ring_prepare_sleep(&connection->to_stub, 0)) tsb_ring_awake(&connection->to_stub);
  control()->to_stub.tail = fuzz_u8(input) < 0xe0 ? connection->to_stub.position + fuzz_u8(input) : fuzz_u64(input);
}

static void write_entries(struct fuzz_input* input, struct tsb_connection* connection) {
  struct tsb_entry entries[32];
  struct tsb_block block;
  uint64_t head;
  uint32_t count = fuzz_u8(input) % 32, bytes = fuzz_u16(input);
  memset(entries, 0, sizeof entries);
  // At the limit it would be waited for a server that reads on.
  if (connection->pending_count > 0 && connection->outbound.used_bytes > REGIONS_BYTES / 2) return;
  if (tsb_connection_alloc(connection, bytes, &block) == 0) {
    if (bytes > 0) memset(block.base, 0xa5, bytes);
    CHECK_INT(tsb_connection_free_later(connection, block.region, block.offset, bytes), 0);
  }
  int consumed = tsb_ring_consumed(&connection->to_shim, &head);
  if (consumed == 0 && connection->to_shim.position + count - head > TSB_RING_CAPACITY) return;  // as above
  CHECK_INT(tsb_connection_write(connection, entries, count), count == 0 ? 0 : consumed);
  tsb_ring_clear_wake(wake_fd);
}

static void harass(struct fuzz_input* input, struct tsb_connection* connection) {
  switch (fuzz_u8(input) % 4) {
    case 0: control()->to_shim.head = connection->to_shim.position - fuzz_u8(input); break;
    case 1: control()->to_shim.head = fuzz_u64(input); break;
    case 2: control()->to_shim.consumer_sleeps = fuzz_u64(input); break;
    default: fuzz_bytes(input, &control()->to_stub_entries[fuzz_u8(input)], sizeof(struct tsb_entry));
  }
}

static void run_steps(struct fuzz_input* input, struct tsb_connection* connection, int server) {
  int status = 0;
  for (int step = 0; step < MAX_STEPS && input->left > 0 && status >= 0; step++) {
    uint8_t choice = fuzz_u8(input);
    switch (choice % 6) {
      case 0: status = exchange_frame(input, connection, server); break;
      case 1: tsb_client_regions_forget(connection, some_id(fuzz_u8(input)), false); break;
      case 2: take_entries(input, connection); break;
      case 3: write_entries(input, connection); break;
      case 4: tsb_client_regions_restore(); break;
      default: harass(input, connection);
    }
    // Its announcements are the server's to read.
    struct tsb_message message;
    while (tsb_channel_receive(server, &message, 0) > 0) tsb_message_free(&message);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  struct fuzz_input input = {data, size};
  static struct tsb_connection connection;
  int sockets[2];
  open_things();
  int before = lowest_free_descriptor();
  CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), 0);
  bool connected = shake_hands(&input, &connection, sockets[0], sockets[1]);
  if (connected) {
    run_steps(&input, &connection, sockets[1]);
    for (uint32_t id = 0; id < MAX_IDS; id++) {
      tsb_client_regions_forget(&connection, TSB_REGION_OF_CLIENT | id, false);
    }
    tsb_arena_destroy(&connection.outbound);
    close(connection.wake_stub_fd);
    close(connection.wake_shim_fds[0]);
    close(connection.wake_shim_fds[1]);
    free(connection.pending);
  }
  tsb_region_close_all(&connection.regions);
  close(sockets[0]);
  close(sockets[1]);
  // A stub that was refused ends at once, and its descriptors with it.
  if (connected) CHECK_INT(lowest_free_descriptor(), before);
  return 0;
}

void fuzz_seeds(fuzz_take take) {
  // The handshake; a region, a client's file, entries that name them, an answer, the file is forgotten.
  static const uint8_t TALK[] = {0, 0, 0x12, 1, 4, 0,   0, 0x16, 2, 1,  5, '1', '2', '2', '8', '8', 5, 3, 0, 1, 0,
                                 0, 0, 0,    0, 0, 0,   1, 0,    0, 0,  0, 0,   0,   0,   0,   0,   0, 0, 1, 0, 0,
                                 0, 0, 0,    0, 0, 0,   0, 0,    0, 64, 0, 0,   0,   0,   0,   0,   0, 0, 0, 0, 0,
                                 0, 0, 0,    0, 0, 0,   0, 0,    0, 0,  0, 0,   0,   0,   0,   0,   0, 0, 2, 0, 1,
                                 2, 0, 0,    3, 2, 100, 0, 5,    0, 1,  3, 1,   0,   2,   4,   1,   1};
  static const uint8_t OTHER_VERSION[] = {8, 1}, OTHER_LAYOUT[] = {16, 1}, OTHER_METHOD[] = {1, 3},
                       NO_REGION[] = {4, 3};
  take(TALK, sizeof TALK);
  take(OTHER_VERSION, sizeof OTHER_VERSION);
  take(OTHER_LAYOUT, sizeof OTHER_LAYOUT);
  take(OTHER_METHOD, sizeof OTHER_METHOD);
  take(NO_REGION, sizeof NO_REGION);
}
