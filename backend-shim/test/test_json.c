// SPDX-License-Identifier: Apache-2.0
// The JSON reader: right trees, right refusals, and no harm from anything.
#include "json.h"

#include "check.h"

static bool parses(const char* text) {
  struct tsb_json_document document;
  bool good = tsb_json_parse(&document, text, strlen(text));
  if (good) tsb_json_free(&document);
  return good;
}

static void test_values(void) {
  static const char text[] =
      " {\"a\": [1, -2.5e3, true, false, null, \"x\\u00e4\\ud83d\\ude00\\n\"], \"b\" : {\"c\":{}}, \"n\":\"-42\"} ";
  struct tsb_json_document document;
  CHECK(tsb_json_parse(&document, text, sizeof text - 1));
  const struct tsb_json* a = tsb_json_member(document.root, "a");
  CHECK_INT(a->type, TSB_JSON_ARRAY);
  const struct tsb_json* item = a->first;
  CHECK_INT(tsb_json_int(item, 0), 1);
  item = item->next;
  CHECK_TEXT(item->string, "-2.5e3");
  item = item->next;
  CHECK(tsb_json_bool(item, false));
  item = item->next;
  CHECK(!tsb_json_bool(item, true));
  item = item->next;
  CHECK_INT(item->type, TSB_JSON_NULL);
  item = item->next;
  CHECK_TEXT(tsb_json_string(item, ""), "x\xc3\xa4\xf0\x9f\x98\x80\n");
  CHECK(item->next == NULL);
  const struct tsb_json* b = tsb_json_member(document.root, "b");
  CHECK_INT(b->raw_length, strlen("{\"c\":{}}"));
  CHECK_INT(strncmp(b->raw, "{\"c\":{}}", b->raw_length), 0);
  CHECK_INT(tsb_json_int(tsb_json_member(document.root, "n"), 0), -42);
  tsb_json_free(&document);
}

// An error's text may hold them, and must arrive.
static void test_what_a_text_cannot_hold_is_replaced(void) {
  static const char* const TEXTS[][2] = {
      {"\"a\\u0000b\"",
       "a\xef\xbf\xbd"
       "b"},
      {"\"\\ud800\"", "\xef\xbf\xbd"},
      {"\"\\ud800 x\"", "\xef\xbf\xbd x"},
      {"\"\\ud800\\u0041\"",
       "\xef\xbf\xbd"
       "A"},
      {"\"\\ud800\\n\"", "\xef\xbf\xbd\n"},
      {"\"\\udc00\\ud83d\\ude00\"", "\xef\xbf\xbd\xf0\x9f\x98\x80"},
      {"\"\\ud800\\ud83d\\ude00\"", "\xef\xbf\xbd\xf0\x9f\x98\x80"},
      {"\"\\ud800\\udc00\\udfff\"", "\xf0\x90\x80\x80\xef\xbf\xbd"},
  };
  for (size_t i = 0; i < sizeof TEXTS / sizeof TEXTS[0]; i++) {
    struct tsb_json_document document;
    if (!tsb_json_parse(&document, TEXTS[i][0], strlen(TEXTS[i][0]))) CHECK_FAIL("%s was refused", TEXTS[i][0]);
    CHECK_TEXT(tsb_json_string(document.root, ""), TEXTS[i][1]);
    tsb_json_free(&document);
  }
}

static void test_absent_things_have_an_answer(void) {
  struct tsb_json_document document;
  CHECK(tsb_json_parse(&document, "[\"x\"]", 5));
  CHECK(tsb_json_member(NULL, "a") == NULL);
  CHECK(tsb_json_member(document.root, "a") == NULL);
  CHECK_TEXT(tsb_json_string(NULL, "none"), "none");
  CHECK_TEXT(tsb_json_string(document.root, "none"), "none");
  CHECK(tsb_json_bool(NULL, true));
  CHECK_INT(tsb_json_int(NULL, 5), 5);
  CHECK_INT(tsb_json_int(document.root->first, 5), 5);
  tsb_json_free(&document);
}

