// SPDX-License-Identifier: Apache-2.0
// The stub's end of the connection to the shim: handshake, regions, rings, the arena of outputs.
#ifndef TSB_CONNECTION_H
#define TSB_CONNECTION_H

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

struct tsb_connection {
  int channel;
  uint32_t hello_call;
  int watch_fd;  // see ring.h
  int wake_shim_fds[2];
  struct tsb_control* control;
  struct tsb_region_table regions;
  struct tsb_arena outbound;
  struct tsb_ring to_stub;            // consumer
  struct tsb_ring to_shim;            // producer
  uint32_t open_calls;                // calls of other models that were sent and have not had their last response
  uint64_t called_ns;                 // when the last one was sent
  struct tsb_pending_block* pending;  // a circular queue in ring order
  uint32_t pending_first, pending_count, pending_capacity;
};

// Receives HELLO, checks version and fingerprint, maps the control region. On failure returns a negative number and a
// sentence in `why`; the shim has been told.
int tsb_connection_connect(struct tsb_connection* connection, int channel, uint64_t fingerprint, char* why,
                           size_t why_bytes);
// Tells the shim that its HELLO is accepted. 0 or -errno.
int tsb_connection_accept(struct tsb_connection* connection);
// Replies to a call of the shim; the payload is JSON text. 0 or -errno.
int tsb_connection_reply(struct tsb_connection* connection, uint32_t method, uint32_t call, const char* payload,
                         uint64_t payload_bytes);
// Makes a call of the shim, whose reply comes as a frame. 0 or -errno; -EMSGSIZE: more than a call may hold.
int tsb_connection_call(struct tsb_connection* connection, uint32_t method, uint32_t call, const char* payload,
                        uint64_t payload_bytes);
// Ends this process and its children as soon as the shim's process is gone, whatever JavaScript does meanwhile.
int tsb_connection_watch_server(struct tsb_connection* connection);
// The server is gone. Whichever thread sees it first must take the model's children along.
_Noreturn void tsb_connection_end_with_server(void);
// Takes a REGION notice. 0 or negative.
int tsb_connection_adopt(struct tsb_connection* connection, struct tsb_message* message);
// How many entries the shim has consumed, ever; frees the blocks behind them. 0, or -EPROTO.
int tsb_connection_consumed(struct tsb_connection* connection, uint64_t* head);
// -ENOMEM: the cap does not allow it.
int tsb_connection_alloc_now(struct tsb_connection* connection, uint64_t bytes, struct tsb_block* block);
// The same, after a while of waiting for what the shim is just reading.
int tsb_connection_alloc(struct tsb_connection* connection, uint64_t bytes, struct tsb_block* block);
// Frees a block after the shim has consumed all entries written so far. 0 or -ENOMEM.
int tsb_connection_free_later(struct tsb_connection* connection, uint32_t region, uint64_t offset, uint64_t bytes);
// Writes entries, stamped with the time, waiting for room when the ring is full, and publishes them. 0 or -EPROTO.
int tsb_connection_write(struct tsb_connection* connection, struct tsb_entry* entries, uint32_t count);

#endif
