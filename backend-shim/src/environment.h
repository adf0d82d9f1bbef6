// SPDX-License-Identifier: Apache-2.0
// What a stub gets of the server's environment: what programs need to run, and what was asked for. The rest may hold
// secrets.
#ifndef TSB_ENVIRONMENT_H
#define TSB_ENVIRONMENT_H

#include <stdbool.h>
#include <stddef.h>

// `asked`: names that are given besides, separated by commas or blanks; a "*" at the end of one stands for any end.
// NULL: none. `visible_devices`: the value of CUDA_VISIBLE_DEVICES, NULL: the server's. The result is one block, whose
// texts are the server's; the caller frees it. NULL: no memory.
char** tsb_environment_new(const char* asked, const char* visible_devices);

// Whether a text is such a list: no "=", and a "*" only at an end.
bool tsb_environment_is_list(const char* asked);
// The first entry of such a list that another list does not have, nor has as a part of what a "*" stands for there. Its
// length is in *length; NULL: there is none.
const char* tsb_environment_find_other(const char* asked, const char* allowed, size_t* length);

#endif
