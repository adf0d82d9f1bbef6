// SPDX-License-Identifier: Apache-2.0
// Clients' files as the stub maps them: what the model writes stays in this process, what the client cuts off reads as
// zero. The faults are real ones.
#include "client_regions.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "barrier.h"
#include "check.h"

enum { PAGE = 4096, PAGES = 4, BYTES = PAGES * PAGE, HANDLED = 42 };

static struct tsb_control control;
static struct tsb_connection ends = {.control = &control};
static uint32_t next_id = TSB_REGION_OF_CLIENT;
static uint32_t* flags;

// A client's file, and the region that the stub makes of it.
struct client {
  int fd;
  uint32_t id;
  uint8_t* base;
};

static void fill(const struct client* client, uint8_t value) {
  uint8_t bytes[BYTES];
  memset(bytes, value, sizeof bytes);
  CHECK_INT(pwrite(client->fd, bytes, sizeof bytes, 0), sizeof bytes);
}

static bool is_all(const uint8_t* bytes, uint64_t count, uint8_t value) {
  for (uint64_t i = 0; i < count; i++) {
    if (bytes[i] != value) return false;
  }
  return true;
}

static int adopt(uint32_t id, int fd, const char* bytes, uint32_t descriptors) {
  struct tsb_message message = {
      .frame = {.method = TSB_METHOD_CLIENT_REGION, .region = id, .descriptor_count = descriptors},
      .payload = strdup(bytes),
      .descriptors = {dup(fd), -1, -1, -1}};
  int status = tsb_client_regions_adopt(&ends, &message);
  tsb_message_free(&message);  // closes the descriptor: the mapping must do without it
  return status;
}

static struct client open_client(uint8_t value) {
  struct client client = {.fd = memfd_create("client", MFD_CLOEXEC), .id = ++next_id};
  CHECK(client.fd >= 0);
  fill(&client, value);
  CHECK_INT(adopt(client.id, client.fd, "16384", 1), 0);
  const struct tsb_region* region = tsb_region_find(&ends.regions, client.id);
  CHECK(region != NULL);
  CHECK_INT(region->bytes, BYTES);
  client.base = region->base;
  return client;
}

static void close_client(const struct client* client) {
  tsb_client_regions_forget(&ends, client->id, false);
  close(client->fd);
}

static void forget_what_was_written(void) {
  tsb_store_seq_u32(&flags[TSB_CLIENT_WRITTEN], 0);
  tsb_store_seq_u32(&control.inputs_written, 0);
}

static void test_malformed_frames(void) {
  int fd = memfd_create("client", MFD_CLOEXEC);
  CHECK_INT(adopt(1, fd, "16384", 1), -EPROTO);  // a region of the shim's own
  CHECK_INT(adopt(TSB_REGION_OF_CLIENT + 1, fd, "16384", 0), -EPROTO);
  CHECK_INT(adopt(TSB_REGION_OF_CLIENT + 1, fd, "16384", 2), -EPROTO);
  CHECK(adopt(TSB_REGION_OF_CLIENT + 1, fd, "0", 1) < 0);
  CHECK(adopt(TSB_REGION_OF_CLIENT + 1, fd, "", 1) < 0);
  CHECK_INT(ends.regions.count, 0);
  tsb_client_regions_forget(&ends, 0, false);
  tsb_client_regions_forget(&ends, TSB_REGION_OF_CLIENT + 1, false);
  CHECK(!tsb_client_regions_is_lost(TSB_REGION_OF_CLIENT + 1));
  close(fd);
}

static void test_reading(void) {
  struct client client = open_client(7), other = open_client(8);
  CHECK(is_all(client.base, BYTES, 7));
  CHECK(is_all(other.base, BYTES, 8));
  fill(&client, 9);  // what the client writes next is seen at once
  CHECK(is_all(client.base, BYTES, 9));
  CHECK_INT(flags[TSB_CLIENT_WRITTEN], 0);
  CHECK_INT(control.inputs_written, 0);
  CHECK_INT(adopt(client.id, client.fd, "16384", 1), -EEXIST);
  CHECK(is_all(client.base, BYTES, 9));
  close_client(&client);
  close_client(&other);
  CHECK_INT(ends.regions.count, 0);
}

static void test_what_the_model_writes_is_its_own_and_dropped(void) {
  struct client client = open_client(1), other = open_client(2);
  uint8_t byte;
  volatile uint8_t* base = client.base;
  errno = 77;
  base[PAGE + 5] = 200;
  CHECK_INT(errno, 77);
  CHECK_INT(flags[TSB_CLIENT_WRITTEN], 1);
  CHECK_INT(control.inputs_written, 1);
  CHECK_INT(base[PAGE + 5], 200);
  CHECK_INT(pread(client.fd, &byte, 1, PAGE + 5), 1);
  CHECK_INT(byte, 1);
  tsb_client_regions_restore();
  CHECK(is_all(client.base, BYTES, 1));
  // No private page hides what the client writes from now on, not even after one more write.
  fill(&client, 3);
  CHECK(is_all(client.base, BYTES, 3));
  base[0] = 201;
  tsb_client_regions_restore();
  fill(&client, 4);
  CHECK(is_all(client.base, BYTES, 4));
  CHECK(is_all(other.base, BYTES, 2));
  CHECK(!tsb_client_regions_is_lost(client.id));
  CHECK_INT(control.regions_lost, 0);
  close_client(&client);
  close_client(&other);
  forget_what_was_written();
}

