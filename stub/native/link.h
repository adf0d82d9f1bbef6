// SPDX-License-Identifier: Apache-2.0
// The stub's end of the connection to the shim: handshake, regions, rings, the arena of outputs.
#ifndef TSB_LINK_H
#define TSB_LINK_H

#include "arena.h"
#include "channel.h"
#include "ring.h"

// A block of the stub that the shim may still read: free once the shim's head has passed `position`.
struct tsb_pending_block {
  uint64_t position;
  uint32_t region;
  uint64_t offset;
  uint64_t bytes;
};

struct tsb_link {
  int channel;
  int wake_stub_fd;
  int wake_shim_fds[2];
  struct tsb_control* control;
  struct tsb_region_table regions;
  struct tsb_arena outbound;
  struct tsb_ring to_stub;            // consumer
  struct tsb_ring to_shim;            // producer
  struct tsb_pending_block* pending;  // a circular queue in ring order
  uint32_t pending_first, pending_count, pending_capacity;
};

// Receives HELLO, checks version and fingerprint, maps the control region. On failure returns a negative number and a
// sentence in `why`; the shim has been told.
int tsb_link_connect(struct tsb_link* link, int channel, uint64_t fingerprint, char* why, size_t why_bytes);
// Ends this process and its children as soon as the shim's process is gone, whatever JavaScript does meanwhile.
int tsb_link_watch_server(struct tsb_link* link);
// The server is gone. Whichever thread sees it first must take the model's children along.
_Noreturn void tsb_link_end_with_server(void);
// Takes a REGION frame. 0 or negative.
int tsb_link_adopt(struct tsb_link* link, struct tsb_message* message);
// -ENOMEM: the cap does not allow it.
int tsb_link_alloc(struct tsb_link* link, uint64_t bytes, struct tsb_block* block);
// Frees a block that the shim was never told of. 0 or -EINVAL.
int tsb_link_free(struct tsb_link* link, uint32_t region, uint64_t offset, uint64_t bytes);
// Frees a block after the shim has consumed all entries written so far. 0 or -ENOMEM.
int tsb_link_free_later(struct tsb_link* link, uint32_t region, uint64_t offset, uint64_t bytes);
// Writes entries, stamped with the time, waiting for room when the ring is full, and publishes them. 0 or -EPROTO.
int tsb_link_write(struct tsb_link* link, struct tsb_entry* entries, uint32_t count);

#endif
