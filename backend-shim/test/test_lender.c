// SPDX-License-Identifier: Apache-2.0
// Finding a client's file by the address of its mapping, and lending it to a stub once however often it is used.
#include "lender.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "channel.h"
#include "check.h"
#include "fake_client.h"
#include "mapping.h"

enum { BYTES = 8 * TSB_LEND_MIN_BYTES };

static int maps_fd, sockets[2];
static struct tsb_lender lender;
static struct tsb_sender sender;

static struct fake_client open_client(const char* label) {
  struct fake_client client;
  fake_client_open(&client, label, BYTES);
  return client;
}

// Skips, with its reason, on a system that cannot say what is mapped.
static void need_query(void) {
  struct fake_client client = open_client("query");
  struct tsb_mapping mapping;
  int status = tsb_mapping_find(maps_fd, &mapping, client.base, 1);
  fake_client_close(&client);
  if (status != -ENOTTY && status != -ENOSYS) return;  // the second in qemu
  printf("skipped: this system has no PROCMAP_QUERY (Linux 6.11)\n");
  _Exit(CHECK_SKIPPED);
}

// The frame that the stub gets next: its method, or 0 when there is none. *fd is its descriptor, if any.
static uint32_t next_frame(uint32_t* region, int* fd) {
  struct tsb_message message;
  if (tsb_channel_receive(sockets[1], &message, 0) <= 0) return 0;
  uint32_t method = message.frame.method;
  *region = message.frame.region;
  *fd = message.frame.descriptor_count == 1 ? message.descriptors[0] : -1;
  message.descriptors[0] = -1;
  tsb_message_free(&message);
  return method;
}

static int copy_from(const struct tsb_loans* loans, uint32_t request, const struct tsb_place* place, void* target) {
  const struct tsb_loan* loan = tsb_loans_find(loans, request, place);
  return loan == NULL ? -ENOENT : tsb_loan_copy(loan, place, target);
}

static void test_mapping(void) {
  struct fake_client client = open_client("mapping");
  struct tsb_mapping mapping;
  struct stat info;
  CHECK_INT(fstat(client.fd, &info), 0);
  CHECK_INT(tsb_mapping_find(maps_fd, &mapping, client.base + 5000, BYTES - 5000), 0);
  CHECK_INT(mapping.device, info.st_dev);
  CHECK_INT(mapping.inode, info.st_ino);
  CHECK_INT(mapping.offset, 5000);
  CHECK_INT(tsb_mapping_find(maps_fd, &mapping, client.base + 5000, BYTES - 4999), -ENOENT);

  // Not a file, not shared, not there.
  static uint8_t own[64];
  CHECK_INT(tsb_mapping_find(maps_fd, &mapping, own, 1), -ENOENT);
  uint8_t* private = mmap(NULL, BYTES, PROT_READ, MAP_PRIVATE, client.fd, 0);
  CHECK_INT(tsb_mapping_find(maps_fd, &mapping, private, 1), -ENOENT);
  munmap(private, BYTES);
  CHECK_INT(tsb_mapping_find(maps_fd, &mapping, private, 1), -ENOENT);
  CHECK(tsb_mapping_find(-1, &mapping, client.base, 1) < 0);
  fake_client_close(&client);
}

// What lets a process open a file through its mapping; by number, as headers may be older.
static const uint32_t SYS_ADMIN = 21, CHECKPOINT_RESTORE = 40;

// Lays both down, or takes them up again as far as this process had them at first.
static void set_administrator(bool wanted) {
  static struct __user_cap_data_struct first[2];
  static bool known;
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  if (!known) CHECK_INT(syscall(SYS_capget, &header, first), 0);
  known = true;
  struct __user_cap_data_struct now[2] = {first[0], first[1]};
  if (!wanted) {
    now[0].effective &= ~(UINT32_C(1) << SYS_ADMIN);
    now[1].effective &= ~(UINT32_C(1) << (CHECKPOINT_RESTORE - 32));
  }
  CHECK_INT(syscall(SYS_capset, &header, now), 0);
}

// Whether this process may, for root of a container may not.
static bool may_open_mapping(const struct fake_client* client) {
  char path[128];
  snprintf(path, sizeof path, "/proc/self/map_files/%llx-%llx", (unsigned long long)(uintptr_t)client->base,
           (unsigned long long)(uintptr_t)(client->base + client->bytes));
  int fd = open(path, O_RDONLY);
  if (fd >= 0) close(fd);
  return fd >= 0;
}