static uint32_t writer_runs, writer_stops;
static void* write_for_ever(void* argument) {
  volatile uint8_t* base = argument;
  for (uint32_t i = 0; tsb_load_acquire_u32(&writer_stops) == 0; i++) {
    base[i % PAGES * PAGE + 1]++;
    tsb_store_release_u32(&writer_runs, 1);
  }
  return NULL;
}

// A thread that the model left behind, for instance one of a library, writes while pages are dropped.
static void test_restore_while_a_thread_writes(void) {
  for (int round = 0; round < 100; round++) {
    struct client client = open_client(5);
    pthread_t writer;
    tsb_store_release_u32(&writer_runs, 0);
    tsb_store_release_u32(&writer_stops, 0);
    CHECK_INT(pthread_create(&writer, NULL, write_for_ever, client.base), 0);
    while (tsb_load_acquire_u32(&writer_runs) == 0) {
    }
    for (int i = 0; i < 3000; i++) tsb_client_regions_restore();
    tsb_store_release_u32(&writer_stops, 1);
    pthread_join(writer, NULL);
    tsb_client_regions_restore();
    fill(&client, 6);
    CHECK(is_all(client.base, BYTES, 6));
    close_client(&client);
  }
  forget_what_was_written();
}

static void test_file_that_is_cut_short(void) {
  struct client client = open_client(1), other = open_client(2);
  uint32_t before = control.regions_lost;
  flags[TSB_CLIENT_LOST] = 0;
  CHECK_INT(ftruncate(client.fd, PAGE), 0);
  errno = 77;
  CHECK(is_all(client.base + 3 * PAGE, PAGE, 0));
  CHECK_INT(errno, 77);
  CHECK_INT(control.regions_lost, before + 1);
  CHECK_INT(flags[TSB_CLIENT_LOST], 1);
  CHECK(tsb_client_regions_is_lost(client.id));
  CHECK(!tsb_client_regions_is_lost(other.id));
  CHECK(is_all(client.base + PAGE, 3 * PAGE, 0));
  CHECK_INT(control.regions_lost, before + 2);
  CHECK(is_all(client.base, PAGE, 1));  // what is there stays
  // The shim passes on anew what is whole again; this region stays as it is.
  fill(&client, 3);
  CHECK(is_all(client.base, PAGE, 3));
  CHECK(is_all(client.base + PAGE, 3 * PAGE, 0));
  struct client again = {.fd = client.fd, .id = ++next_id};
  CHECK_INT(adopt(again.id, again.fd, "16384", 1), 0);
  again.base = tsb_region_find(&ends.regions, again.id)->base;
  CHECK(is_all(again.base, BYTES, 3));
  CHECK(!tsb_client_regions_is_lost(again.id));
  tsb_client_regions_forget(&ends, client.id, false);
  CHECK(!tsb_client_regions_is_lost(client.id));
  CHECK(is_all(other.base, BYTES, 2));
  close_client(&again);
  close_client(&other);
  CHECK_INT(flags[TSB_CLIENT_WRITTEN], 0);
}

static void test_a_forgotten_region_reads_as_zero(void) {
  struct client client = open_client(1);
  tsb_client_regions_forget(&ends, client.id, false);
  CHECK(tsb_region_find(&ends.regions, client.id) == NULL);
  CHECK(is_all(client.base, BYTES, 0));
  client.base[1] = 1;  // a library may also write there in the background; it is nobody's
  CHECK_INT(flags[TSB_CLIENT_WRITTEN], 0);
  tsb_client_regions_forget(&ends, client.id, false);
  close(client.fd);
}

static void test_many_regions(void) {
  static struct client clients[TSB_MAX_CLIENT_REGIONS];
  for (int i = 0; i < TSB_MAX_CLIENT_REGIONS; i++) clients[i] = open_client((uint8_t)i);
  CHECK_INT(adopt(next_id + 1, clients[0].fd, "16384", 1), -ENOSPC);
  CHECK(tsb_region_find(&ends.regions, next_id + 1) == NULL);
  CHECK(is_all(clients[TSB_MAX_CLIENT_REGIONS - 1].base, BYTES, TSB_MAX_CLIENT_REGIONS - 1));
  close_client(&clients[3]);
  clients[3] = open_client(33);
  CHECK(is_all(clients[3].base, BYTES, 33));
  // One that is held stays at its address, however many are forgotten after it.
  uint8_t* held = clients[5].base;
  tsb_client_regions_forget(&ends, clients[5].id, true);
  for (int i = 0; i < TSB_MAX_CLIENT_REGIONS; i++) close_client(&clients[i]);
  CHECK(is_all(held, BYTES, 0));
  CHECK_INT(ends.regions.count, 0);
  CHECK_INT(ends.regions.bytes, 0);
}

