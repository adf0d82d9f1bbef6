// SPDX-License-Identifier: Apache-2.0
// JSON text of the other process: what is read lies within the source, and what is read of a value is what is read of
// it alone.
#include "fuzz.h"
#include "payload.h"

enum { MAX_NODES_LOOKED_AT = 200 };

static unsigned looked_at;

static void check_alone(const struct tsb_json* node) {
  struct tsb_json_document document;
  CHECK(tsb_json_parse(&document, node->raw, node->raw_length));
  const struct tsb_json* root = document.root;
  CHECK_INT(root->type, node->type);
  CHECK_INT(root->raw_length, node->raw_length);
  CHECK_INT(root->boolean, node->boolean);
  CHECK_INT(root->string == NULL, node->string == NULL);
  if (node->string != NULL) CHECK_TEXT(root->string, node->string);
  CHECK_INT(tsb_json_length(root), tsb_json_length(node));
  tsb_json_free(&document);
}

// A text that was read is read again from how we write it.
static void check_written(const char* string) {
  struct tsb_text text = {0};
  struct tsb_json_document document;
  tsb_text_json_string(&text, string);
  CHECK(tsb_json_parse(&document, tsb_text_get(&text), text.length));
  CHECK_TEXT(tsb_json_string(document.root, NULL), string);
  tsb_json_free(&document);
  tsb_text_free(&text);
}

static void look(const struct tsb_json* node, const char* source, size_t size, unsigned depth) {
  CHECK(depth <= 129);
  CHECK(node->raw >= source && node->raw_length > 0 && node->raw + node->raw_length <= source + size);
  CHECK_INT(node->string != NULL, node->type == TSB_JSON_STRING || node->type == TSB_JSON_NUMBER);
  CHECK(node->first == NULL || node->type == TSB_JSON_ARRAY || node->type == TSB_JSON_OBJECT);
  if (node->string != NULL) CHECK(strlen(node->string) <= node->raw_length);
  tsb_json_int(node, 0);
  if (looked_at++ < MAX_NODES_LOOKED_AT) {
    check_alone(node);
    if (node->type == TSB_JSON_STRING) check_written(node->string);
  }
  for (const struct tsb_json* child = node->first; child != NULL; child = child->next) {
    CHECK_INT(child->key != NULL, node->type == TSB_JSON_OBJECT);
    if (child->key != NULL) CHECK(tsb_json_member(node, child->key) != NULL);
    look(child, node->raw, node->raw_length, depth + 1);
  }
}

static void read_reply(const uint8_t* data, size_t size) {
  struct tsb_message reply = {.frame.payload_bytes = (uint32_t)size, .payload = (char*)data};
  TRITONSERVER_ErrorDelete(tsb_payload_error(&reply, "no text"));
}

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  struct tsb_json_document document;
  if (tsb_json_parse(&document, (const char*)data, size)) {
    looked_at = 0;
    look(document.root, (const char*)data, size, 0);
    tsb_json_free(&document);
  }
  CHECK(document.memory == NULL);
  read_reply(data, size);
  return 0;
}

void fuzz_seeds(fuzz_take take) {
  static const char* const SEEDS[] = {
      "{\"error\":{\"code\":\"INVALID_ARG\",\"message\":\"It is wrong.\\nIn line 2: \\u00e9\\ud83d\\ude00\"}}",
      "{\"size\":8,\"input\":[{\"name\":\"A\",\"dims\":[\"-1\",3]}],\"none\":null,\"on\":true,\"off\":false}",
      "[[[[[[]]]],{}], -1.5e-7, 9223372036854775807, \"\\\"\\\\\\/\\b\\f\\n\\r\\t\"] ",
      "{}",
  };
  for (size_t i = 0; i < sizeof SEEDS / sizeof SEEDS[0]; i++) take(SEEDS[i], strlen(SEEDS[i]));
}
