// SPDX-License-Identifier: Apache-2.0
#include "client_regions.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "barrier.h"

struct client_region {
  uint32_t id;  // 0: free; written last, and cleared first
  uint8_t* base;
  uint64_t bytes;
  uint32_t written;
  uint32_t lost;
};

// Not part of the addon's state: the handlers of a process's signals have nothing but globals. Any thread may fault, so
// what handlers change is accessed atomically, and what else they read stands before `id` does.
static struct client_region regions[TSB_MAX_CLIENT_REGIONS];
static uint32_t flags[TSB_CLIENT_FLAG_COUNT];
static struct tsb_control* control;
static struct sigaction before_segv, before_bus;
static bool handles, unguarded;
// What was forgotten last: no memory, only addresses that stay good for a while.
enum { ZOMBIE_COUNT = 64 };
static struct {
  uint8_t* base;
  uint64_t bytes;
} zombies[ZOMBIE_COUNT];
static uint32_t next_zombie;
static uint64_t page_bytes;

uint32_t* tsb_client_regions_flags(void) { return flags; }

static struct client_region* client_regions__at(const void* address) {
  for (uint32_t i = 0; i < TSB_MAX_CLIENT_REGIONS; i++) {
    struct client_region* region = &regions[i];
    if (tsb_load_acquire_u32(&region->id) == 0) continue;
    uint64_t distance = (uint64_t)(uintptr_t)address - (uint64_t)(uintptr_t)region->base;
    if (distance < region->bytes) return region;
  }
  return NULL;
}

static struct client_region* client_regions__find(uint32_t id) {
  for (uint32_t i = 0; i < TSB_MAX_CLIENT_REGIONS; i++) {
    if (regions[i].id == id) return &regions[i];
  }
  return NULL;
}

// Puts zeros where a file was; the addresses stay good.
static bool client_regions__zero(uint8_t* base, uint64_t bytes) {
  int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED;
  return mmap(base, bytes, PROT_READ | PROT_WRITE, flags, -1, 0) != MAP_FAILED;
}

// Not ours: as if this handler had never been.
static void client_regions__pass_on(int number, siginfo_t* info, void* context) {
  const struct sigaction* before = number == SIGBUS ? &before_bus : &before_segv;
  if ((before->sa_flags & SA_SIGINFO) != 0) {
    before->sa_sigaction(number, info, context);
  } else if (before->sa_handler == SIG_DFL || before->sa_handler == SIG_IGN) {
    signal(number, SIG_DFL);                // the same instruction faults again and ends the process ...
    if (info->si_code <= 0) raise(number);  // ... unless somebody sent the signal
  } else {
    before->sa_handler(number);
  }
}

static void client_regions__on_fault(int number, siginfo_t* info, void* context) {
  int kept = errno;
  struct client_region* region = info->si_code > 0 ? client_regions__at(info->si_addr) : NULL;
  bool mended = false;
  if (region != NULL && number == SIGSEGV) {
    tsb_store_seq_u32(&region->written, 1);
    tsb_store_seq_u32(&flags[TSB_CLIENT_WRITTEN], 1);
    // Before the first private page is made: who is lent memory after this was seen has none of them.
    tsb_store_seq_u32(&control->inputs_written, 1);
    mended = mprotect(region->base, region->bytes, PROT_READ | PROT_WRITE) == 0;
  } else if (region != NULL) {
    // All behind the page is missing, too.
    uint8_t* page = (uint8_t*)((uintptr_t)info->si_addr & ~(uintptr_t)(page_bytes - 1));
    uint64_t rest = region->bytes - (uint64_t)(page - region->base);
    tsb_store_seq_u32(&region->lost, 1);
    tsb_store_seq_u32(&flags[TSB_CLIENT_LOST], 1);
    tsb_store_seq_u32(&control->regions_lost, tsb_load_seq_u32(&control->regions_lost) + 1);
    mended = client_regions__zero(page, rest);
  }
  errno = kept;
  if (!mended) client_regions__pass_on(number, info, context);
}

