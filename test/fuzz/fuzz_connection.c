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

enum { PAGE = 4096, MAX_STEPS = 300, REGIONS_BYTES = 1 << 20 };
// What a step is.
enum { FRAME, FORGET, TAKE, WRITE, RESTORE, HARASS, STEPS };

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

// As loop.c does it.
static int take_frame(struct tsb_connection* connection, struct tsb_message* message) {
  if ((message->frame.flags & TSB_FRAME_REPLY) != 0) return 0;
  switch (message->frame.method) {
    case TSB_METHOD_REGION: return tsb_connection_adopt(connection, message);
    case TSB_METHOD_CLIENT_REGION: return tsb_client_regions_adopt(connection, message);
    default: return 0;
  }
}

// Whose it is stands in the low bits.
static uint32_t some_id(uint16_t choice) {
  static const uint32_t OWNERS[] = {0, TSB_REGION_OF_CLIENT, TSB_REGION_OF_STUB, TSB_REGION_OF_CLIENT};
  return OWNERS[choice & 3] | choice >> 2;
}

static int exchange_frame(struct fuzz_input* input, struct tsb_connection* connection, int server) {
  char payload[16];
  struct tsb_message message;
  struct tsb_outgoing frame = {.method = fuzz_u8(input), .flags = fuzz_u8(input)};
  int descriptors[] = {some_descriptor(fuzz_u8(input)), wake_fd};
  frame.descriptors = descriptors;
  frame.descriptor_count = fuzz_u8(input) % 3;
  frame.region = some_id(fuzz_u16(input));
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
    switch (choice % STEPS) {
      case FRAME: status = exchange_frame(input, connection, server); break;
      case FORGET: tsb_client_regions_forget(connection, some_id(fuzz_u16(input)), false); break;
      case TAKE: take_entries(input, connection); break;
      case WRITE: write_entries(input, connection); break;
      case RESTORE: tsb_client_regions_restore(); break;
      default: harass(input, connection);
    }
    // Its announcements are the server's to read.
    struct tsb_message message;
    while (tsb_channel_receive(server, &message, 0) > 0) tsb_message_free(&message);
  }
}

// The server has made no region in the stub's name.
static void check_owners(const struct tsb_connection* connection) {
  for (uint32_t i = 0; i < connection->regions.count; i++) {
    uint32_t id = connection->regions.regions[i].id;
    CHECK((id & TSB_REGION_OF_STUB) == 0 || id < connection->outbound.next_id);
  }
}

static void forget_clients(struct tsb_connection* connection) {
  for (uint32_t i = connection->regions.count; i-- > 0;) {
    uint32_t id = connection->regions.regions[i].id;
    if ((id & TSB_REGION_OF_CLIENT) != 0) tsb_client_regions_forget(connection, id, false);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  struct fuzz_input input = {data, size};
  static struct tsb_connection connection;
  int sockets[2];
  open_things();
  int before = fuzz_lowest_free_descriptor();
  CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), 0);
  bool connected = shake_hands(&input, &connection, sockets[0], sockets[1]);
  if (connected) {
    run_steps(&input, &connection, sockets[1]);
    check_owners(&connection);
    forget_clients(&connection);
    tsb_arena_destroy(&connection.outbound);
    close(connection.watch_fd);
    close(connection.wake_shim_fds[0]);
    close(connection.wake_shim_fds[1]);
    free(connection.pending);
  }
  tsb_region_close_all(&connection.regions);
  close(sockets[0]);
  close(sockets[1]);
  // A stub that was refused ends at once, and its descriptors with it.
  if (connected) fuzz_expect_free_descriptor(before);
  return 0;
}

static void add_frame(struct fuzz_seed* seed, unsigned method, unsigned descriptor, unsigned owner, unsigned id,
                      const char* payload) {
  const uint8_t head[] = {FRAME, (uint8_t)method, 0, (uint8_t)descriptor, 1};
  fuzz_add(seed, head, sizeof head);
  fuzz_add_u16(seed, id << 2 | owner);
  fuzz_add_u8(seed, (unsigned)strlen(payload));
  fuzz_add(seed, payload, strlen(payload));
}

static void add_entry(struct fuzz_seed* seed, unsigned index, uint32_t region, uint64_t offset, uint64_t bytes) {
  const struct tsb_entry entry = {.kind = TSB_ENTRY_EXECUTE, .place = {region, 0, offset, bytes}};
  const uint8_t head[] = {HARASS, 3, (uint8_t)index};
  fuzz_add(seed, head, sizeof head);
  fuzz_add(seed, &entry, sizeof entry);
}

void fuzz_seeds(fuzz_take take) {
  static const uint8_t OTHERS[][2] = {{8, 1}, {16, 1}, {1, 3}, {4, 3}};  // version, layout, method, region
  static const uint8_t END[] = {TAKE, 0, 2, WRITE, 2, 100, 0, TAKE, 0, 0, HARASS, 0, 1, WRITE, 3, 1, 0, RESTORE};
  struct fuzz_seed seed = {0};
  fuzz_add_u8(&seed, 0);
  add_frame(&seed, TSB_METHOD_REGION, 1, 0, 1, "");
  add_frame(&seed, TSB_METHOD_CLIENT_REGION, 2, 1, 2, "12288");
  add_entry(&seed, 0, 1, 64, 128);
  add_entry(&seed, 1, TSB_REGION_OF_CLIENT | 2, 4096, 8192);
  fuzz_add(&seed, END, sizeof END);
  fuzz_add_u8(&seed, FORGET);
  fuzz_add_u16(&seed, 2 << 2 | 1);
  take(seed.bytes, seed.size);
  for (size_t i = 0; i < sizeof OTHERS / sizeof OTHERS[0]; i++) take(OTHERS[i], sizeof OTHERS[i]);
  // More files of clients than a server lends.
  seed.size = 0;
  fuzz_add_u8(&seed, 0);
  for (unsigned i = 1; i <= TSB_MAX_CLIENT_REGIONS + 1; i++) add_frame(&seed, TSB_METHOD_CLIENT_REGION, 2, 1, i, "1");
  take(seed.bytes, seed.size);
}