static void check_opening_without_name(const struct fake_client* client, struct tsb_mapping* mapping) {
  uint64_t bytes;
  struct stat info;
  set_administrator(false);
  CHECK_INT(tsb_mapping_open(maps_fd, mapping, client->base, &bytes), -ENOENT);
  set_administrator(true);
  if (!may_open_mapping(client)) {
    printf("not tested here: a file without a name, which only root outside of containers may open\n");
    return;
  }
  int fd = tsb_mapping_open(maps_fd, mapping, client->base, &bytes);
  CHECK(fd >= 0);
  CHECK_INT(bytes, client->bytes);
  CHECK_INT(fstat(fd, &info), 0);
  CHECK_INT(info.st_ino, mapping->inode);
  CHECK_INT(write(fd, "x", 1), -1);  // for reading only
  close(fd);
  mapping->inode++;
  CHECK_INT(tsb_mapping_open(maps_fd, mapping, client->base, &bytes), -ENOENT);
  mapping->inode--;
}

static void test_opening(void) {
  struct fake_client client = open_client("opening"), other = open_client("other");
  struct tsb_mapping mapping;
  uint64_t bytes;
  CHECK_INT(tsb_mapping_find(maps_fd, &mapping, client.base, 1), 0);
  int fd = tsb_mapping_open(maps_fd, &mapping, client.base, &bytes);
  CHECK(fd >= 0);
  CHECK_INT(bytes, BYTES);
  CHECK_INT(write(fd, "x", 1), -1);  // for reading only
  close(fd);
  mapping.inode++;
  CHECK_INT(tsb_mapping_open(maps_fd, &mapping, client.base, &bytes), -ENOENT);
  mapping.inode--;
  mapping.device++;  // another file system may have the same number
  CHECK_INT(tsb_mapping_open(maps_fd, &mapping, client.base, &bytes), -ENOENT);

  // Its name is gone, and then another file's.
  CHECK_INT(tsb_mapping_find(maps_fd, &mapping, client.base, 1), 0);
  shm_unlink(client.name);
  check_opening_without_name(&client, &mapping);
  fd = shm_open(client.name, O_RDWR | O_CREAT | O_EXCL, 0600);
  check_opening_without_name(&client, &mapping);
  close(fd);

  // A file elsewhere is no client's shared memory.
  char path[] = "/tmp/test_lender_XXXXXX";
  fd = mkstemp(path);
  CHECK_INT(ftruncate(fd, BYTES), 0);
  uint8_t* base = mmap(NULL, BYTES, PROT_READ, MAP_SHARED, fd, 0);
  CHECK_INT(tsb_mapping_find(maps_fd, &mapping, base, 1), 0);
  CHECK_INT(tsb_mapping_open(maps_fd, &mapping, base, &bytes), -EXDEV);
  munmap(base, BYTES);
  close(fd);
  unlink(path);
  fake_client_close(&client);
  fake_client_close(&other);
}

// The system writes " (deleted)" behind the name of a file that has none any more, and anybody may give that name to
// something. Here it even has the file's number, as if that had been used again.
static void test_opening_what_is_no_file(void) {
  struct fake_client client = open_client("fifo");
  struct tsb_mapping mapping;
  struct stat info;
  uint64_t bytes;
  char path[128];
  CHECK_INT(tsb_mapping_find(maps_fd, &mapping, client.base, 1), 0);
  shm_unlink(client.name);
  snprintf(path, sizeof path, "/dev/shm%s (deleted)", client.name);
  CHECK_INT(mkfifo(path, 0600), 0);
  CHECK_INT(stat(path, &info), 0);
  mapping.device = info.st_dev;
  mapping.inode = info.st_ino;
  CHECK_INT(tsb_mapping_open(maps_fd, &mapping, client.base, &bytes), -ENOENT);
  unlink(path);
  fake_client_close(&client);
}

