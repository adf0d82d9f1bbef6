// SPDX-License-Identifier: Apache-2.0
#include "payload.h"

#include "layout.h"

void tsb_payload_key(struct tsb_text* text, enum tsb_key key) {
  tsb_text_printf(text, "%s\"%s\":", text->length == 0 ? "{" : ",", tsb_layout_keys[key].key);
}

void tsb_payload_string(struct tsb_text* text, enum tsb_key key, const char* value) {
  tsb_payload_key(text, key);
  tsb_text_json_string(text, value);
}

void tsb_payload_end(struct tsb_text* text) { tsb_text_printf(text, text->length == 0 ? "{}" : "}"); }

const struct tsb_json* tsb_payload_member(const struct tsb_json* object, enum tsb_key key) {
  return tsb_json_member(object, tsb_layout_keys[key].key);
}

void tsb_payload_add_error(struct tsb_text* text, TRITONSERVER_Error* error) {
  struct tsb_text inner = {0};
  tsb_payload_string(&inner, TSB_KEY_ERROR_PART_code, tsb_error_code_name(TRITONSERVER_ErrorCode(error)));
  tsb_payload_string(&inner, TSB_KEY_ERROR_PART_message, TRITONSERVER_ErrorMessage(error));
  tsb_payload_end(&inner);
  tsb_payload_key(text, TSB_KEY_ERROR_REPLY_error);
  tsb_text_printf(text, "%s", tsb_text_get(&inner));
  tsb_payload_end(text);
  if (inner.failed) text->failed = true;
  tsb_text_free(&inner);
}

TRITONSERVER_Error* tsb_payload_error(const struct tsb_message* reply, const char* otherwise) {
  struct tsb_json_document document;
  if (reply->frame.payload_bytes == 0) return NULL;
  if (!tsb_json_parse(&document, reply->payload, reply->frame.payload_bytes)) {
    return tsb_error_new(TRITONSERVER_ERROR_INTERNAL, "The stub's answer is not JSON.");
  }
  TRITONSERVER_Error* error = NULL;
  const struct tsb_json* given = tsb_payload_member(document.root, TSB_KEY_ERROR_REPLY_error);
  if (given != NULL && given->type == TSB_JSON_OBJECT) {
    error = TRITONSERVER_ErrorNew(
        tsb_error_code_by_name(tsb_json_string(tsb_payload_member(given, TSB_KEY_ERROR_PART_code), "")),
        tsb_json_string(tsb_payload_member(given, TSB_KEY_ERROR_PART_message), otherwise));
  }
  tsb_json_free(&document);
  return error;
}
