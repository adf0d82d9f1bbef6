// SPDX-License-Identifier: Apache-2.0
// Whatever a stub sends over its control channel: bytes that are frames, torn frames or none, with descriptors of all
// kinds. Calls get their replies at most, no descriptor is left open, and no more memory is mapped than the limit
// allows.
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fake_triton.h"
#include "fuzz.h"
#include "payload.h"
#include "stub_channel.h"

enum { PAGE = 4096, LIMIT = 16 * PAGE, MAX_CALLS = 4, MAX_CHUNKS = 64, MAX_SENT_DESCRIPTORS = 7 };

// What a descriptor may be: a region as it should be, one that can be cut short, one beside which there may be no
// other, no file.
enum { SEALED, OPEN, LARGE, END_OF_PIPE, KINDS };
static int things[KINDS];
static struct tsb_shim_call* late[TSB_MAX_SHIM_CALLS];
static uint32_t late_count;

static void open_things(void) {
  struct tsb_region region;
  int ends[2];
  if (things[SEALED] > 0) return;
  fake_log_is_silent = true;
  CHECK_INT(tsb_region_create(&region, 1, PAGE), 0);
  things[SEALED] = region.fd;
  CHECK_INT(tsb_region_create(&region, 1, LIMIT), 0);
  things[LARGE] = region.fd;
  things[OPEN] = memfd_create("fuzz", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  CHECK_INT(ftruncate(things[OPEN], PAGE), 0);
  CHECK_INT(pipe2(ends, O_CLOEXEC), 0);
  things[END_OF_PIPE] = ends[0];
}

// Two bits of `kinds` for each descriptor.
static void send_chunk(int socket, const uint8_t* bytes, size_t size, unsigned count, unsigned kinds) {
  union {
    struct cmsghdr header;
    char space[CMSG_SPACE(sizeof(int) * MAX_SENT_DESCRIPTORS)];
  } control = {0};
  struct iovec part = {.iov_base = (void*)bytes, .iov_len = size};
  struct msghdr head = {.msg_iov = &part, .msg_iovlen = 1};
  if (count > 0) {
    head.msg_control = control.space;
    head.msg_controllen = CMSG_SPACE(sizeof(int) * count);
    struct cmsghdr* rights = CMSG_FIRSTHDR(&head);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof(int) * count);
    for (unsigned i = 0; i < count; i++) {
      memcpy(CMSG_DATA(rights) + i * sizeof(int), &things[kinds >> 2 * i & 3], sizeof(int));
    }
  }
  ssize_t sent = sendmsg(socket, &head, MSG_NOSIGNAL | MSG_DONTWAIT);
  CHECK(sent == (ssize_t)size || (sent < 0 && errno == EAGAIN));
}

// A chunk is its size, how many descriptors come with it and which, and its bytes.
static void send_all(struct fuzz_input* input, int socket) {
  for (int i = 0; i < MAX_CHUNKS && input->left > 0; i++) {
    size_t size = fuzz_u8(input);
    uint8_t count = fuzz_u8(input) & 7;
    unsigned kinds = count > 0 ? fuzz_u16(input) : 0;
    if (size > input->left) size = input->left;
    if (size == 0) continue;
    send_chunk(socket, input->at, size, count, kinds);
    input->at += size;
    input->left -= size;
  }
  // A stub that stops within a frame would be waited for.
  CHECK_INT(shutdown(socket, SHUT_WR), 0);
}

// What was mapped stays as large as it was, and within the limit.
static void check_regions(const struct tsb_stub_memory* memory) {
  CHECK(memory->regions.bytes == memory->stub_bytes && memory->stub_bytes <= LIMIT);
  for (uint32_t i = 0; i < memory->regions.count; i++) {
    const struct tsb_region* region = &memory->regions.regions[i];
    CHECK((region->id & TSB_REGION_OF_STUB) != 0);
    CHECK((fcntl(region->fd, F_GET_SEALS) & F_SEAL_SHRINK) != 0);
  }
}

// As one that is asked for nothing much: an odd id is replied to at once, the others never, and the rest when the stub
// is gone.
static void serve(void* context, struct tsb_shim_call* call, const struct tsb_json* payload) {
  struct tsb_text text = {0};
  (void)context;
  tsb_payload_string(&text, TSB_KEY_MODEL_READY_CALL_name,
                     tsb_json_string(tsb_payload_member(payload, TSB_KEY_MODEL_READY_CALL_name), ""));
  tsb_payload_end(&text);
  if (call->id % 2 == 1) {
    tsb_shim_call_reply(call, &text);
  } else {
    CHECK(late_count < TSB_MAX_SHIM_CALLS);
    late[late_count++] = call;
  }
  tsb_text_free(&text);
}