static void test_lending(void) {
  struct fake_client client = open_client("lending");
  struct tsb_loans loans = {0};
  struct tsb_loan loan;
  uint32_t region;
  int fd;
  tsb_lender_init(&lender, maps_fd, &sender);
  CHECK_INT(tsb_lender_lend(&lender, client.base, TSB_LEND_MIN_BYTES - 1, &loan), 0);  // not worth it
  CHECK_INT(tsb_lender_lend(&lender, client.base + 4, TSB_LEND_MIN_BYTES, &loan), 0);  // no array can begin there
  CHECK_INT(next_frame(&region, &fd), 0);

  CHECK_INT(tsb_lender_lend(&lender, client.base + 64, TSB_LEND_MIN_BYTES, &loan), 1);
  CHECK_INT(loan.offset, 64);
  CHECK_INT(loan.bytes, TSB_LEND_MIN_BYTES);
  CHECK_INT(loan.inode, lender.files[0].inode);
  CHECK_INT(tsb_loans_add(&loans, &loan), 0);
  CHECK_INT(next_frame(&region, &fd), TSB_METHOD_CLIENT_REGION);
  CHECK_INT(region, loan.region);
  CHECK_INT(region & TSB_REGION_OF_CLIENT, TSB_REGION_OF_CLIENT);
  struct stat mine, its;
  CHECK_INT(fstat(client.fd, &mine), 0);
  CHECK_INT(fstat(fd, &its), 0);
  CHECK_INT(its.st_ino, mine.st_ino);
  close(fd);

  // The same file again: nothing is sent.
  CHECK_INT(tsb_lender_lend(&lender, client.base + BYTES - TSB_LEND_MIN_BYTES, TSB_LEND_MIN_BYTES, &loan), 1);
  CHECK_INT(loan.region, region);
  CHECK_INT(tsb_loans_add(&loans, &loan), 0);
  CHECK_INT(next_frame(&region, &fd), 0);

  // It is kept as long as one of them lasts, and then a while.
  const uint64_t later = UINT64_C(1) << 62;
  CHECK_INT(tsb_lender_drop_idle(&lender, later), 1);
  tsb_lender_return(&lender, &loans);
  CHECK_INT(loans.count, 0);
  CHECK_INT(tsb_lender_drop_idle(&lender, lender.files[0].used_ns + 1), 1);
  CHECK_INT(next_frame(&region, &fd), 0);
  CHECK_INT(tsb_lender_drop_idle(&lender, later), 0);
  CHECK_INT(next_frame(&region, &fd), TSB_METHOD_FORGET_REGION);
  CHECK_INT(region, loan.region);

  // Once more: another region, as ids are used once.
  CHECK_INT(tsb_lender_lend(&lender, client.base, TSB_LEND_MIN_BYTES, &loan), 1);
  CHECK(loan.region != region);
  CHECK_INT(next_frame(&region, &fd), TSB_METHOD_CLIENT_REGION);
  close(fd);
  fake_client_close(&client);
  tsb_loans_free(&loans);
}

// A loan of 16 KiB blocks of the client's file, as tsb_lender_lend makes it.
static struct tsb_loan blocks_of(const struct fake_client* client, uint32_t request, uint32_t first, uint32_t count) {
  struct stat info;
  CHECK_INT(fstat(client->fd, &info), 0);
  return (struct tsb_loan){.region = 7,
                           .request = request,
                           .fd = client->fd,
                           .device = info.st_dev,
                           .inode = info.st_ino,
                           .offset = first * (uint64_t)TSB_LEND_MIN_BYTES,
                           .bytes = count * (uint64_t)TSB_LEND_MIN_BYTES,
                           .data = client->base + first * (uint64_t)TSB_LEND_MIN_BYTES};
}

static struct tsb_place place_of(const struct tsb_loan* loan) {
  return (struct tsb_place){.region = loan->region, .offset = loan->offset, .bytes = loan->bytes};
}

static void test_saving(void) {
  enum { BLOCK = TSB_LEND_MIN_BYTES };
  struct fake_client client = open_client("saving");
  static uint8_t copy[2 * BLOCK], own[BLOCK];
  for (int i = 0; i < BYTES; i++) client.base[i] = (uint8_t)(i / BLOCK);
  // Also under another address, as a client may register a file twice.
  uint8_t* alias = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, client.fd, 0);
  CHECK(alias != MAP_FAILED);
  uint8_t* const BASES[] = {client.base, alias};
  tsb_lender_init(&lender, maps_fd, &sender);
  for (int i = 0; i < 2; i++) {
    struct tsb_loans loans = {0};
    for (uint32_t j = 0; j < 3; j++) {  // the last is another request's
      struct tsb_loan loan = blocks_of(&client, j / 2, j, 1);
      CHECK_INT(tsb_loans_add(&loans, &loan), 0);
    }
    CHECK_INT(tsb_loans_save(&loans, 0, maps_fd, own, BLOCK), 0);                   // no file
    CHECK_INT(tsb_loans_save(&loans, 0, maps_fd, BASES[i] + 3 * BLOCK, BLOCK), 0);  // beside all of them
    for (int j = 0; j < 3; j++) CHECK(loans.items[j].saved == NULL);
    CHECK_INT(tsb_loans_save(&loans, 0, maps_fd, BASES[i] + BLOCK - 1, 2 * BLOCK), 0);  // touches all of them
    CHECK(loans.items[0].saved != NULL && loans.items[1].saved != NULL && loans.items[2].saved == NULL);
    memset(client.base, 0xee, 3 * BLOCK);
    for (uint32_t j = 0; j < 2; j++) {
      struct tsb_place place = place_of(&loans.items[j]);
      CHECK_INT(copy_from(&loans, 0, &place, copy), 0);
      CHECK(copy[0] == j && copy[BLOCK - 1] == j);
    }
    tsb_lender_return(&lender, &loans);  // frees what was saved
    tsb_loans_free(&loans);
    for (int j = 0; j < 3 * BLOCK; j++) client.base[j] = (uint8_t)(j / BLOCK);
  }
  munmap(alias, BYTES);
  fake_client_close(&client);
}

