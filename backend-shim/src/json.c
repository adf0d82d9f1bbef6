// SPDX-License-Identifier: Apache-2.0
#include "json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { JSON_MAX_DEPTH = 128, JSON_REPLACEMENT = 0xfffd };

// Every node takes at least one byte of source and every decoded text is no longer than its source, so one allocation
// made up front is always enough.
struct json_reader {
  const char* at;
  const char* end;
  struct tsb_json* node;
  char* text;
  int depth;
};

static bool json__value(struct json_reader* reader, struct tsb_json* node);

static void json__space(struct json_reader* reader) {
  while (reader->at < reader->end && strchr(" \t\r\n", *reader->at) != NULL && *reader->at != '\0') reader->at++;
}

static bool json__take(struct json_reader* reader, char c) {
  if (reader->at >= reader->end || *reader->at != c) return false;
  reader->at++;
  return true;
}

static bool json__hex4(struct json_reader* reader, uint32_t* code) {
  *code = 0;
  for (int i = 0; i < 4; i++) {
    if (reader->at >= reader->end) return false;
    char c = *reader->at++;
    if (c >= '0' && c <= '9') {
      *code = *code * 16 + (uint32_t)(c - '0');
    } else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f') {
      *code = *code * 16 + (uint32_t)((c | 0x20) - 'a') + 10;
    } else {
      return false;
    }
  }
  return true;
}

