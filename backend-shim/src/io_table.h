// SPDX-License-Identifier: Apache-2.0
// The inputs or outputs of a model's configuration; an index in such a table stands for the name in the protocol.
#ifndef TSB_IO_TABLE_H
#define TSB_IO_TABLE_H

#include "json.h"
#include "text.h"
#include "tsb_protocol.h"

struct tsb_io {
  char* name;
  uint32_t datatype;
  uint32_t dims_count;         // without the batch dimension; as the model sees them (reshape applied)
  int64_t dims[TSB_MAX_DIMS];  // -1: any
  bool has_reshape;
};

struct tsb_io_table {
  struct tsb_io* items;
  uint32_t count;
};

// Reads config["input"] or config["output"]. 0 or -ENOMEM, -EINVAL (too many dimensions).
int tsb_io_table_read(struct tsb_io_table* table, const struct tsb_json* config, const char* key);
// TSB_NAME_INLINE when the name is not there (sequence controls, for instance).
uint32_t tsb_io_table_index(const struct tsb_io_table* table, const char* name);
void tsb_io_table_json_names(const struct tsb_io_table* table, struct tsb_text* text);
void tsb_io_table_free(struct tsb_io_table* table);

#endif
