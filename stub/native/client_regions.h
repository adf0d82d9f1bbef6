// SPDX-License-Identifier: Apache-2.0
// Files of clients (TSB_REGION_OF_CLIENT) as this process maps them: for reading, with nothing that a model does to
// them reaching the client, and nothing that the client does to them ending this process.
//
//   the model writes into an input   the region becomes writable, its changed pages private (SIGSEGV, once); whenever
//   no batch is
//                                    executed the changes are dropped, and the shim copies inputs from then on
//   the client cuts its file short   what is missing reads as zero (SIGBUS), and requests that use the region fail
#ifndef TSB_CLIENT_REGIONS_H
#define TSB_CLIENT_REGIONS_H

#include <stdbool.h>

#include "connection.h"

// Twice what the shim lends at once: JavaScript is told of forgotten ones a little later.
enum { TSB_MAX_CLIENT_REGIONS = 128 };

// Indices of tsb_client_regions_flags. Each stays once it has happened; JavaScript looks at one word and goes on.
enum { TSB_CLIENT_WRITTEN, TSB_CLIENT_LOST, TSB_CLIENT_FLAG_COUNT };

// Takes a CLIENT_REGION notice. 0 or negative.
int tsb_client_regions_adopt(struct tsb_connection* connection, struct tsb_message* message);
// Lets go of a region. A thread that still looks at it, for a model that goes on after its answer, finds zeros; if
// somebody holds on to it for good, for good. An unknown id is none of ours and is left alone.
void tsb_client_regions_forget(struct tsb_connection* connection, uint32_t id, bool is_held);
// Somebody else is about to handle the signals: regions become writable at once, and no input is lent from here on.
void tsb_client_regions_unguard(struct tsb_connection* connection);
// Drops what the model wrote into clients' regions.
void tsb_client_regions_restore(void);
// Whether the client cut the file of this region short.
bool tsb_client_regions_is_lost(uint32_t id);
// uint32_t flags[TSB_CLIENT_FLAG_COUNT]; valid for ever.
uint32_t* tsb_client_regions_flags(void);

#endif
