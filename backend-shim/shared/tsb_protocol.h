// SPDX-License-Identifier: Apache-2.0
// THE contract between the shim (in tritonserver) and a stub (a Node process). Nothing else may stand here.
//
// Allowed: fixed-width integers, arrays of them, named reserved fields (ignored when read).
// Not allowed: pointers, bool, enum fields, size_t, bit-fields, locks. Little-endian, 8-byte alignment.
// A place in memory is {region id, offset, length}; an owner is {table index, generation}.
// docs/protocol.md tells how the pieces work together; numbers stand only here and in the two .def lists.
#ifndef TSB_PROTOCOL_H
#define TSB_PROTOCOL_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#define TSB_PROTOCOL_MAGIC 0x31425354u  // "TSB1"
#define TSB_PROTOCOL_VERSION 1u

#define TSB_RING_CAPACITY 1024u            // entries in each ring, a power of two
#define TSB_MAX_REGIONS 256u               // regions of one stub, both directions together
#define TSB_MAX_DIMS 32u                   // dimensions of one tensor
#define TSB_MAX_MESSAGE_BYTES 65536u       // text of one error that reaches a client
#define TSB_MAX_RECORD_BYTES (1u << 20)    // one response record (not its tensors' data)
#define TSB_MAX_CONTROL_BYTES (64u << 20)  // payload of one control frame
#define TSB_DATA_ALIGNMENT 64u             // of every tensor's data, bytes

// --- Rings ---------------------------------------------------------------------------------------------------
//
//   producer writes `tail`, consumer writes `head` and `consumer_sleeps`; entries [head, tail) are the consumer's:
//
//        head                 tail
//   ...   | e | e | e | e | e |  free ...        position & (capacity - 1) is the index
//
// The two processes never write the same cache line.
struct tsb_ring_shared {
  uint64_t tail;  // entries ever published; written by the producer (release), read by the consumer
  uint8_t reserved0[56];
  uint64_t head;  // entries ever consumed; written by the consumer (release), read by the producer.
                  // What an entry points at belongs to its producer again once head has passed it.
  // 0: awake; else it needs a write to an eventfd, see TSB_SLEEP_WAKER; written by the consumer only
  uint64_t consumer_sleeps;
  uint8_t reserved1[48];
};
static_assert(sizeof(struct tsb_ring_shared) == 128, "ring header size");
static_assert(offsetof(struct tsb_ring_shared, head) == 64, "the consumer's words have their own cache line");

// consumer_sleeps: the low bits are the number of the eventfd, from 1; the others change with each sleep, so that a
// producer knows for which one it has written already.
#define TSB_SLEEP_WAKER UINT64_C(0xff)

struct tsb_place {
  uint32_t region;  // id of a region announced before; 0 (the control region) never holds tensors
  uint32_t reserved;
  uint64_t offset;  // bytes from the start of the region
  uint64_t bytes;   // 0: nothing there, region and offset mean nothing
};
static_assert(sizeof(struct tsb_place) == 24, "place size");

// Kinds of entries. To the stub: EXECUTE. To the shim: RESPONSE.
#define TSB_ENTRY_EXECUTE 1u   // place = struct tsb_batch; the block is the shim's again when all requests are answered
#define TSB_ENTRY_RESPONSE 2u  // place = struct tsb_response for request `request` of batch `batch`

#define TSB_RESPONSE_FINAL 1u  // entry.flags of RESPONSE: no more responses for this request
#define TSB_EXECUTE_CALM \
  1u  // entry.flags of EXECUTE: few requests at a time, so that it pays to wait for the next one awake

struct tsb_entry {
  uint32_t kind;        // TSB_ENTRY_*
  uint32_t flags;       // by kind
  uint32_t batch;       // index in the shim's table of batches in flight
  uint32_t generation;  // of that index; an answer with an old generation is refused
  uint32_t request;     // index in the batch; 0 for EXECUTE
  uint32_t reserved0;
  struct tsb_place place;
  uint64_t sent_ns;  // CLOCK_MONOTONIC of RESPONSE: when the answer was written, from where on the model is free
  uint64_t reserved1;
};
static_assert(sizeof(struct tsb_entry) == 64, "entry size");
static_assert(offsetof(struct tsb_entry, place) == 24, "entry layout");