// --- Faults that are no client's memory ----------------------------------------------------------------------------
static int status_of(void (*child)(void)) {
  int status = 0;
  pid_t pid = fork();
  CHECK(pid >= 0);
  if (pid == 0) {
    child();
    _exit(0);
  }
  CHECK_INT(waitpid(pid, &status, 0), pid);
  return status;
}

static void expect_death_by(void (*child)(void), int number) {
  int status = status_of(child);
  CHECK(WIFSIGNALED(status));
  CHECK_INT(WTERMSIG(status), number);
}

static void fault_elsewhere(void) {
  volatile uint8_t* nothing = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  *nothing = 1;
}

static void fault_behind_a_file(void) {
  int fd = memfd_create("short", MFD_CLOEXEC);
  volatile uint8_t* nothing = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
  if (*nothing == 0) _exit(1);
}

static void fault_after_an_adoption(void) {
  open_client(1);
  fault_elsewhere();
}

static void bus_error_after_an_adoption(void) {
  open_client(1);
  fault_behind_a_file();
}

static void signal_after_an_adoption(void) {
  open_client(1);
  raise(SIGSEGV);
}

// It has the address of a region, but nothing happened there.
static void signal_with_an_address(void) {
  struct client client = open_client(1);
  siginfo_t info = {.si_signo = SIGSEGV, .si_code = SI_QUEUE};
  info.si_addr = client.base;
  syscall(SYS_rt_tgsigqueueinfo, getpid(), gettid(), SIGSEGV, &info);
}

static void leave(int number, siginfo_t* info, void* context) {
  (void)context;
  _exit(number == SIGSEGV && info->si_code > 0 ? HANDLED : 1);
}

static void leave_simply(int number) { _exit(number == SIGSEGV ? HANDLED : 1); }

static void fault_with_a_handler(void) {
  struct sigaction action = {.sa_sigaction = leave, .sa_flags = SA_SIGINFO};
  sigaction(SIGSEGV, &action, NULL);
  fault_after_an_adoption();
}

static void fault_with_a_simple_handler(void) {
  signal(SIGSEGV, leave_simply);
  fault_after_an_adoption();
}

static void test_other_faults_are_passed_on(void) {
  expect_death_by(fault_after_an_adoption, SIGSEGV);
  expect_death_by(signal_after_an_adoption, SIGSEGV);
  expect_death_by(signal_with_an_address, SIGSEGV);
  expect_death_by(bus_error_after_an_adoption, SIGBUS);
  CHECK_INT(WEXITSTATUS(status_of(fault_with_a_handler)), HANDLED);
  CHECK_INT(WEXITSTATUS(status_of(fault_with_a_simple_handler)), HANDLED);
}

// --- Somebody else handles the signals -----------------------------------------------------------------------------
// From here on a fault would end the process, so nothing may fault. There is no way back, so this comes last.
static void test_without_a_guard(void) {
  struct client client = open_client(1), other = open_client(2);
  CHECK_INT(control.inputs_written, 0);
  tsb_client_regions_unguard(&ends);
  signal(SIGSEGV, SIG_DFL);
  CHECK_INT(control.inputs_written, 1);
  CHECK_INT(flags[TSB_CLIENT_WRITTEN], 1);
  client.base[0] = 100;
  other.base[BYTES - 1] = 100;
  tsb_client_regions_restore();
  CHECK(is_all(client.base, BYTES, 1));
  CHECK(is_all(other.base, BYTES, 2));
  client.base[0] = 101;  // again and again
  tsb_client_regions_restore();
  CHECK(is_all(client.base, BYTES, 1));

  // One that was lent before the shim knew.
  tsb_store_seq_u32(&flags[TSB_CLIENT_WRITTEN], 0);
  struct client late = open_client(3);
  CHECK_INT(flags[TSB_CLIENT_WRITTEN], 1);
  late.base[PAGE] = 100;
  tsb_client_regions_restore();
  fill(&late, 4);
  CHECK(is_all(late.base, BYTES, 4));
  close_client(&late);
  close_client(&other);
  close_client(&client);
}

int main(void) {
  flags = tsb_client_regions_flags();
  CHECK_INT(sysconf(_SC_PAGESIZE), PAGE);
  test_malformed_frames();
  test_other_faults_are_passed_on();  // each in a process without handlers as yet
  test_reading();
  test_what_the_model_writes_is_its_own_and_dropped();
  test_restore_while_a_thread_writes();
  test_file_that_is_cut_short();
  test_a_forgotten_region_reads_as_zero();
  test_many_regions();
  test_without_a_guard();
  return 0;
}
