// SPDX-License-Identifier: Apache-2.0
// Files of a model that is to be loaded, which lie in the memory of the stub that sends them. They are read there: the
// stub may change their bytes meanwhile, and its own model is what it spoils.
#ifndef TSB_LOAD_FILES_H
#define TSB_LOAD_FILES_H

#include "stub.h"

struct tsb_load_file {
  char* parameter;  // "file:1/model.ts", as the server wants it
  const uint8_t* data;
  uint64_t bytes;
};

struct tsb_load_files {
  struct tsb_stub* stub;  // keeps its memory while there are files
  struct tsb_load_file* files;
  uint32_t count;
};

// Takes the list that stands in a call of the stub; `list` may be NULL. After an error there is nothing to free.
TRITONSERVER_Error* tsb_load_files_read(struct tsb_load_files* files, struct tsb_stub* stub,
                                        const struct tsb_json* list);
void tsb_load_files_free(struct tsb_load_files* files);

#endif