// --- Control region (region 0), made by the shim ----------------------------------------------------------------
struct tsb_control {
  uint32_t version;      // TSB_PROTOCOL_VERSION, written last with release order; 0 means not ready
  uint32_t magic;        // TSB_PROTOCOL_MAGIC
  uint64_t fingerprint;  // of the layout, see layout.c
  uint32_t ring_capacity;
  uint32_t reserved0;
  uint64_t max_bytes;      // cap of the stub's own (outbound) regions together; the shim has the same cap for its own
  uint64_t initial_bytes;  // size of the first region of an arena
  uint64_t growth_bytes;   // size of further regions, at least
  uint64_t warm_bytes;     // freed memory kept resident, per region
  uint64_t reserved1[1];
  // By the stub: 1 once the model wrote into an input that was a client's memory. A hint: the shim
  // then copies inputs, as a private page would hide what the client writes next.
  uint32_t inputs_written;
  // By the stub: grows when a client cut a region short. A hint: the shim then lends files under new ids,
  // so that one that is whole again is mapped again.
  uint32_t regions_lost;
  uint32_t reserved2[14];
  struct tsb_ring_shared to_stub;  // EXECUTE ...: the shim produces
  struct tsb_ring_shared to_shim;  // RESPONSE ...: the stub produces
  struct tsb_entry to_stub_entries[TSB_RING_CAPACITY];
  struct tsb_entry to_shim_entries[TSB_RING_CAPACITY];
};
static_assert(offsetof(struct tsb_control, inputs_written) == 64, "the stub's word has its own cache line");
static_assert(offsetof(struct tsb_control, to_stub) == 128, "rings are aligned to cache lines");
static_assert(sizeof(struct tsb_control) == 128 + 2 * 128 + 2 * 64 * TSB_RING_CAPACITY, "control size");

// --- Records: little-endian structs in a tensor region ------------------------------------------------------------
#define TSB_NAME_INLINE 0xffffffffu  // tsb_tensor.name: the name is not in the table, its text stands in the record

// A tensor's head, followed by int64_t dims[dims_count].
struct tsb_tensor {
  uint32_t name;         // index in the table of inputs (request) or outputs (response) sent with INITIALIZE
  uint32_t datatype;     // tsb_dtype.def
  uint32_t dims_count;   // <= TSB_MAX_DIMS
  uint32_t name_offset;  // with TSB_NAME_INLINE: bytes from the start of the request's record
  uint32_t name_bytes;
  uint32_t reserved;
  struct tsb_place place;  // the data; BYTES: u32 length + bytes for each element
};
static_assert(sizeof(struct tsb_tensor) == 48, "tensor size");

// A request or response parameter, followed by the key's and the value's text, padded together to 8 bytes.
#define TSB_PARAMETER_STRING 1u  // the value's text
#define TSB_PARAMETER_INT 2u     // value: int64_t
#define TSB_PARAMETER_BOOL 3u    // value: 0 or 1
#define TSB_PARAMETER_DOUBLE 4u  // value: the bits of a double
struct tsb_parameter {
  uint32_t type;
  uint32_t key_bytes;
  uint32_t value_bytes;  // 0 unless a string
  uint32_t reserved;
  uint64_t value;
};
static_assert(sizeof(struct tsb_parameter) == 24, "parameter size");