static void json__utf8(struct json_reader* reader, uint32_t code) {
  if (code < 0x80) {
    *reader->text++ = (char)code;
  } else if (code < 0x800) {
    *reader->text++ = (char)(0xc0 | (code >> 6));
    *reader->text++ = (char)(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    *reader->text++ = (char)(0xe0 | (code >> 12));
    *reader->text++ = (char)(0x80 | ((code >> 6) & 0x3f));
    *reader->text++ = (char)(0x80 | (code & 0x3f));
  } else {
    *reader->text++ = (char)(0xf0 | (code >> 18));
    *reader->text++ = (char)(0x80 | ((code >> 12) & 0x3f));
    *reader->text++ = (char)(0x80 | ((code >> 6) & 0x3f));
    *reader->text++ = (char)(0x80 | (code & 0x3f));
  }
}

// The character of a pair of surrogates, or `high` itself when the other half does not follow.
static uint32_t json__pair(struct json_reader* reader, uint32_t high) {
  const char* start = reader->at;
  uint32_t low;
  bool escaped = json__take(reader, '\\') && json__take(reader, 'u') && json__hex4(reader, &low);
  if (escaped && low >= 0xdc00 && low < 0xe000) {
    return 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
  }
  reader->at = start;
  return high;
}

static bool json__escape(struct json_reader* reader) {
  static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
  uint32_t code;
  if (reader->at >= reader->end) return false;
  char c = *reader->at++;
  if (c != 'u') {
    const char* found = c == '\0' ? NULL : strchr(names, c);
    if (found == NULL) return false;
    *reader->text++ = values[found - names];
    return true;
  }
  if (!json__hex4(reader, &code)) return false;
  if (code >= 0xd800 && code < 0xdc00) code = json__pair(reader, code);
  // A half of a pair is nothing that UTF-8 can say, and our texts end at the first zero.
  if ((code >= 0xd800 && code < 0xe000) || code == 0) code = JSON_REPLACEMENT;
  json__utf8(reader, code);
  return true;
}

static const char* json__text(struct json_reader* reader) {
  const char* start = reader->text;
  if (!json__take(reader, '"')) return NULL;
  while (reader->at < reader->end) {
    char c = *reader->at++;
    if (c == '"') {
      *reader->text++ = '\0';
      return start;
    }
    if ((unsigned char)c < 0x20) return NULL;
    if (c == '\\') {
      if (!json__escape(reader)) return NULL;
    } else {
      *reader->text++ = c;
    }
  }
  return NULL;
}

static bool json__children(struct json_reader* reader, struct tsb_json* parent, char close) {
  struct tsb_json** link = &parent->first;
  if (++reader->depth > JSON_MAX_DEPTH) return false;
  json__space(reader);
  if (json__take(reader, close)) {
    reader->depth--;
    return true;
  }
  for (;;) {
    struct tsb_json* child = reader->node++;
    json__space(reader);
    if (close == '}') {
      child->key = json__text(reader);
      if (child->key == NULL) return false;
      json__space(reader);
      if (!json__take(reader, ':')) return false;
    }
    if (!json__value(reader, child)) return false;
    *link = child;
    link = &child->next;
    json__space(reader);
    if (json__take(reader, close)) {
      reader->depth--;
      return true;
    }
    if (!json__take(reader, ',')) return false;
  }
}

static bool json__word(struct json_reader* reader, const char* word) {
  size_t length = strlen(word);
  if ((size_t)(reader->end - reader->at) < length || memcmp(reader->at, word, length) != 0) return false;
  reader->at += length;
  return true;
}

static bool json__number(struct json_reader* reader, struct tsb_json* node) {
  const char* start = reader->at;
  while (reader->at < reader->end && *reader->at != '\0' && strchr("+-.0123456789eE", *reader->at) != NULL) {
    reader->at++;
  }
  size_t length = (size_t)(reader->at - start);
  if (length == 0) return false;
  node->type = TSB_JSON_NUMBER;
  node->string = reader->text;
  memcpy(reader->text, start, length);
  reader->text += length;
  *reader->text++ = '\0';
  char* rest;
  strtod(node->string, &rest);
  return *rest == '\0';
}

static bool json__value(struct json_reader* reader, struct tsb_json* node) {
  bool good;
  json__space(reader);
  if (reader->at >= reader->end) return false;
  node->raw = reader->at;
  switch (*reader->at) {
    case '{':
    case '[':
      node->type = *reader->at == '{' ? TSB_JSON_OBJECT : TSB_JSON_ARRAY;
      reader->at++;
      good = json__children(reader, node, node->type == TSB_JSON_OBJECT ? '}' : ']');
      break;
    case '"':
      node->type = TSB_JSON_STRING;
      node->string = json__text(reader);
      good = node->string != NULL;
      break;
    case 't':
    case 'f':
      node->type = TSB_JSON_BOOL;
      node->boolean = *reader->at == 't';
      good = json__word(reader, node->boolean ? "true" : "false");
      break;
    case 'n':
      node->type = TSB_JSON_NULL;
      good = json__word(reader, "null");
      break;
    default: good = json__number(reader, node);
  }
  node->raw_length = (size_t)(reader->at - node->raw);
  return good;
}

bool tsb_json_parse(struct tsb_json_document* document, const char* source, size_t length) {
  *document = (struct tsb_json_document){0};
  if (length > SIZE_MAX / (4 * sizeof(struct tsb_json))) return false;
  // Nodes: one for each value, and a value is followed by a comma or a bracket. Texts: two bytes for each source byte.
  size_t nodes = 2;
  for (size_t i = 0; i < length; i++) nodes += source[i] == ',' || source[i] == '[' || source[i] == '{';
  document->memory = calloc(1, nodes * sizeof(struct tsb_json) + 2 * length + 2);
  if (document->memory == NULL) return false;
  struct json_reader reader = {.at = source, .end = source + length, .node = document->memory};
  reader.text = (char*)(reader.node + nodes);
  document->root = reader.node++;
  if (json__value(&reader, document->root)) {
    json__space(&reader);
    if (reader.at == reader.end) return true;
  }
  tsb_json_free(document);
  return false;
}

void tsb_json_free(struct tsb_json_document* document) {
  free(document->memory);
  *document = (struct tsb_json_document){0};
}

const struct tsb_json* tsb_json_member(const struct tsb_json* object, const char* key) {
  if (object == NULL || object->type != TSB_JSON_OBJECT) return NULL;
  for (const struct tsb_json* member = object->first; member != NULL; member = member->next) {
    if (strcmp(member->key, key) == 0) return member;
  }
  return NULL;
}

const char* tsb_json_string(const struct tsb_json* value, const char* otherwise) {
  return value != NULL && value->type == TSB_JSON_STRING ? value->string : otherwise;
}

bool tsb_json_bool(const struct tsb_json* value, bool otherwise) {
  return value != NULL && value->type == TSB_JSON_BOOL ? value->boolean : otherwise;
}

int64_t tsb_json_int(const struct tsb_json* value, int64_t otherwise) {
  char* rest;
  if (value == NULL || (value->type != TSB_JSON_NUMBER && value->type != TSB_JSON_STRING)) return otherwise;
  errno = 0;
  long long number = strtoll(value->string, &rest, 10);
  return errno == 0 && rest != value->string && *rest == '\0' ? number : otherwise;
}

double tsb_json_double(const struct tsb_json* value, double otherwise) {
  return value != NULL && value->type == TSB_JSON_NUMBER ? strtod(value->string, NULL) : otherwise;
}

uint32_t tsb_json_length(const struct tsb_json* array) {
  uint32_t length = 0;
  for (const struct tsb_json* item = array != NULL ? array->first : NULL; item != NULL; item = item->next) length++;
  return length;
}