static void test_copying(void) {
  enum { BLOCK = TSB_LEND_MIN_BYTES };
  struct fake_client client = open_client("copying");
  static uint8_t copy[4 * BLOCK];
  struct tsb_loans loans = {0};
  struct tsb_loan loan = blocks_of(&client, 1, 2, 4);
  for (int i = 0; i < BYTES; i++) client.base[i] = (uint8_t)(i / BLOCK);
  CHECK_INT(tsb_loans_add(&loans, &loan), 0);
  struct tsb_place part = {.region = 7, .offset = 3 * BLOCK, .bytes = 2 * BLOCK};
  CHECK_INT(copy_from(&loans, 1, &part, copy), 0);
  CHECK(copy[0] == 3 && copy[BLOCK] == 4 && copy[2 * BLOCK] == 0);
  CHECK_INT(copy_from(&loans, 0, &part, copy), -ENOENT);
  // The client cuts its file short while it is lent: a copy would end in a SIGBUS.
  CHECK_INT(ftruncate(client.fd, 4 * BLOCK), 0);
  CHECK_INT(copy_from(&loans, 1, &part, copy), -ENODATA);
  // Where the system does not tell which file lies there, nothing is lent, and so nothing needs to be saved.
  int saved = fake_client_is_lendable() ? -ENODATA : 0;
  CHECK_INT(tsb_loans_save(&loans, 1, maps_fd, client.base + 2 * BLOCK, BLOCK), saved);
  CHECK(loans.items[0].saved == NULL);
  part.bytes = BLOCK;
  CHECK_INT(copy_from(&loans, 1, &part, copy), 0);
  tsb_loans_free(&loans);
  fake_client_close(&client);
}

static void test_file_that_is_smaller_than_its_mapping(void) {
  struct fake_client client = open_client("short");
  struct tsb_loan loan;
  static const off_t SIZES[] = {TSB_LEND_MIN_BYTES, 0};
  for (size_t i = 0; i < sizeof SIZES / sizeof SIZES[0]; i++) {
    tsb_lender_init(&lender, maps_fd, &sender);
    CHECK_INT(ftruncate(client.fd, SIZES[i]), 0);
    // It is lent all the same: the stub finds out what is missing and fails the request. A copy here would end the
    // server.
    CHECK_INT(tsb_lender_lend(&lender, client.base, 2 * TSB_LEND_MIN_BYTES, &loan), 1);
    CHECK_INT(lender.files[0].bytes, BYTES);
    uint32_t region;
    int fd;
    CHECK_INT(next_frame(&region, &fd), TSB_METHOD_CLIENT_REGION);
    close(fd);
    tsb_lender_free(&lender);
  }
  fake_client_close(&client);
}

static void test_file_that_has_grown(void) {
  struct fake_client client = open_client("grown");
  struct tsb_loan first, second;
  uint32_t region;
  int fd;
  tsb_lender_init(&lender, maps_fd, &sender);
  CHECK_INT(ftruncate(client.fd, TSB_LEND_MIN_BYTES), 0);
  uint8_t* part = mmap(NULL, TSB_LEND_MIN_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, client.fd, 0);
  CHECK(part != MAP_FAILED);
  CHECK_INT(tsb_lender_lend(&lender, part, TSB_LEND_MIN_BYTES, &first), 1);
  CHECK_INT(next_frame(&region, &fd), TSB_METHOD_CLIENT_REGION);
  close(fd);
  munmap(part, TSB_LEND_MIN_BYTES);
  CHECK_INT(ftruncate(client.fd, BYTES), 0);
  CHECK_INT(tsb_lender_lend(&lender, client.base, BYTES, &second), 1);
  CHECK(second.region != first.region);  // what the stub has mapped is too short
  CHECK_INT(next_frame(&region, &fd), TSB_METHOD_CLIENT_REGION);
  CHECK_INT(region, second.region);
  close(fd);
  fake_client_close(&client);
}