static void test_what_is_not_json_is_refused(void) {
  static const char* const BAD[] = {
      "",
      " ",
      "{",
      "[",
      "[1",
      "[1,",
      "[1,]",
      "[,]",
      "{\"a\"}",
      "{\"a\":}",
      "{a:1}",
      "{1:2}",
      "\"",
      "\"\\",
      "\"\\x\"",
      "\"\\u12\"",
      "\"\\ud800\\u12\"",
      "\"\\ud800\\",
      "\"a\nb\"",
      "tru",
      "nul",
      "1 2",
      "--1",
      "1e",
      "-",
      "]",
      "}",
      "[1}",
      "{\"a\":1]",
      "NaN",
      "\"a\"b",
      "{\"a\":1,}",
      "\x01",
  };
  for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
    if (parses(BAD[i])) CHECK_FAIL("'%s' was accepted", BAD[i]);
  }
  struct tsb_json_document document;
  CHECK(!tsb_json_parse(&document, "\"a\0b\"", 5));
  CHECK(document.memory == NULL);
  CHECK(!tsb_json_parse(&document, "1", SIZE_MAX));
}

static void test_integers_that_are_none(void) {
  struct tsb_json_document document;
  static const char text[] = "[1.5, 9223372036854775808, \"12x\", \"\", 9223372036854775807]";
  CHECK(tsb_json_parse(&document, text, sizeof text - 1));
  const struct tsb_json* item = document.root->first;
  for (int i = 0; i < 4; i++, item = item->next) CHECK_INT(tsb_json_int(item, -7), -7);
  CHECK_INT(tsb_json_int(item, -7), INT64_MAX);
  tsb_json_free(&document);
}

static void test_depth_is_bounded(void) {
  char text[2048];
  for (int depth = 127; depth <= 129; depth++) {
    memset(text, '[', (size_t)depth);
    memset(text + depth, ']', (size_t)depth);
    text[2 * depth] = '\0';
    CHECK_INT(parses(text), depth <= 128);
  }
  memset(text, '[', sizeof text - 1);
  text[sizeof text - 1] = '\0';
  CHECK(!parses(text));
  // Depth is nesting, not length.
  size_t at = 0;
  text[at++] = '[';
  for (int i = 0; i < 500; i++) at += (size_t)sprintf(text + at, "[],");
  sprintf(text + at, "[]]");
  CHECK(parses(text));
}

static void walk(const struct tsb_json* node, const char* source, size_t length, int* count) {
  (*count)++;
  CHECK(node->raw >= source && node->raw + node->raw_length <= source + length);
  if (node->key != NULL) (void)strlen(node->key);
  if (node->string != NULL) (void)strlen(node->string);
  for (const struct tsb_json* child = node->first; child != NULL; child = child->next) {
    walk(child, source, length, count);
  }
}

// Random changes of good texts. Each text stands in a block of its own size, so that a sanitizer sees a read behind it.
static void test_random_texts_do_no_harm(void) {
  static const char* const SEEDS[] = {
      ("{\"name\":\"m\",\"input\":[{\"name\":\"IN\",\"data_type\":\"TYPE_FP32\",\"dims\":[-1,16]}],"
       "\"max_batch_size\":8}"),
      "{\"error\":{\"code\":\"INVALID_ARG\",\"message\":\"a \\\"b\\\" \\u00e4 \\ud83d\\ude00\"}}",
      "[[[[[[1,2],[3]],{}],[[]]],\"x\",true,null,-1.5e-7]]",
      "[,,,,]",
  };
  static const char ALPHABET[] = "{}[]\",:\\u0019dDeE+-.tfn \n\x7f\xff";
  uint64_t state = 7;
  int accepted = 0, nodes = 0;
  for (int round = 0; round < 200000; round++) {
    const char* seed = SEEDS[check_random(&state) % 4];
    size_t length = strlen(seed);
    char* text = malloc(length);
    memcpy(text, seed, length);
    for (uint64_t changes = check_random(&state) % 6; changes > 0; changes--) {
      size_t at = check_random(&state) % length;
      switch (check_random(&state) % 3) {
        case 0: text[at] = ALPHABET[check_random(&state) % (sizeof ALPHABET - 1)]; break;
        case 1: text[at] = text[check_random(&state) % length]; break;
        default: length = at + 1; break;
      }
    }
    char* exact = malloc(length);
    memcpy(exact, text, length);
    struct tsb_json_document document;
    if (tsb_json_parse(&document, exact, length)) {
      accepted++;
      walk(document.root, exact, length, &nodes);
      tsb_json_free(&document);
    }
    free(exact);
    free(text);
  }
  CHECK(accepted > 1000);
  CHECK(nodes > accepted);
}

int main(void) {
  test_values();
  test_what_a_text_cannot_hold_is_replaced();
  test_absent_things_have_an_answer();
  test_what_is_not_json_is_refused();
  test_integers_that_are_none();
  test_depth_is_bounded();
  test_random_texts_do_no_harm();
  return 0;
}
