// SPDX-License-Identifier: Apache-2.0
// A growing text, for messages and JSON. Running out of memory makes the text empty and `failed` true; nothing crashes.
#ifndef TSB_TEXT_H
#define TSB_TEXT_H

#include <stdbool.h>
#include <stddef.h>

struct tsb_text {
  char* bytes;  // zero-terminated, NULL while empty
  size_t length;
  size_t capacity;
  bool failed;
};

void tsb_text_add(struct tsb_text* text, const char* bytes, size_t length);
void tsb_text_printf(struct tsb_text* text, const char* format, ...) __attribute__((format(printf, 2, 3)));
// Adds a JSON string with its quotes; bytes that JSON forbids in a string are escaped.
void tsb_text_json_string(struct tsb_text* text, const char* value);
const char* tsb_text_get(const struct tsb_text* text);  // never NULL
void tsb_text_free(struct tsb_text* text);

#endif
