// SPDX-License-Identifier: Apache-2.0
#include "layout.h"

#include "tsb_protocol.h"

#define CONSTANT(name) {#name, TSB_##name}
#define SIZE(type) {#type "_SIZE", sizeof(struct tsb_##type)}
#define FIELD(type, field) {#type "_" #field, offsetof(struct tsb_##type, field)}
#define TSB_DTYPE(name, number, bytes, array) {"DTYPE_" #name, number}, {"DTYPE_" #name "_BYTES", bytes},
#define TSB_STATUS(name, number, suffix) {"STATUS_" #name, number},

const struct tsb_layout_item tsb_layout_items[] = {
    CONSTANT(PROTOCOL_MAGIC), CONSTANT(PROTOCOL_VERSION), CONSTANT(RING_CAPACITY), CONSTANT(MAX_REGIONS),
    CONSTANT(MAX_DIMS), CONSTANT(MAX_MESSAGE_BYTES), CONSTANT(MAX_RECORD_BYTES), CONSTANT(MAX_CONTROL_BYTES),
    CONSTANT(DATA_ALIGNMENT), CONSTANT(NAME_INLINE), CONSTANT(REGION_OF_STUB), CONSTANT(REGION_OF_CLIENT),
    CONSTANT(ENTRY_EXECUTE), CONSTANT(ENTRY_RESPONSE), CONSTANT(RESPONSE_FINAL), CONSTANT(EXECUTE_CALM), CONSTANT(SLEEP_WAKER),
    CONSTANT(PARAMETER_STRING), CONSTANT(PARAMETER_INT), CONSTANT(PARAMETER_BOOL), CONSTANT(PARAMETER_DOUBLE),
    CONSTANT(CONTROL_HELLO), CONSTANT(CONTROL_HELLO_ACK), CONSTANT(CONTROL_REGION), CONSTANT(CONTROL_LOAD),
    CONSTANT(CONTROL_LOADED), CONSTANT(CONTROL_INITIALIZE), CONSTANT(CONTROL_INITIALIZED), CONSTANT(CONTROL_FINALIZE),
    CONSTANT(CONTROL_FINALIZED), CONSTANT(CONTROL_REFUSED), CONSTANT(CONTROL_CLIENT_REGION),
    CONSTANT(CONTROL_FORGET_REGION), CONSTANT(STUB_CHANNEL), CONSTANT(LOG_MARK),
    SIZE(ring_shared), FIELD(ring_shared, tail), FIELD(ring_shared, head), FIELD(ring_shared, consumer_sleeps),
    {"ring_shared_consumer_sleeps_BYTES", sizeof((struct tsb_ring_shared){0}.consumer_sleeps)},
    SIZE(place), FIELD(place, region), FIELD(place, offset), FIELD(place, bytes),
    SIZE(entry), FIELD(entry, kind), FIELD(entry, flags), FIELD(entry, batch), FIELD(entry, generation),
    FIELD(entry, request), FIELD(entry, place), FIELD(entry, sent_ns),
    SIZE(control), FIELD(control, version), FIELD(control, magic), FIELD(control, fingerprint),
    FIELD(control, ring_capacity), FIELD(control, max_bytes), FIELD(control, initial_bytes), FIELD(control, growth_bytes),
    FIELD(control, warm_bytes), FIELD(control, inputs_written), FIELD(control, regions_lost), FIELD(control, to_stub), FIELD(control, to_shim), FIELD(control, to_stub_entries),
    FIELD(control, to_shim_entries),
    SIZE(tensor), FIELD(tensor, name), FIELD(tensor, datatype), FIELD(tensor, dims_count), FIELD(tensor, name_offset),
    FIELD(tensor, name_bytes), FIELD(tensor, place),
    SIZE(parameter), FIELD(parameter, type), FIELD(parameter, key_bytes), FIELD(parameter, value_bytes),
    FIELD(parameter, value),
    SIZE(request), FIELD(request, record_bytes), FIELD(request, flags), FIELD(request, correlation_id),
    FIELD(request, timeout_us), FIELD(request, id_offset), FIELD(request, id_bytes),
    FIELD(request, correlation_offset), FIELD(request, correlation_bytes), FIELD(request, parameters_offset),
    FIELD(request, parameter_count), FIELD(request, requested_offset), FIELD(request, requested_count),
    FIELD(request, input_count),
    SIZE(batch), FIELD(batch, request_count),
    SIZE(response), FIELD(response, record_bytes), FIELD(response, status), FIELD(response, message_offset),
    FIELD(response, message_bytes), FIELD(response, parameters_offset), FIELD(response, parameter_count),
    FIELD(response, output_count),
    SIZE(frame), FIELD(frame, kind), FIELD(frame, payload_bytes), FIELD(frame, region), FIELD(frame, descriptor_count),
#include "tsb_dtype.def"
#include "tsb_status.def"
};

const uint32_t tsb_layout_count = sizeof tsb_layout_items / sizeof tsb_layout_items[0];

uint64_t tsb_layout_fingerprint(void) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (uint32_t i = 0; i < tsb_layout_count; i++) {
    for (const char* at = tsb_layout_items[i].name; *at != '\0'; at++) hash = (hash ^ (uint8_t)*at) * 0x100000001b3u;
    for (int shift = 0; shift < 64; shift += 8) {
      hash = (hash ^ ((tsb_layout_items[i].value >> shift) & 0xff)) * 0x100000001b3u;
    }
  }
  return hash;
}