static int client_regions__handle(struct tsb_connection* connection) {
  if (handles) return 0;
  struct sigaction action = {.sa_sigaction = client_regions__on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};
  sigemptyset(&action.sa_mask);
  control = connection->control;
  page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
  if (sigaction(SIGSEGV, &action, &before_segv) != 0 || sigaction(SIGBUS, &action, &before_bus) != 0) return -errno;
  handles = true;
  return 0;
}

int tsb_client_regions_adopt(struct tsb_connection* connection, struct tsb_message* message) {
  struct tsb_region region = {.id = message->frame.region, .fd = -1};
  struct client_region* slot = client_regions__find(0);
  uint32_t id = message->frame.region;
  if (message->frame.descriptor_count != 1 || (id & TSB_REGION_OF_CLIENT) == 0) return -EPROTO;
  if (slot == NULL) return -ENOSPC;
  int status = client_regions__handle(connection);
  if (status < 0) return status;
  // As many bytes as the shim has seen, whatever the size is by now: what is missing is noticed when it is read.
  // Private, so that a write makes a page of this process's own.
  region.bytes = (strtoull(message->payload, NULL, 10) + page_bytes - 1) & ~(page_bytes - 1);
  int access = unguarded ? PROT_READ | PROT_WRITE : PROT_READ;  // lent before the shim knew
  region.base = mmap(NULL, region.bytes, access, MAP_PRIVATE | MAP_NORESERVE, message->descriptors[0], 0);
  if (region.base == MAP_FAILED) return -errno;
  status = tsb_region_add(&connection->regions, &region);
  if (status < 0) {
    tsb_region_close(&region);
    return status;
  }
  slot->base = region.base;
  slot->bytes = region.bytes;
  slot->lost = 0;
  slot->written = unguarded;
  if (unguarded) tsb_store_seq_u32(&flags[TSB_CLIENT_WRITTEN], 1);
  tsb_store_release_u32(&slot->id, id);  // pairs with the load in client_regions__at
  return 0;
}

static void client_regions__bury(uint8_t* base, uint64_t bytes) {
  if (zombies[next_zombie].base != NULL) munmap(zombies[next_zombie].base, zombies[next_zombie].bytes);
  zombies[next_zombie].base = base;
  zombies[next_zombie].bytes = bytes;
  next_zombie = (next_zombie + 1) % ZOMBIE_COUNT;
}

void tsb_client_regions_forget(struct tsb_connection* connection, uint32_t id, bool is_held) {
  struct client_region* slot = id == 0 ? NULL : client_regions__find(id);
  struct tsb_region* region = tsb_region_find(&connection->regions, id);
  if (slot == NULL || region == NULL) return;
  bool zeroed = client_regions__zero(region->base, region->bytes);
  tsb_store_seq_u32(&slot->id, 0);
  if (zeroed) {
    if (!is_held) client_regions__bury(region->base, region->bytes);
    region->base = NULL;  // tsb_region_remove must not unmap it
  }
  tsb_region_remove(&connection->regions, region);
}

void tsb_client_regions_unguard(struct tsb_connection* connection) {
  unguarded = true;
  tsb_store_seq_u32(&connection->control->inputs_written, 1);
  for (uint32_t i = 0; i < TSB_MAX_CLIENT_REGIONS; i++) {
    struct client_region* region = &regions[i];
    if (region->id == 0) continue;
    mprotect(region->base, region->bytes, PROT_READ | PROT_WRITE);
    tsb_store_seq_u32(&region->written, 1);
    tsb_store_seq_u32(&flags[TSB_CLIENT_WRITTEN], 1);
  }
}

void tsb_client_regions_restore(void) {
  // A region that was written into stays writable, and its pages are dropped after every batch until it is forgotten: a
  // thread of the model may be writing right now, and nothing new is lent to this process any more.
  for (uint32_t i = 0; i < TSB_MAX_CLIENT_REGIONS; i++) {
    struct client_region* region = &regions[i];
    if (region->id == 0 || tsb_load_acquire_u32(&region->written) == 0) continue;
    madvise(region->base, region->bytes, MADV_DONTNEED);
  }
}

bool tsb_client_regions_is_lost(uint32_t id) {
  const struct client_region* slot = client_regions__find(id);
  return slot != NULL && tsb_load_acquire_u32(&slot->lost) != 0;
}
