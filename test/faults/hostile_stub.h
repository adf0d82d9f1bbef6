// SPDX-License-Identifier: Apache-2.0
// What the files of the fake stub have in common.
#ifndef HOSTILE_STUB_H
#define HOSTILE_STUB_H

#include <stdbool.h>
#include <sys/types.h>

#include "connection.h"

enum { CHANNEL = 3 };

extern struct tsb_connection connection_;

// Whether this process does the evil called `name`, or one whose name begins so.
bool is(const char* name);
bool begins(const char* start);
// From now on it does none.
void be_honest(void);

// --- hostile_answers.c
const struct tsb_request* requests_of(const struct tsb_entry* entry, uint32_t* count);
// Writes the record that echoes the first input of a request. `data` is a copy of the input, of 0 bytes if there is
// none; `index` is the request's in its batch.
struct tsb_place echo_record(const struct tsb_request* request, const struct tsb_place* data, uint32_t index);
void answer_batch(const struct tsb_entry* entry);
// Two batches at once: the model writes into the first input of the one, and only then looks at all others.
void write_into_an_input(const struct tsb_entry* entry);
// Takes a random time where FAKE_STUB_JITTER is set.
void jitter(void);

// --- hostile_channel.c
void send_frame(uint32_t method, uint32_t flags, uint32_t call, const char* payload);
void send_bytes(const void* bytes, size_t count);
void send_garbage(void);
void evil_channel(void);

// --- hostile_descriptors.c
void evil_descriptors(void);

// --- hostile_memory.c
// A file of so many bytes; -1 announces a region without one.
int make_file(off_t bytes, int seals);
void announce(uint32_t id, int fd);
void evil_regions(void);
void evil_rings(void);

// --- hostile_process.c
// For ever, but not longer than the host lives: a test that fails must not leave this process behind.
void hang(void);
// Makes every descriptor that the server may write to block it, once it is told that this process sleeps, and never
// comes back.
void block_the_server(void);
void evil_process(void);

// --- hostile_log.c
void evil_log_at_start(void);
void evil_log_in_batch(void);

// --- hostile_ready.c
const char* ready_initialize_reply(void);
void ready_check(const struct tsb_frame* frame);
void ready_batch(void);

// --- hostile_streams.c
// Whether requests are answered as by a decoupled model: FAKE_STUB_STREAMS is the number of responses for each.
bool streams(void);
void stream_batch(const struct tsb_entry* batch);
// Nobody waits for a request any more.
void stream_cancel(const struct tsb_entry* cancel);

// --- hostile_calls.c
// Whether requests are answered with what the model that FAKE_STUB_CALLS names says.
bool makes_calls(void);
void call_for_batch(const struct tsb_entry* batch);
void call_response(const struct tsb_entry* entry);

// --- hostile_metrics.c
// Whether the stub has metrics, which it changes before it answers a batch: FAKE_STUB_METRICS is set.
bool has_metrics(void);
void use_metrics(void);

// --- hostile_shim_calls.c
void evil_shim_calls(void);
// Asks for loads of the model "slow", each by a call of its own.
void send_loads(uint32_t count);
void shim_call_replied(const struct tsb_message* message);

#endif
