// SPDX-License-Identifier: Apache-2.0
// A client's shared memory as a server has it after its registration: a POSIX shared memory object, mapped here by its
// name. An input that lies in it can be lent to a stub instead of being copied.
#ifndef FAKE_CLIENT_H
#define FAKE_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

struct fake_client {
  char name[64];
  int fd;
  uint64_t bytes;
  uint8_t* base;
};

// Ends the process when the system refuses. `label` keeps apart the regions that one process has at the same time.
void fake_client_open(struct fake_client* client, const char* label, uint64_t bytes);
void fake_client_close(struct fake_client* client);
// Whether this system can tell what is mapped (Linux 6.11): if not, nothing is ever lent.
bool fake_client_is_lendable(void);
// How many of the child processes have the region mapped.
int fake_client_mappings(const struct fake_client* client);
// Waits until exactly `count` of them have. False: not within the time.
bool fake_client_wait(const struct fake_client* client, int count, int timeout_ms);

#endif
