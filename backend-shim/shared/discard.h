// SPDX-License-Identifier: Apache-2.0
// Closing a descriptor that the other process sent and nobody asked for.
#ifndef TSB_DISCARD_H
#define TSB_DISCARD_H

// Closes it without waiting for it: the close of a socket may linger, and that of a file asks its file system. Memory
// is closed at once, all else on a thread of its own, which may outlive all that belongs to the other process.
void tsb_discard(int fd);

#endif