static void test_files_that_were_lost_are_passed_on_anew(void) {
  struct fake_client client = open_client("lost");
  struct tsb_loan first, second;
  uint32_t region;
  int fd;
  tsb_lender_init(&lender, maps_fd, &sender);
  for (uint32_t lost = 0; lost < 3; lost++) {
    CHECK_INT(tsb_lender_note_lost(&lender, lost), 0);
    CHECK_INT(tsb_lender_lend(&lender, client.base, BYTES, &first), 1);
    CHECK_INT(next_frame(&region, &fd), TSB_METHOD_CLIENT_REGION);
    CHECK_INT(region, first.region);
    close(fd);
    CHECK_INT(tsb_lender_note_lost(&lender, lost), 0);  // no news
    CHECK_INT(tsb_lender_lend(&lender, client.base, BYTES, &second), 1);
    CHECK_INT(second.region, first.region);
    CHECK_INT(next_frame(&region, &fd), 0);
  }
  CHECK_INT(lender.count, 3);
  // What is not lent any more goes at once: a client that cuts its file short with every request must not fill the
  // table.
  for (uint32_t i = 0; i < 3; i++) lender.files[i].loans = 0;
  CHECK_INT(tsb_lender_note_lost(&lender, 3), 0);
  CHECK_INT(lender.count, 0);
  for (int i = 0; i < 3; i++) CHECK_INT(next_frame(&region, &fd), TSB_METHOD_FORGET_REGION);
  fake_client_close(&client);
}

static void test_file_that_no_array_holds(void) {
  struct fake_client client = open_client("huge");
  struct tsb_loan loan;
  uint32_t region;
  int fd;
  tsb_lender_init(&lender, maps_fd, &sender);
  CHECK_INT(ftruncate(client.fd, INT64_C(1) << 40), 0);  // takes no memory
  CHECK_INT(tsb_lender_lend(&lender, client.base, TSB_LEND_MIN_BYTES, &loan), 0);
  CHECK_INT(next_frame(&region, &fd), 0);
  fake_client_close(&client);
}

static void test_file_without_a_name(void) {
  struct fake_client client = open_client("nameless");
  struct tsb_loan loan;
  uint32_t region;
  int fd;
  tsb_lender_init(&lender, maps_fd, &sender);
  shm_unlink(client.name);
  set_administrator(false);
  for (int i = 0; i < 3; i++) CHECK_INT(tsb_lender_lend(&lender, client.base, TSB_LEND_MIN_BYTES, &loan), 0);
  CHECK_INT(lender.count, 1);  // tried once
  CHECK_INT(next_frame(&region, &fd), 0);
  CHECK_INT(tsb_lender_drop_idle(&lender, UINT64_C(1) << 62), 0);
  CHECK_INT(next_frame(&region, &fd), 0);
  set_administrator(true);
  if (may_open_mapping(&client)) {
    CHECK_INT(tsb_lender_lend(&lender, client.base, TSB_LEND_MIN_BYTES, &loan), 1);
    CHECK_INT(next_frame(&region, &fd), TSB_METHOD_CLIENT_REGION);
    close(fd);
  }
  fake_client_close(&client);
}

static void test_many_files(void) {
  static struct fake_client clients[TSB_MAX_CLIENT_FILES + 1];
  struct tsb_loan loan;
  tsb_lender_init(&lender, maps_fd, &sender);
  for (int i = 0; i <= TSB_MAX_CLIENT_FILES; i++) {
    char label[16];
    snprintf(label, sizeof label, "many%d", i);
    clients[i] = open_client(label);
    // Beyond the limit there is no loan, and no harm.
    CHECK_INT(tsb_lender_lend(&lender, clients[i].base, TSB_LEND_MIN_BYTES, &loan), i < TSB_MAX_CLIENT_FILES);
    uint32_t region;
    int fd;
    if (next_frame(&region, &fd) != 0) close(fd);
  }
  for (int i = 0; i <= TSB_MAX_CLIENT_FILES; i++) fake_client_close(&clients[i]);
}

