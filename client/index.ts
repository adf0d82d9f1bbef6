// SPDX-License-Identifier: Apache-2.0
// `triton-typescript/client`: clients of any Triton server, for Node.
export type { DataType, TensorData, TensorDataMap } from "../stub/src/api/datatype.ts";
export { TritonError, type TritonErrorCode } from "../stub/src/api/errors.ts";
export type { ModelConfig } from "../stub/src/api/model_config.ts";
export type { Parameters, ParameterValue } from "../stub/src/api/parameters.ts";
export { Tensor, type TensorInput } from "../stub/src/api/tensor.ts";
export type { CallOptions, ClientOptions } from "./call_options.ts";
export { ClientError, type ClientErrorReason } from "./client_error.ts";
export type { TlsOptions } from "./grpc/endpoint.ts";
export { GrpcClient, type GrpcClientOptions } from "./grpc/grpc_client.ts";
export {
  type Fetch,
  type GenerateOptions,
  type GenerateResult,
  type GenerateStreamOptions,
  HttpClient,
  type HttpClientOptions,
  type HttpInferOptions,
  type JsonValue,
} from "./http/index.ts";
export type { InferOptions, RequestedOutput, StreamOptions, VersionOptions } from "./infer_options.ts";
export { InferenceResult } from "./inference_result.ts";
export { InferenceStream } from "./inference_stream.ts";
export type { SharedMemoryRange, SharedMemoryRegion } from "./memory_place.ts";
export type * from "./server_info.ts";
export { SharedMemory, type SharedMemoryOptions } from "./shared_memory.ts";
