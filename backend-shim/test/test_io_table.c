// SPDX-License-Identifier: Apache-2.0
#include "io_table.h"

#include <errno.h>

#include "check.h"
#include "dtype.h"
#include "triton_api.h"

static int read_table(struct tsb_io_table* table, const char* text) {
  struct tsb_json_document document;
  CHECK(tsb_json_parse(&document, text, strlen(text)));
  int status = tsb_io_table_read(table, document.root, "input");
  tsb_json_free(&document);
  return status;
}

static void test_reading(void) {
  struct tsb_io_table table;
  struct tsb_text names = {0};
  CHECK_INT(read_table(&table,
                       "{\"input\":[{\"name\":\"A\",\"data_type\":\"TYPE_FP32\",\"dims\":[-1,\"16\"]},"
                       "{\"name\":\"B\\\"\",\"data_type\":\"TYPE_STRING\",\"dims\":[1],"
                       "\"reshape\":{\"shape\":[]}}]}"),
            0);
  CHECK_INT(table.count, 2);
  CHECK_INT(table.items[0].datatype, TRITONSERVER_TYPE_FP32);
  CHECK_INT(table.items[0].dims_count, 2);
  CHECK_INT(table.items[0].dims[0], -1);
  CHECK_INT(table.items[0].dims[1], 16);
  CHECK_INT(table.items[1].dims_count, 0);  // the model sees the reshaped tensor
  CHECK(table.items[1].has_reshape && !table.items[0].has_reshape);
  CHECK_INT(tsb_io_table_index(&table, "A"), 0);
  CHECK_INT(tsb_io_table_index(&table, "B\""), 1);
  CHECK_INT(tsb_io_table_index(&table, "START"), TSB_NAME_INLINE);
  tsb_io_table_json_names(&table, &names);
  CHECK_TEXT(tsb_text_get(&names), "[\"A\",\"B\\\"\"]");
  tsb_text_free(&names);
  tsb_io_table_free(&table);
  CHECK_INT(table.count, 0);
}

static void test_nothing_to_read(void) {
  static const char* const TEXTS[] = {"{}", "{\"input\":[]}", "{\"input\":{}}", "{\"input\":null}", "[]"};
  for (size_t i = 0; i < sizeof TEXTS / sizeof TEXTS[0]; i++) {
    struct tsb_io_table table;
    CHECK_INT(read_table(&table, TEXTS[i]), 0);
    CHECK_INT(table.count, 0);
    tsb_io_table_free(&table);
  }
}

static void test_dimensions_are_bounded(void) {
  for (int count = TSB_MAX_DIMS - 2; count <= 2 * (int)TSB_MAX_DIMS; count++) {
    struct tsb_io_table table;
    struct tsb_text text = {0};
    tsb_text_printf(&text, "{\"input\":[{\"name\":\"A\",\"dims\":[1");
    for (int i = 1; i < count; i++) tsb_text_printf(&text, ",1");
    tsb_text_printf(&text, "]}]}");
    CHECK_INT(read_table(&table, text.bytes), count < (int)TSB_MAX_DIMS ? 0 : -EINVAL);
    tsb_io_table_free(&table);
    tsb_text_free(&text);
  }
}

int main(void) {
  test_reading();
  test_nothing_to_read();
  test_dimensions_are_bounded();
  return 0;
}
