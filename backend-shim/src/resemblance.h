// SPDX-License-Identifier: Apache-2.0
// Whether a name is most likely a misspelling of another one.
#ifndef TSB_RESEMBLANCE_H
#define TSB_RESEMBLANCE_H

#include <stdbool.h>

// Only letters and digits count, in any case. Most of the front of a long name resembles it, too: HEAP_LIMIT.
bool tsb_resembles(const char* given, const char* known);

#endif
