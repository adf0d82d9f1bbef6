// SPDX-License-Identifier: Apache-2.0
#include "fake_client.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fake_host.h"
#include "mapping.h"

static void need(bool done, const char* what) {
  if (done) return;
  perror(what);
  abort();
}

void fake_client_open(struct fake_client* client, const char* label, uint64_t bytes) {
  *client = (struct fake_client){.bytes = bytes};
  snprintf(client->name, sizeof client->name, "/fake_client_%d_%s", (int)getpid(), label);
  client->fd = shm_open(client->name, O_RDWR | O_CREAT | O_EXCL, 0600);
  need(client->fd >= 0, client->name);
  need(ftruncate(client->fd, (off_t)bytes) == 0, "ftruncate");
  client->base = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, client->fd, 0);
  need(client->base != MAP_FAILED, "mmap");
}

void fake_client_close(struct fake_client* client) {
  shm_unlink(client->name);
  munmap(client->base, client->bytes);
  close(client->fd);
  *client = (struct fake_client){.fd = -1};
}

bool fake_client_is_lendable(void) {
  struct fake_client client;
  struct tsb_mapping mapping;
  fake_client_open(&client, "query", 4096);
  int maps_fd = tsb_mapping_open_maps();
  bool found = maps_fd >= 0 && tsb_mapping_find(maps_fd, &mapping, client.base, 1) == 0;
  if (maps_fd >= 0) close(maps_fd);
  fake_client_close(&client);
  return found;
}

int fake_client_mappings(const struct fake_client* client) {
  int pids[16], count = 0;
  int children = fake_children(pids, 16);
  for (int i = 0; i < children; i++) {
    char path[64], line[512];
    bool mapped = false;
    snprintf(path, sizeof path, "/proc/%d/maps", pids[i]);
    FILE* maps = fopen(path, "r");
    while (maps != NULL && fgets(line, sizeof line, maps) != NULL)
      mapped = mapped || strstr(line, client->name) != NULL;
    if (maps != NULL) fclose(maps);
    if (mapped) count++;
  }
  return count;
}

bool fake_client_wait(const struct fake_client* client, int count, int timeout_ms) {
  for (int waited = 0; fake_client_mappings(client) != count; waited += 5) {
    if (waited > timeout_ms) return false;
    usleep(5000);
  }
  return true;
}
