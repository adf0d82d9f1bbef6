// SPDX-License-Identifier: Apache-2.0
// Where in this process's address space a file lies that another process can map, too. The kernel is asked each time,
// so that a mapping that is gone is never trusted: one ioctl, 0.2 microseconds (PROCMAP_QUERY, Linux 6.11 and newer).
#ifndef TSB_MAPPING_H
#define TSB_MAPPING_H

#include <stdint.h>

struct tsb_mapping {
  uint64_t device, inode;  // of the file
  uint64_t offset;         // of the first byte, in the file
  uint64_t end;            // of the mapping, in the file, which may be shorter
};

// A descriptor to ask with, for the functions below, or negative.
int tsb_mapping_open_maps(void);
// -ENOENT: the bytes do not lie in one shared mapping of a file; others: this system cannot tell. 0 or negative.
int tsb_mapping_find(int maps_fd, struct tsb_mapping* mapping, const void* data, uint64_t bytes);
// Opens the shared memory object (POSIX, /dev/shm) whose mapping holds `data`, for reading. `bytes` is its size. A
// descriptor or negative; -EXDEV: it lies elsewhere; -ENOENT: its name has been given to another file or removed, and
// this process may not open it without (that takes CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE, and no user namespace).
int tsb_mapping_open(int maps_fd, const struct tsb_mapping* mapping, const void* data, uint64_t* bytes);

#endif
