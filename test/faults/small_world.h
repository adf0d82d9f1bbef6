// SPDX-License-Identifier: Apache-2.0
// One model on hostile stubs and a few requests for it: what the tests of streams and of calls have in common.
#ifndef SMALL_WORLD_H
#define SMALL_WORLD_H

#include "check.h"
#include "fake_host.h"
#include "instance_state.h"

enum { WORLD_REQUESTS = 4, WORLD_ELEMENTS = 64, WORLD_WAIT_MS = 60000 };

#define WORLD_IO                                                                                                      \
  "{\"name\":\"fake_model\",\"max_batch_size\":0,\"input\":[{\"name\":\"IN\","                                        \
  "\"data_type\":\"TYPE_FP32\",\"dims\":[-1]}],\"output\":[{\"name\":\"OUT\",\"data_type\":\"TYPE_FP32\",\"dims\":[-" \
  "1]}]"

extern struct fake_host world_host;
extern float world_data[WORLD_REQUESTS][WORLD_ELEMENTS];
extern TRITONBACKEND_Request world_requests[WORLD_REQUESTS];

// What the backend is told of its memory; to be set before the model is loaded.
extern const char* world_memory;

// Once, before all: as in the server, with the fake stub in Node's place. `name` is part of a file's name.
void world_prepare(const char* name);
void world_close(void);
// Loads the model; the first stub does the first of `evils`.
void world_start(const char* evils, const char* config);
// Unloads it, and nothing is left.
void world_end(void);
struct tsb_instance* world_instance(void);
// Hands over `count` requests from `first` on, as one batch.
void world_send(int first, int count);
void world_clear(void);
// The request is over: it ended once, nothing came afterwards, and it is counted once.
void world_expect_end(int index);
// It has the data that it was sent with in its first response.
void world_expect_echo(int index);
// Memory and slots are free again once all requests are over, which is a moment after the last one is released.
void world_expect_nothing_open(void);
// Whatever the stub does, the requests of one batch end, the log has `says`, and the next ones succeed.
void world_expect_recovery(const char* evil, const char* config, const char* says);

#endif
