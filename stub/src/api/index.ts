// SPDX-License-Identifier: Apache-2.0
export { AutoCompleteConfig, type AutoCompleteInput, type AutoCompleteOutput } from "./auto_complete.ts";
export { deserializeBytes, serializeBytes } from "./bytes.ts";
export {
  type ConfigDataType,
  type DataType,
  dataTypeFromConfig,
  dataTypeToConfig,
  elementByteSize,
  isDataType,
  type TensorData,
  type TensorDataMap,
} from "./datatype.ts";
export { isTritonErrorCode, TRITON_ERROR_CODES, TritonError, type TritonErrorCode } from "./errors.ts";
export type { ExecOptions } from "./exec_call.ts";
export type { InferenceRequestOptions } from "./made_request.ts";
export type { MetricKind } from "./metric_server.ts";
export {
  type Metric,
  MetricFamily,
  type MetricFamilyOptions,
  type MetricLabels,
  type MetricOptions,
} from "./metrics.ts";
export {
  type DynamicBatching,
  type InstanceGroup,
  inputConfig,
  isDecoupled,
  type ModelConfig,
  type ModelInput,
  type ModelOutput,
  type ModelParameter,
  type ModelTransactionPolicy,
  modelParameter,
  outputConfig,
  type SequenceBatching,
} from "./model_config.ts";
export { type LoadOptions, type Models, models, type UnloadOptions } from "./models.ts";
export type { Parameters, ParameterValue } from "./parameters.ts";
export { InferenceRequest } from "./request.ts";
export { InferenceResponse, type InferenceResponseOptions } from "./response.ts";
export { ResponseSender, type SendOptions } from "./response_sender.ts";
export type { ResponseStream, StreamOptions } from "./response_stream.ts";
export { type FloatDataType, type InferredTensorInput, Tensor, type TensorInput } from "./tensor.ts";
export type { TensorItem } from "./tensor_item.ts";
export type { Trace, TraceContext } from "./trace.ts";
export type {
  AutoCompleteArgs,
  ExecuteResult,
  InitializeArgs,
  OutputShapes,
  StreamingModel,
  StreamResult,
  TritonModel,
  TritonModelClass,
} from "./triton_model.ts";
