// SPDX-License-Identifier: Apache-2.0
#include "text.h"

#include "check.h"
#include "json.h"

static void test_growing(void) {
  struct tsb_text text = {0};
  CHECK_TEXT(tsb_text_get(&text), "");
  for (int i = 0; i < 10000; i++) tsb_text_printf(&text, "%d,", i % 10);
  tsb_text_add(&text, "end", 3);
  CHECK_INT(text.length, 20003);
  CHECK_INT(strlen(text.bytes), text.length);
  CHECK_TEXT(text.bytes + 19990, "5,6,7,8,9,end");
  tsb_text_free(&text);
  CHECK(text.bytes == NULL);
}

static void test_json_strings_read_back(void) {
  static const char value[] = "quote \" backslash \\ newline \n tab \t bell \x01 \xc3\xa4 \xf0\x9f\x98\x80 end";
  struct tsb_text text = {0};
  struct tsb_json_document document;
  tsb_text_json_string(&text, value);
  CHECK_CONTAINS(tsb_text_get(&text), "\\u000a");
  CHECK(tsb_json_parse(&document, text.bytes, text.length));
  CHECK_TEXT(tsb_json_string(document.root, ""), value);
  tsb_json_free(&document);
  tsb_text_free(&text);
}

static void test_running_out_of_memory_is_remembered(void) {
  struct tsb_text text = {0};
  tsb_text_add(&text, "abc", 3);
  tsb_text_add(&text, "abc", SIZE_MAX / 2);  // more than any memory: nothing is copied
  CHECK(text.failed);
  tsb_text_add(&text, "d", 1);
  tsb_text_printf(&text, "%d", 5);
  CHECK_TEXT(tsb_text_get(&text), "");
  tsb_text_free(&text);
}

int main(void) {
  test_growing();
  test_json_strings_read_back();
  test_running_out_of_memory_is_remembered();
  return 0;
}