static void end_calls(struct tsb_stub_channel* channel, struct tsb_stub_call* calls, unsigned count) {
  for (unsigned i = 0; i < count; i++) {
    int has_reply = tsb_stub_channel_has_reply(channel, &calls[i]);
    CHECK_INT(has_reply == 1, calls[i].replied);
    CHECK(has_reply != 0);
    tsb_stub_channel_end(channel, &calls[i]);
    if (!calls[i].replied) continue;
    CHECK_INT(calls[i].reply.frame.method, calls[i].method);
    TRITONSERVER_ErrorDelete(tsb_payload_error(&calls[i].reply, "no text"));
    tsb_message_free(&calls[i].reply);
  }
  CHECK(channel->calls == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  struct fuzz_input input = {data, size};
  static struct tsb_stub_memory memory;
  struct tsb_stub_channel channel = {0};
  struct tsb_stub_call calls[MAX_CALLS];
  struct tsb_stub_process process = {.pid = -1, .pidfd = -1};
  int sockets[2];
  open_things();
  int before = fuzz_lowest_free_descriptor();
  memory = (struct tsb_stub_memory){.max_stub_bytes = LIMIT, .process = &process};
  pthread_mutex_init(&memory.lock, NULL);
  CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), 0);
  tsb_stub_channel_init(&channel, &memory);
  channel.service.serve = serve;
  CHECK_INT(tsb_stub_channel_open(&channel, sockets[0]), 0);
  unsigned call_count = fuzz_u8(&input) % (MAX_CALLS + 1);
  for (unsigned i = 0; i < call_count; i++) {
    uint32_t method = i % 2 == 0 ? TSB_METHOD_LOAD : TSB_METHOD_INITIALIZE;
    CHECK_INT(tsb_stub_channel_call(&channel, &calls[i], (struct tsb_outgoing){.method = method}), 0);
  }
  send_all(&input, sockets[1]);
  int status = tsb_stub_channel_read(&channel);
  CHECK(status < 0 && status != -ETIMEDOUT);
  CHECK(tsb_stub_channel_is_broken(&channel));
  CHECK_INT(tsb_stub_channel_read(&channel), status);
  check_regions(&memory);
  end_calls(&channel, calls, call_count);
  tsb_region_close_all(&memory.regions);
  tsb_stub_channel_destroy(&channel);
  for (uint32_t i = 0; i < late_count; i++) {
    tsb_shim_call_fail(late[i], TRITONSERVER_ErrorNew(TRITONSERVER_ERROR_INTERNAL, "late"));
  }
  late_count = 0;
  pthread_mutex_destroy(&memory.lock);
  close(sockets[1]);
  fuzz_expect_free_descriptor(before);
  CHECK_INT(fake_live_errors(), 0);
  return 0;
}

static void add_frame(struct fuzz_seed* seed, const struct tsb_frame* head, const char* payload, unsigned kinds) {
  struct tsb_frame frame = *head;
  frame.payload_bytes = (uint32_t)strlen(payload);
  fuzz_add_u8(seed, (unsigned)sizeof frame + frame.payload_bytes);
  fuzz_add_u8(seed, frame.descriptor_count);
  if (frame.descriptor_count > 0) fuzz_add_u16(seed, kinds);
  fuzz_add(seed, &frame, sizeof frame);
  fuzz_add(seed, payload, frame.payload_bytes);
}

void fuzz_seeds(fuzz_take take) {
  const struct tsb_frame loaded = {.method = TSB_METHOD_LOAD, .flags = TSB_FRAME_REPLY, .call = 1},
                         initialized = {.method = TSB_METHOD_INITIALIZE, .flags = TSB_FRAME_REPLY, .call = 2},
                         region = {.method = TSB_METHOD_REGION, .region = TSB_REGION_OF_STUB, .descriptor_count = 1},
                         other = {.method = TSB_METHOD_REGION, .region = TSB_REGION_OF_STUB | 1, .descriptor_count = 1},
                         many = {.method = TSB_METHOD_REGION, .region = TSB_REGION_OF_STUB, .descriptor_count = 4};
  struct fuzz_seed seed = {0};
  fuzz_add_u8(&seed, 2);
  add_frame(&seed, &loaded, "{\"config\":{\"max_batch_size\":8}}", 0);
  add_frame(&seed, &region, "", SEALED);
  add_frame(&seed, &initialized, "{\"error\":{\"code\":\"NOT_FOUND\",\"message\":\"No \\\"x\\\".\"}}", 0);
  take(seed.bytes, seed.size);
  seed.size = 0;
  fuzz_add_u8(&seed, 1);
  for (int i = 0; i < 2; i++) add_frame(&seed, &loaded, "{}", 0);
  take(seed.bytes, seed.size);
  seed.size = 0;
  fuzz_add_u8(&seed, 0);
  for (uint32_t id = 1; id < 6; id++) {
    const struct tsb_frame ready = {.method = TSB_METHOD_MODEL_READY, .call = id};
    add_frame(&seed, &ready, id % 3 == 0 ? "{}" : "{\"name\":\"x\",\"version\":\"-1\"}", 0);
  }
  take(seed.bytes, seed.size);
  for (unsigned kind = SEALED; kind < KINDS; kind++) {
    seed.size = 0;
    fuzz_add_u8(&seed, 0);
    add_frame(&seed, &region, "", SEALED);
    add_frame(&seed, &other, "", kind);
    take(seed.bytes, seed.size);
  }
  seed.size = 0;
  fuzz_add_u8(&seed, 0);
  add_frame(&seed, &many, "{}", 0);
  take(seed.bytes, seed.size);
}
