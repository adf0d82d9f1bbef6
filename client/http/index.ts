// SPDX-License-Identifier: Apache-2.0
// `triton-typescript/client/http`: a client of any Triton server for browsers and Node. No module of Node is imported.
export type { DataType, TensorData, TensorDataMap } from "../../stub/src/api/datatype.ts";
export { TritonError, type TritonErrorCode } from "../../stub/src/api/errors.ts";
export type { ModelConfig } from "../../stub/src/api/model_config.ts";
export type { Parameters, ParameterValue } from "../../stub/src/api/parameters.ts";
export { Tensor, type TensorInput } from "../../stub/src/api/tensor.ts";
export type { CallOptions, ClientOptions } from "../call_options.ts";
export { ClientError, type ClientErrorReason } from "../client_error.ts";
export type { InferOptions, RequestedOutput, VersionOptions } from "../infer_options.ts";
export { InferenceResult } from "../inference_result.ts";
export type { SharedMemoryRange, SharedMemoryRegion } from "../memory_place.ts";
export type * from "../server_info.ts";
export type { Fetch } from "./endpoint.ts";
export {
  type GenerateOptions,
  type GenerateResult,
  type GenerateStreamOptions,
  HttpClient,
  type HttpClientOptions,
  type HttpInferOptions,
  type JsonValue,
} from "./http_client.ts";
