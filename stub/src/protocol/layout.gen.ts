// SPDX-License-Identifier: Apache-2.0
// Generated from backend-shim/shared/ by `npm run gen:protocol`. Do not edit.

export const FINGERPRINT = 0x5e63bf367b13b294n;

export const PROTOCOL_MAGIC = 826430292;
export const PROTOCOL_VERSION = 5;
export const RING_CAPACITY = 1024;
export const MAX_REGIONS = 256;
export const MAX_CALLS = 65536;
export const MAX_METRIC_ASKS = 256;
export const MAX_DIMS = 32;
export const MAX_MESSAGE_BYTES = 65536;
export const MAX_RECORD_BYTES = 1048576;
export const MAX_PAYLOAD_BYTES = 67108864;
export const MAX_SHIM_CALLS = 64;
export const MAX_CALL_PAYLOAD_BYTES = 1048576;
export const DATA_ALIGNMENT = 64;
export const SLEEP_WAKER = 255;
export const NAME_INLINE = 4294967295;
export const PARAMETER_STRING = 1;
export const PARAMETER_INT = 2;
export const PARAMETER_BOOL = 3;
export const PARAMETER_DOUBLE = 4;
export const REGION_OF_STUB = 2147483648;
export const REGION_OF_CLIENT = 1073741824;
export const LOG_LEVEL_INFO = 1;
export const LOG_LEVEL_WARN = 2;
export const LOG_LEVEL_ERROR = 4;
export const LOG_LEVEL_VERBOSE = 8;
export const STUB_CHANNEL = 3;
export const LOG_MARK = 30;
export const ENTRY_EXECUTE = 1;
export const ENTRY_RESPONSE = 2;
export const ENTRY_SETTLED = 3;
export const ENTRY_CANCEL = 4;
export const ENTRY_CALL = 5;
export const ENTRY_CALL_CANCEL = 6;
export const ENTRY_CALL_RESPONSE = 7;
export const ENTRY_FREE = 8;
export const ENTRY_METRIC = 9;
export const ENTRY_METRIC_VALUE = 10;
export const EXECUTE_SPARSE = 1;
export const RESPONSE_FINAL = 1;
export const RESPONSE_RESCHEDULE = 2;
export const CALL_RESPONSE_FINAL = 1;
export const CALL_RESPONSE_LOST = 2;
export const METRIC_INCREMENT = 1;
export const METRIC_SET = 2;
export const METRIC_OBSERVE = 4;
export const METRIC_DELETE = 8;
export const METRIC_ASK = 16;
export const METRIC_VALUE_FAILED = 1;
export const TABLE_BATCHES = 1;
export const TABLE_CALLS = 2;
export const TABLE_ANSWERS = 3;
export const TABLE_METRICS = 4;
export const TABLE_METRIC_FAMILIES = 5;
export const METHOD_HELLO = 1;
export const METHOD_REGION = 2;
export const METHOD_LOAD = 3;
export const METHOD_INITIALIZE = 4;
export const METHOD_FINALIZE = 5;
export const METHOD_CLIENT_REGION = 6;
export const METHOD_FORGET_REGION = 7;
export const METHOD_MODEL_READY = 8;
export const METHOD_MODEL_LOAD = 9;
export const METHOD_MODEL_UNLOAD = 10;
export const METHOD_MODEL_GONE = 11;
export const METHOD_METRIC_FAMILY = 20;
export const METHOD_METRIC = 21;
export const METHOD_CHECK_READY = 15;
export const FRAME_REPLY = 1;
export const RING_SHARED_SIZE = 128;
export const RING_SHARED_TAIL = 0;
export const RING_SHARED_HEAD = 64;
export const RING_SHARED_CONSUMER_SLEEPS = 72;
export const PLACE_SIZE = 24;
export const PLACE_REGION = 0;
export const PLACE_OFFSET = 8;
export const PLACE_BYTES = 16;
export const OWNER_SIZE = 16;
export const OWNER_TABLE = 0;
export const OWNER_INDEX = 4;
export const OWNER_GENERATION = 8;
export const OWNER_ITEM = 12;
export const ENTRY_SIZE = 64;
export const ENTRY_KIND = 0;
export const ENTRY_FLAGS = 4;
export const ENTRY_OWNER = 8;
export const ENTRY_PLACE = 24;
export const ENTRY_SENT_NS = 48;
export const ENTRY_VALUE = 56;
export const CONTROL_SIZE = 131456;
export const CONTROL_VERSION = 0;
export const CONTROL_MAGIC = 4;
export const CONTROL_FINGERPRINT = 8;
export const CONTROL_MAX_BYTES = 16;
export const CONTROL_INITIAL_BYTES = 24;
export const CONTROL_GROWTH_BYTES = 32;
export const CONTROL_WARM_BYTES = 40;
export const CONTROL_LOG_LEVELS = 48;
export const CONTROL_INPUTS_WRITTEN = 64;
export const CONTROL_REGIONS_LOST = 68;
export const CONTROL_TO_STUB = 128;
export const CONTROL_TO_SHIM = 256;
export const CONTROL_TO_STUB_ENTRIES = 384;
export const CONTROL_TO_SHIM_ENTRIES = 65920;
export const TENSOR_SIZE = 48;
export const TENSOR_NAME = 0;
export const TENSOR_DATATYPE = 4;
export const TENSOR_DIMS_COUNT = 8;
export const TENSOR_NAME_OFFSET = 12;
export const TENSOR_NAME_BYTES = 16;
export const TENSOR_PLACE = 24;
export const PARAMETER_SIZE = 24;
export const PARAMETER_TYPE = 0;
export const PARAMETER_KEY_BYTES = 4;
export const PARAMETER_VALUE_BYTES = 8;
export const PARAMETER_VALUE = 16;
export const REQUEST_SIZE = 72;
export const REQUEST_RECORD_BYTES = 0;
export const REQUEST_FLAGS = 4;
export const REQUEST_CORRELATION_ID = 8;
export const REQUEST_TIMEOUT_US = 16;
export const REQUEST_ID_OFFSET = 24;
export const REQUEST_ID_BYTES = 28;
export const REQUEST_CORRELATION_OFFSET = 32;
export const REQUEST_CORRELATION_BYTES = 36;
export const REQUEST_PARAMETERS_OFFSET = 40;
export const REQUEST_PARAMETER_COUNT = 44;
export const REQUEST_REQUESTED_OFFSET = 48;
export const REQUEST_REQUESTED_COUNT = 52;
export const REQUEST_INPUT_COUNT = 56;
export const REQUEST_CANCELLED = 60;
export const REQUEST_TRACE_OFFSET = 64;
export const REQUEST_TRACE_BYTES = 68;
export const BATCH_SIZE = 16;
export const BATCH_REQUEST_COUNT = 0;
export const BATCH_TAKEN_NS = 8;
export const RESPONSE_SIZE = 32;
export const RESPONSE_RECORD_BYTES = 0;
export const RESPONSE_STATUS = 4;
export const RESPONSE_MESSAGE_OFFSET = 8;
export const RESPONSE_MESSAGE_BYTES = 12;
export const RESPONSE_PARAMETERS_OFFSET = 16;
export const RESPONSE_PARAMETER_COUNT = 20;
export const RESPONSE_OUTPUT_COUNT = 24;
export const TEXT_PLACE_SIZE = 8;
export const TEXT_PLACE_OFFSET = 0;
export const TEXT_PLACE_BYTES = 4;
export const CALL_SIZE = 120;
export const CALL_RECORD_BYTES = 0;
export const CALL_FLAGS = 4;
export const CALL_PARENT = 8;
export const CALL_TRACE = 24;
export const CALL_MODEL_VERSION = 40;
export const CALL_CORRELATION_ID = 48;
export const CALL_TIMEOUT_US = 56;
export const CALL_PRIORITY = 64;
export const CALL_MODEL = 72;
export const CALL_ID = 80;
export const CALL_CORRELATION = 88;
export const CALL_PARAMETERS_OFFSET = 96;
export const CALL_PARAMETER_COUNT = 100;
export const CALL_REQUESTED_OFFSET = 104;
export const CALL_REQUESTED_COUNT = 108;
export const CALL_INPUT_COUNT = 112;
export const ANSWER_SIZE = 16;
export const ANSWER_OWNER = 0;
export const FRAME_SIZE = 24;
export const FRAME_METHOD = 0;
export const FRAME_FLAGS = 4;
export const FRAME_CALL = 8;
export const FRAME_PAYLOAD_BYTES = 12;
export const FRAME_REGION = 16;
export const FRAME_DESCRIPTOR_COUNT = 20;
export const DTYPE_BOOL = 1;
export const DTYPE_BOOL_BYTES = 1;
export const DTYPE_UINT8 = 2;
export const DTYPE_UINT8_BYTES = 1;
export const DTYPE_UINT16 = 3;
export const DTYPE_UINT16_BYTES = 2;
export const DTYPE_UINT32 = 4;
export const DTYPE_UINT32_BYTES = 4;
export const DTYPE_UINT64 = 5;
export const DTYPE_UINT64_BYTES = 8;
export const DTYPE_INT8 = 6;
export const DTYPE_INT8_BYTES = 1;
export const DTYPE_INT16 = 7;
export const DTYPE_INT16_BYTES = 2;
export const DTYPE_INT32 = 8;
export const DTYPE_INT32_BYTES = 4;
export const DTYPE_INT64 = 9;
export const DTYPE_INT64_BYTES = 8;
export const DTYPE_FP16 = 10;
export const DTYPE_FP16_BYTES = 2;
export const DTYPE_FP32 = 11;
export const DTYPE_FP32_BYTES = 4;
export const DTYPE_FP64 = 12;
export const DTYPE_FP64_BYTES = 8;
export const DTYPE_BYTES = 13;
export const DTYPE_BYTES_BYTES = 0;
export const DTYPE_BF16 = 14;
export const DTYPE_BF16_BYTES = 2;
export const STATUS_UNKNOWN = 1;
export const STATUS_INTERNAL = 2;
export const STATUS_NOT_FOUND = 3;
export const STATUS_INVALID_ARG = 4;
export const STATUS_UNAVAILABLE = 5;
export const STATUS_UNSUPPORTED = 6;
export const STATUS_ALREADY_EXISTS = 7;
export const STATUS_CANCELLED = 8;

