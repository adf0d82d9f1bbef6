// SPDX-License-Identifier: Apache-2.0
// Names of files and folders, as the server gave them.
#ifndef TSB_PATH_H
#define TSB_PATH_H

#include <stdbool.h>

// The same place as a name that holds from any working directory, without "." and "..". Links stay what they are
// called; only what stands before a ".." is resolved, since nothing else says what is above a link. The caller frees
// it; NULL: no memory. A name that cannot be resolved is given back as it is.
char* tsb_path_absolute(const char* path);

// Whether the resolved name leads to the same folder. It does not behind /proc/PID/root: to the one who resolves it,
// that link says "/", which is another folder here.
bool tsb_path_is_resolvable(const char* path);

#endif
