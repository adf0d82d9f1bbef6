// SPDX-License-Identifier: Apache-2.0
#include "io_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dtype.h"

static int io_table__read_item(struct tsb_io* io, const struct tsb_json* item) {
  io->name = strdup(tsb_json_string(tsb_json_member(item, "name"), ""));
  if (io->name == NULL) return -ENOMEM;
  io->datatype = tsb_dtype_from_config(tsb_json_string(tsb_json_member(item, "data_type"), ""));
  const struct tsb_json* reshape = tsb_json_member(item, "reshape");
  const struct tsb_json* dims = tsb_json_member(item, "dims");
  io->has_reshape = reshape != NULL && reshape->type == TSB_JSON_OBJECT;
  if (io->has_reshape) dims = tsb_json_member(reshape, "shape");
  if (dims == NULL) return 0;
  for (const struct tsb_json* dim = dims->first; dim != NULL; dim = dim->next) {
    if (io->dims_count + 1 >= TSB_MAX_DIMS) return -EINVAL;  // one is left for the batch
    io->dims[io->dims_count++] = tsb_json_int(dim, -1);
  }
  return 0;
}

int tsb_io_table_read(struct tsb_io_table* table, const struct tsb_json* config, const char* key) {
  uint32_t count = 0;
  *table = (struct tsb_io_table){0};
  const struct tsb_json* list = tsb_json_member(config, key);
  if (list == NULL || list->type != TSB_JSON_ARRAY) return 0;
  for (const struct tsb_json* item = list->first; item != NULL; item = item->next) count++;
  if (count == 0) return 0;
  table->items = calloc(count, sizeof *table->items);
  if (table->items == NULL) return -ENOMEM;
  for (const struct tsb_json* item = list->first; item != NULL; item = item->next) {
    int status = io_table__read_item(&table->items[table->count++], item);
    if (status < 0) {
      tsb_io_table_free(table);
      return status;
    }
  }
  return 0;
}

uint32_t tsb_io_table_index(const struct tsb_io_table* table, const char* name) {
  for (uint32_t i = 0; i < table->count; i++) {
    if (strcmp(table->items[i].name, name) == 0) return i;
  }
  return TSB_NAME_INLINE;
}

void tsb_io_table_json_names(const struct tsb_io_table* table, struct tsb_text* text) {
  tsb_text_add(text, "[", 1);
  for (uint32_t i = 0; i < table->count; i++) {
    if (i > 0) tsb_text_add(text, ",", 1);
    tsb_text_json_string(text, table->items[i].name);
  }
  tsb_text_add(text, "]", 1);
}

void tsb_io_table_free(struct tsb_io_table* table) {
  for (uint32_t i = 0; i < table->count; i++) free(table->items[i].name);
  free(table->items);
  *table = (struct tsb_io_table){0};
}