/** Kinds of entries that the stub takes. */
export const ENTRIES_TO_STUB = {
  execute: 1,
  cancel: 4,
  call_response: 7,
  metric_value: 10,
} as const;

/**
 * Methods of the control channel: who has `stub: true` must be answered by the stub's dispatcher, and who has `shim:
 * true` may be called by the stub.
 */
export const METHODS = {
  hello: {
    number: 1,
    stub: true,
    shim: false,
    call: [],
    reply: [],
    part: [],
  },
  region: {
    number: 2,
    stub: true,
    shim: false,
    call: [],
    reply: [],
    part: [],
  },
  load: {
    number: 3,
    stub: true,
    shim: false,
    call: ["autoComplete", "typescriptBased", "modelName", "modelVersion", "modelRepository", "backendDirectory", "backendConfig", "modelConfig"],
    reply: ["config", "openShapes"],
    part: [],
  },
  initialize: {
    number: 4,
    stub: true,
    shim: false,
    call: ["instanceName", "instanceKind", "deviceId", "concurrency", "exposeErrors", "checkOutputs", "inputs", "outputs", "modelConfig"],
    reply: ["checksReady"],
    part: [],
  },
  finalize: {
    number: 5,
    stub: true,
    shim: false,
    call: [],
    reply: [],
    part: [],
  },
  clientRegion: {
    number: 6,
    stub: true,
    shim: false,
    call: [],
    reply: [],
    part: [],
  },
  forgetRegion: {
    number: 7,
    stub: true,
    shim: false,
    call: [],
    reply: [],
    part: [],
  },
  modelReady: {
    number: 8,
    stub: false,
    shim: true,
    call: ["name", "version"],
    reply: ["ready"],
    part: [],
  },
  modelLoad: {
    number: 9,
    stub: false,
    shim: true,
    call: ["name", "config", "files"],
    reply: [],
    part: ["path", "region", "offset", "bytes"],
  },
  modelUnload: {
    number: 10,
    stub: false,
    shim: true,
    call: ["name", "dependents", "wait"],
    reply: [],
    part: [],
  },
  modelGone: {
    number: 11,
    stub: false,
    shim: true,
    call: ["name"],
    reply: ["gone"],
    part: [],
  },
  metricFamily: {
    number: 20,
    stub: false,
    shim: true,
    call: ["kind", "name", "description"],
    reply: ["index", "generation"],
    part: [],
  },
  metric: {
    number: 21,
    stub: false,
    shim: true,
    call: ["index", "generation", "labels", "buckets"],
    reply: ["index", "generation"],
    part: [],
  },
  checkReady: {
    number: 15,
    stub: true,
    shim: false,
    call: [],
    reply: ["ready", "reason"],
    part: [],
  },
} as const;

