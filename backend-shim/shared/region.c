// SPDX-License-Identifier: Apache-2.0
#include "region.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "discard.h"

static int region__map(struct tsb_region* region) {
  void* base = mmap(NULL, region->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, region->fd, 0);
  if (base == MAP_FAILED) return -errno;
  region->base = base;
  return 0;
}

int tsb_region_create(struct tsb_region* region, uint32_t id, uint64_t bytes) {
  int status;
  uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
  *region = (struct tsb_region){.id = id, .fd = -1, .bytes = (bytes + page - 1) & ~(page - 1)};
  region->fd = memfd_create("triton-typescript", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (region->fd < 0) return -errno;
  if (ftruncate(region->fd, (off_t)region->bytes) != 0) goto err;
  if (fcntl(region->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) goto err;
  status = region__map(region);
  if (status == 0) return 0;
  errno = -status;
err:
  status = -errno;
  close(region->fd);
  region->fd = -1;
  return status;
}

int tsb_region_adopt(struct tsb_region* region, uint32_t id, int fd, uint64_t max_bytes) {
  struct stat info;
  struct statfs system;
  int status;
  *region = (struct tsb_region){.id = id, .fd = fd};
  // A file that its maker can still cut short would raise SIGBUS in whoever reads the missing part.
  int seals = fcntl(fd, F_GET_SEALS);
  if (seals < 0 || (seals & (F_SEAL_SHRINK | F_SEAL_SEAL)) != (F_SEAL_SHRINK | F_SEAL_SEAL)) {
    status = -EPROTO;
    goto err;
  }
  // Huge pages can run out after they were mapped, which raises SIGBUS, too.
  if (fstat(fd, &info) != 0 || fstatfs(fd, &system) != 0) {
    status = -errno;
    goto err;
  }
  if (system.f_type != TMPFS_MAGIC) {
    status = -EPROTO;
    goto err;
  }
  if (info.st_size <= 0 || (uint64_t)info.st_size > max_bytes) {
    status = -E2BIG;
    goto err;
  }
  region->bytes = (uint64_t)info.st_size;
  status = region__map(region);
  if (status == 0) return 0;
err:
  tsb_discard(fd);
  region->fd = -1;
  return status;
}

void tsb_region_close(struct tsb_region* region) {
  if (region->base != NULL) munmap(region->base, region->bytes);
  if (region->fd >= 0) close(region->fd);
  region->base = NULL;
  region->fd = -1;
}

int tsb_region_discard(const struct tsb_region* region, uint64_t offset, uint64_t bytes) {
  int mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
  return fallocate(region->fd, mode, (off_t)offset, (off_t)bytes) == 0 ? 0 : -errno;
}

struct tsb_region* tsb_region_find(struct tsb_region_table* table, uint32_t id) {
  for (uint32_t i = 0; i < table->count; i++) {
    if (table->regions[i].id == id) return &table->regions[i];
  }
  return NULL;
}

int tsb_region_add(struct tsb_region_table* table, const struct tsb_region* region) {
  if (tsb_region_find(table, region->id) != NULL) return -EEXIST;
  if (table->count == TSB_MAX_REGIONS) return -ENOSPC;
  table->regions[table->count++] = *region;
  table->bytes += region->bytes;
  return 0;
}

void tsb_region_remove(struct tsb_region_table* table, struct tsb_region* region) {
  table->bytes -= region->bytes;
  tsb_region_close(region);
  *region = table->regions[--table->count];
}

void tsb_region_close_all(struct tsb_region_table* table) {
  for (uint32_t i = 0; i < table->count; i++) tsb_region_close(&table->regions[i]);
  table->count = 0;
  table->bytes = 0;
}

uint8_t* tsb_region_resolve(struct tsb_region_table* table, const struct tsb_place* place) {
  const struct tsb_region* region = tsb_region_find(table, place->region);
  if (region == NULL || region->base == NULL) return NULL;
  if (place->offset > region->bytes || place->bytes > region->bytes - place->offset) return NULL;
  return region->base + place->offset;
}
