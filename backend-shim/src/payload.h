// SPDX-License-Identifier: Apache-2.0
// Payloads of the control channel: JSON objects whose keys stand in tsb_method.def.
#ifndef TSB_PAYLOAD_H
#define TSB_PAYLOAD_H

#include "channel.h"
#include "error.h"
#include "json.h"
#include "text.h"

// Begins a member of the object in `text`, which begins with the first; its value is added next.
void tsb_payload_key(struct tsb_text* text, enum tsb_key key);
void tsb_payload_string(struct tsb_text* text, enum tsb_key key, const char* value);
void tsb_payload_end(struct tsb_text* text);
const struct tsb_json* tsb_payload_member(const struct tsb_json* object, enum tsb_key key);
// Begins an object with the error that a reply holds instead of its payload, and ends the object.
void tsb_payload_add_error(struct tsb_text* text, TRITONSERVER_Error* error);
// The error that a reply holds instead of its payload, or NULL. `otherwise` is its text where the stub gives none.
TRITONSERVER_Error* tsb_payload_error(const struct tsb_message* reply, const char* otherwise);

#endif