/** Keys of the error that any reply may hold instead, and of what is in it. */
export const ERROR_KEYS = { reply: ["error"], part: ["code", "message"] } as const;

/** Datatypes by their number in Triton's API; `bytes` is the size of one element, 0 for BYTES. */
export const DTYPES = [
  { name: "BOOL", number: 1, bytes: 1, array: Uint8Array },
  { name: "UINT8", number: 2, bytes: 1, array: Uint8Array },
  { name: "UINT16", number: 3, bytes: 2, array: Uint16Array },
  { name: "UINT32", number: 4, bytes: 4, array: Uint32Array },
  { name: "UINT64", number: 5, bytes: 8, array: BigUint64Array },
  { name: "INT8", number: 6, bytes: 1, array: Int8Array },
  { name: "INT16", number: 7, bytes: 2, array: Int16Array },
  { name: "INT32", number: 8, bytes: 4, array: Int32Array },
  { name: "INT64", number: 9, bytes: 8, array: BigInt64Array },
  { name: "FP16", number: 10, bytes: 2, array: Uint16Array },
  { name: "FP32", number: 11, bytes: 4, array: Float32Array },
  { name: "FP64", number: 12, bytes: 8, array: Float64Array },
  { name: "BYTES", number: 13, bytes: 0, array: Uint8Array },
  { name: "BF16", number: 14, bytes: 2, array: Uint16Array },
] as const;

/** Numbers of the codes of `TritonError` in a response record. */
export const STATUSES = {
  UNKNOWN: 1,
  INTERNAL: 2,
  NOT_FOUND: 3,
  INVALID_ARG: 4,
  UNAVAILABLE: 5,
  UNSUPPORTED: 6,
  ALREADY_EXISTS: 7,
  CANCELLED: 8,
} as const;
