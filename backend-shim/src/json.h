// SPDX-License-Identifier: Apache-2.0
// Reads JSON text into a tree of nodes. For configurations and control messages, never for the request path.
#ifndef TSB_JSON_H
#define TSB_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum tsb_json_type {
  TSB_JSON_NULL,
  TSB_JSON_BOOL,
  TSB_JSON_NUMBER,
  TSB_JSON_STRING,
  TSB_JSON_ARRAY,
  TSB_JSON_OBJECT,
};

struct tsb_json {
  enum tsb_json_type type;
  const char* key;     // in an object, decoded; else NULL
  const char* string;  // STRING, decoded; NUMBER, as written
  bool boolean;
  const char* raw;  // the value as it stands in the source
  size_t raw_length;
  struct tsb_json* first;  // ARRAY, OBJECT: children
  struct tsb_json* next;
};

struct tsb_json_document {
  struct tsb_json* root;
  void* memory;  // of all nodes and texts
};

// A text may hold anything that JSON can say: its zeros, and halves of surrogate pairs, become U+FFFD.
// `source` must live as long as the document (raw points into it). False: not JSON, or nested deeper than 128.
bool tsb_json_parse(struct tsb_json_document* document, const char* source, size_t length);
void tsb_json_free(struct tsb_json_document* document);

// All of these take NULL and answer as for something absent, so that calls can be chained.
const struct tsb_json* tsb_json_member(const struct tsb_json* object, const char* key);
const char* tsb_json_string(const struct tsb_json* value, const char* otherwise);  // STRING only
bool tsb_json_bool(const struct tsb_json* value, bool otherwise);
// Accepts a number and a string that holds one (64-bit numbers come as strings from protobuf's JSON).
int64_t tsb_json_int(const struct tsb_json* value, int64_t otherwise);
double tsb_json_double(const struct tsb_json* value, double otherwise);  // NUMBER only
uint32_t tsb_json_length(const struct tsb_json* array);                  // children of an ARRAY or OBJECT

#endif
