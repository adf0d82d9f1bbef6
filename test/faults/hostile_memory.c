// SPDX-License-Identifier: Apache-2.0
// Regions that the fake stub announces, and what it writes into memory that both processes share.
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "barrier.h"
#include "hostile_stub.h"

int make_file(off_t bytes, int seals) {
  int fd = memfd_create("hostile", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (fd < 0 || ftruncate(fd, bytes) != 0) _exit(93);
  if (seals != 0 && fcntl(fd, F_ADD_SEALS, seals) != 0) _exit(94);
  return fd;
}

void announce(uint32_t id, int fd) {
  struct tsb_outgoing notice = {
      .method = TSB_METHOD_REGION, .region = id, .descriptors = &fd, .descriptor_count = fd < 0 ? 0 : 1};
  if (tsb_channel_send(CHANNEL, &notice, 5000) < 0) _exit(95);
}

void evil_regions(void) {
  int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
  if (is("region_unsealed") || is("region_shrunk")) {
    int fd = make_file(1 << 20, 0);
    announce(TSB_REGION_OF_STUB | 50, fd);
    if (is("region_shrunk") && ftruncate(fd, 0) != 0) _exit(100);
  }
  if (is("region_empty")) announce(TSB_REGION_OF_STUB | 50, make_file(0, seals));
  if (is("region_too_large")) announce(TSB_REGION_OF_STUB | 50, make_file((off_t)1 << 41, seals));
  if (is("region_of_the_shim")) announce(50, make_file(4096, seals));
  if (is("region_without_descriptor")) announce(TSB_REGION_OF_STUB | 50, -1);
  if (is("region_twice")) {
    announce(TSB_REGION_OF_STUB | 50, make_file(4096, seals));
    announce(TSB_REGION_OF_STUB | 50, make_file(4096, seals));
  }
  if (is("regions_without_end")) {
    for (uint32_t i = 0; i < 300; i++) {
      int fd = make_file(4096, seals);
      announce(TSB_REGION_OF_STUB | (100 + i), fd);
      close(fd);
    }
  }
}

void evil_rings(void) {
  struct tsb_ring_shared* to_shim = &connection_.control->to_shim;
  if (is("tail_jump")) tsb_store_seq_u64(&to_shim->tail, to_shim->tail + TSB_RING_CAPACITY + 5000);
  if (is("tail_back")) tsb_store_seq_u64(&to_shim->tail, to_shim->tail - 3);
  if (is("head_jump")) tsb_store_seq_u64(&connection_.control->to_stub.head, UINT64_C(1) << 40);
  if (is("full_ring_of_nonsense")) {
    memset(connection_.control->to_shim_entries, 0x5a, sizeof connection_.control->to_shim_entries);
    tsb_store_seq_u64(&to_shim->tail, to_shim->head + TSB_RING_CAPACITY);
  }
  if (is("all_of_memory_is_nonsense")) {
    for (uint32_t i = 0; i < connection_.regions.count; i++) {
      memset(connection_.regions.regions[i].base, 0x5a, connection_.regions.regions[i].bytes);
    }
  }
  uint64_t one = 1;
  for (int i = 0; i < 2; i++) {  // whatever the words say about sleep, the shim shall look
    if (write(connection_.wake_shim_fds[i], &one, sizeof one) < 0) _exit(101);
  }
  // The next honest answer would put the word right.
  if (begins("tail") || is("full_ring_of_nonsense")) hang();
}