static void test_stub_that_is_gone(void) {
  struct fake_client client = open_client("gone");
  struct tsb_loan loan;
  int pair[2];
  CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
  close(pair[1]);
  tsb_sender_init(&sender, pair[0]);
  tsb_lender_init(&lender, maps_fd, &sender);
  CHECK_INT(tsb_lender_lend(&lender, client.base, TSB_LEND_MIN_BYTES, &loan), -EPIPE);
  tsb_sender_init(&sender, sockets[0]);
  close(pair[0]);
  fake_client_close(&client);
}

static void test_loans(void) {
  struct tsb_loans loans = {0};
  struct tsb_loan lent = {.region = 7, .request = 1, .device = 3, .inode = 4, .offset = 1000, .bytes = 100};
  CHECK_INT(tsb_loans_add(&loans, &lent), 0);
  static const struct {
    uint64_t device, inode, offset, bytes;
    bool overlaps;
  } CASES[] = {{3, 4, 900, 100, false}, {3, 4, 900, 101, true},   {3, 4, 1000, 100, true}, {3, 4, 1099, 1, true},
               {3, 4, 1100, 1, false},  {3, 5, 1000, 100, false}, {4, 4, 1000, 100, false}};
  for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
    // A file that has grown has two regions.
    struct tsb_loan loan = {.region = 8,
                            .device = CASES[i].device,
                            .inode = CASES[i].inode,
                            .offset = CASES[i].offset,
                            .bytes = CASES[i].bytes};
    if (tsb_loans_overlap(&loans, &loan) != CASES[i].overlaps) CHECK_FAIL("case %zu", i);
  }
  static const struct {
    uint32_t request;
    struct tsb_place place;
    bool held;
  } PLACES[] = {{1, {.region = 7, .offset = 1000, .bytes = 100}, true},
                {1, {.region = 7, .offset = 1090, .bytes = 10}, true},
                {1, {.region = 7, .offset = 1090, .bytes = 11}, false},
                {1, {.region = 7, .offset = 999, .bytes = 2}, false},
                {1, {.region = 7, .offset = 2000, .bytes = 1}, false},
                {1, {.region = 7, .offset = 1000, .bytes = UINT64_MAX}, false},
                {1, {.region = 8, .offset = 1000, .bytes = 1}, false},
                // Another request may be answered and its memory gone.
                {0, {.region = 7, .offset = 1000, .bytes = 1}, false}};
  for (size_t i = 0; i < sizeof PLACES / sizeof PLACES[0]; i++) {
    if ((tsb_loans_find(&loans, PLACES[i].request, &PLACES[i].place) != NULL) != PLACES[i].held)
      CHECK_FAIL("place %zu", i);
  }
  for (int i = 0; i < 20; i++) CHECK_INT(tsb_loans_add(&loans, &(struct tsb_loan){.region = 9}), 0);
  CHECK_INT(loans.count, 21);
  CHECK_INT(loans.items[0].region, 7);
  tsb_loans_free(&loans);
}

// Memory of other instances, which is no client's, takes none of the places that there are for clients' files.
static void test_memory_of_others(void) {
  enum { OTHERS = 70 };
  struct tsb_loan loan;
  uint8_t* bases[OTHERS];
  tsb_lender_init(&lender, maps_fd, &sender);
  for (int i = 0; i < OTHERS; i++) {
    int fd = memfd_create("other", MFD_CLOEXEC);
    CHECK_INT(ftruncate(fd, BYTES), 0);
    bases[i] = mmap(NULL, BYTES, PROT_READ, MAP_SHARED, fd, 0);
    close(fd);
    CHECK_INT(tsb_lender_lend(&lender, bases[i], BYTES, &loan), 0);
  }
  CHECK_INT(lender.count, 0);
  for (int i = 0; i < OTHERS; i++) munmap(bases[i], BYTES);
}

int main(void) {
  maps_fd = tsb_mapping_open_maps();
  CHECK(maps_fd >= 0);
  CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), 0);
  tsb_sender_init(&sender, sockets[0]);
  test_loans();
  test_copying();
  need_query();
  test_saving();
  test_mapping();
  test_opening();
  test_opening_what_is_no_file();
  test_lending();
  test_file_that_is_smaller_than_its_mapping();
  test_file_that_has_grown();
  test_files_that_were_lost_are_passed_on_anew();
  test_file_that_no_array_holds();
  test_file_without_a_name();
  test_memory_of_others();
  test_many_files();
  test_stub_that_is_gone();
  return 0;
}
