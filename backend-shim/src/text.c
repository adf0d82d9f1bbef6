// SPDX-License-Identifier: Apache-2.0
#include "text.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool text__reserve(struct tsb_text* text, size_t more) {
  if (text->failed) return false;
  if (more >= SIZE_MAX / 2 - text->length) goto err;
  size_t needed = text->length + more + 1;
  if (needed <= text->capacity) return true;
  size_t capacity = text->capacity * 2 < needed ? needed : text->capacity * 2;
  char* bytes = realloc(text->bytes, capacity);
  if (bytes == NULL) goto err;
  text->bytes = bytes;
  text->capacity = capacity;
  return true;
err:
  text->failed = true;
  return false;
}

void tsb_text_add(struct tsb_text* text, const char* bytes, size_t length) {
  if (!text__reserve(text, length)) return;
  memcpy(text->bytes + text->length, bytes, length);
  text->length += length;
  text->bytes[text->length] = '\0';
}

void tsb_text_printf(struct tsb_text* text, const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  int length = vsnprintf(NULL, 0, format, arguments);
  va_end(arguments);
  if (length < 0 || !text__reserve(text, (size_t)length)) return;
  va_start(arguments, format);
  vsnprintf(text->bytes + text->length, (size_t)length + 1, format, arguments);
  va_end(arguments);
  text->length += (size_t)length;
}

void tsb_text_json_string(struct tsb_text* text, const char* value) {
  tsb_text_add(text, "\"", 1);
  for (const char* at = value; *at != '\0'; at++) {
    unsigned char c = (unsigned char)*at;
    if (c == '"' || c == '\\') {
      char escaped[2] = {'\\', (char)c};
      tsb_text_add(text, escaped, 2);
    } else if (c < 0x20) {
      tsb_text_printf(text, "\\u%04x", c);
    } else {
      tsb_text_add(text, at, 1);
    }
  }
  tsb_text_add(text, "\"", 1);
}

const char* tsb_text_get(const struct tsb_text* text) { return text->failed || text->bytes == NULL ? "" : text->bytes; }

void tsb_text_free(struct tsb_text* text) {
  free(text->bytes);
  *text = (struct tsb_text){0};
}
