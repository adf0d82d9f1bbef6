// SPDX-License-Identifier: Apache-2.0
#include "mapping.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

// From Linux's include/uapi/linux/fs.h, which the headers of a build machine may be too old to have.
struct mapping__query {
  uint64_t size;
  uint64_t flags;
  uint64_t address;
  uint64_t start, end;
  uint64_t vma_flags;
  uint64_t page_size;
  uint64_t offset;
  uint64_t inode;
  uint32_t device_major, device_minor;
  uint32_t name_bytes;
  uint32_t build_id_bytes;
  uint64_t name;
  uint64_t build_id;
};
static_assert(sizeof(struct mapping__query) == 104, "struct procmap_query, first version");
#define MAPPING__QUERY _IOWR('f', 17, struct mapping__query)
enum { MAPPING__READABLE = 0x01, MAPPING__SHARED = 0x08, MAPPING__OF_FILE = 0x20 };
// The server maps a region that a client registers by its name here.
static const char MAPPING__FOLDER[] = "/dev/shm/";
enum { MAX_NAME_BYTES = 512 };

int tsb_mapping_open_maps(void) {
  int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
  return fd < 0 ? -errno : fd;
}

static int mapping__ask(int maps_fd, struct mapping__query* query, const void* data, char* name, uint32_t name_bytes) {
  *query = (struct mapping__query){.size = sizeof *query,
                                   .flags = MAPPING__OF_FILE | MAPPING__SHARED | MAPPING__READABLE,
                                   .address = (uint64_t)(uintptr_t)data,
                                   .name = (uint64_t)(uintptr_t)name,
                                   .name_bytes = name_bytes};
  return ioctl(maps_fd, MAPPING__QUERY, query) == 0 ? 0 : -errno;
}

int tsb_mapping_find(int maps_fd, struct tsb_mapping* mapping, const void* data, uint64_t bytes) {
  struct mapping__query query;
  int status = mapping__ask(maps_fd, &query, data, NULL, 0);
  if (status < 0) return status;
  uint64_t address = (uint64_t)(uintptr_t)data;
  if (address < query.start || address >= query.end || bytes > query.end - address) return -ENOENT;
  *mapping = (struct tsb_mapping){.device = makedev(query.device_major, query.device_minor),
                                  .inode = query.inode,
                                  .offset = query.offset + (address - query.start),
                                  .end = query.offset + (query.end - query.start)};
  return 0;
}

// A path may lead to another file by now.
static int mapping__open(const char* path, int flags, const struct tsb_mapping* mapping, uint64_t* bytes) {
  struct stat info;
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | flags);
  if (fd < 0) return -errno;
  if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode) || (uint64_t)info.st_dev != mapping->device ||
      (uint64_t)info.st_ino != mapping->inode) {
    close(fd);
    return -ENOENT;
  }
  *bytes = (uint64_t)info.st_size;
  return fd;
}

int tsb_mapping_open(int maps_fd, const struct tsb_mapping* mapping, const void* data, uint64_t* bytes) {
  struct mapping__query query;
  char path[MAX_NAME_BYTES] = "";
  int status = mapping__ask(maps_fd, &query, data, path, sizeof path);
  if (status < 0) return status;
  if (strncmp(path, MAPPING__FOLDER, sizeof MAPPING__FOLDER - 1) != 0) return -EXDEV;
  int fd = mapping__open(path, O_NOFOLLOW, mapping, bytes);
  if (fd >= 0) return fd;
  // Its name is gone, or another file's. Through the mapping itself only an administrator of the machine gets at it.
  snprintf(path, sizeof path, "/proc/self/map_files/%llx-%llx", (unsigned long long)query.start,
           (unsigned long long)query.end);
  int unnamed = mapping__open(path, 0, mapping, bytes);
  return unnamed >= 0 ? unnamed : fd;
}