// One request; offsets are bytes from its own start. `inputs` (tsb_tensor + dims, one after the other) follow at once.
struct tsb_request {
  uint32_t record_bytes;    // the next request of the batch begins here; a multiple of 8
  uint32_t flags;           // TRITONSERVER_REQUEST_FLAG_*
  uint64_t correlation_id;  // 0 when none or when it is a string
  uint64_t timeout_us;      // 0 when none
  uint32_t id_offset;
  uint32_t id_bytes;
  uint32_t correlation_offset;  // the correlation id when it is a string
  uint32_t correlation_bytes;   // 0 when it is a number
  uint32_t parameters_offset;
  uint32_t parameter_count;
  uint32_t requested_offset;  // uint32_t indices of outputs
  uint32_t requested_count;
  uint32_t input_count;
  uint32_t reserved[3];
};
static_assert(sizeof(struct tsb_request) == 72, "request size");

// What an EXECUTE entry points at: this head, then the requests one after the other.
struct tsb_batch {
  uint32_t request_count;
  uint32_t reserved;
};
static_assert(sizeof(struct tsb_batch) == 8, "batch size");

// What a RESPONSE entry points at; offsets are bytes from its start. `outputs` (tsb_tensor + dims) follow at once.
struct tsb_response {
  uint32_t record_bytes;  // <= TSB_MAX_RECORD_BYTES
  uint32_t status;        // 0, or a number of tsb_status.def
  uint32_t message_offset;
  uint32_t message_bytes;
  uint32_t parameters_offset;
  uint32_t parameter_count;
  uint32_t output_count;  // 0 with an error
  uint32_t reserved;
};
static_assert(sizeof(struct tsb_response) == 32, "response size");

// --- Control channel: frames on a stream socket, for all that is rare ---------------------------------------------
// A frame is this head, then `payload_bytes` of JSON text. Descriptors travel beside the head (SCM_RIGHTS).
#define TSB_CONTROL_HELLO 1u        // to stub: control region, eventfd to the stub, both eventfds to the shim
#define TSB_CONTROL_HELLO_ACK 2u    // to shim: versions of Node and of the stub
#define TSB_CONTROL_REGION 3u       // both ways: a sealed memfd; region = id; its size is the descriptor's
#define TSB_CONTROL_LOAD 4u         // to stub: where the model is, its configuration, whether to auto-complete
#define TSB_CONTROL_LOADED 5u       // to shim: the completed configuration, or an error
#define TSB_CONTROL_INITIALIZE 6u   // to stub: the instance, tables of input and output names
#define TSB_CONTROL_INITIALIZED 7u  // to shim: nothing, or an error
#define TSB_CONTROL_FINALIZE 8u     // to stub: run finalize and leave
#define TSB_CONTROL_FINALIZED 9u    // to shim: nothing, or an error
#define TSB_CONTROL_REFUSED 10u     // to shim: the handshake failed, with the reason
#define TSB_CONTROL_CLIENT_REGION \
  11u  // to stub: a client's file, which may change its size; region = id; payload: bytes to map
#define TSB_CONTROL_FORGET_REGION \
  12u  // to stub: the client's region that no batch uses any more; its id is never used again
struct tsb_frame {
  uint32_t kind;
  uint32_t payload_bytes;  // <= TSB_MAX_CONTROL_BYTES
  uint32_t region;         // of REGION; ids with the top bit are the stub's, the others the shim's
  uint32_t descriptor_count;
};
static_assert(sizeof(struct tsb_frame) == 16, "frame size");

#define TSB_REGION_OF_STUB 0x80000000u  // this bit of a region's id says who made it and writes into it
// This one says that it is a client's: a file that the client registered with the server as system shared memory.
// Offsets are those of the file. The stub maps it privately and for reading only, and an answer may name a part of it
// only if that part is an input of the same request.
#define TSB_REGION_OF_CLIENT 0x40000000u

// --- The stub's process ---------------------------------------------------------------------------------------------
#define TSB_STUB_CHANNEL 3  // descriptor of the control channel in the stub
#define TSB_LOG_MARK 0x1e   // begins a line of its output that names its own level: one of I, W, E, V comes next

static_assert(sizeof(void*) == 8, "64-bit only");
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "little-endian only");

#endif
