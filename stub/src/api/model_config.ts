// SPDX-License-Identifier: Apache-2.0
import type { ConfigDataType } from "./datatype.ts";

/** A model's configuration, with the names of Triton's JSON. Keys that the model's file leaves out may be missing. */
export interface ModelConfig {
  name: string;
  platform: string;
  backend: string;
  runtime?: string;
  /** 0 when the model does not batch; else the shapes of requests have a batch dimension in front of `dims`. */
  max_batch_size: number;
  input: ModelInput[];
  output: ModelOutput[];
  batch_input?: BatchInput[];
  batch_output?: BatchOutput[];
  version_policy?: VersionPolicy;
  optimization?: ModelOptimization;
  dynamic_batching?: DynamicBatching;
  sequence_batching?: SequenceBatching;
  ensemble_scheduling?: EnsembleScheduling;
  instance_group?: InstanceGroup[];
  default_model_filename?: string;
  cc_model_filenames?: Record<string, string>;
  metric_tags?: Record<string, string>;
  parameters?: Record<string, ModelParameter>;
  model_warmup?: ModelWarmup[];
  model_operations?: { op_library_filename: string[] };
  model_transaction_policy?: ModelTransactionPolicy;
  model_repository_agents?: { agents: { name: string; parameters?: Record<string, string> }[] };
  response_cache?: { enable: boolean };
}

export interface ModelInput {
  name: string;
  data_type: ConfigDataType;
  format?: string;
  /** Without the batch dimension; -1 is a dimension of any size. */
  dims: number[];
  reshape?: { shape: number[] };
  is_shape_tensor?: boolean;
  allow_ragged_batch?: boolean;
  optional?: boolean;
  is_non_linear_format_io?: boolean;
}

export interface ModelOutput {
  name: string;
  data_type: ConfigDataType;
  /** Without the batch dimension; -1 is a dimension of any size. */
  dims: number[];
  reshape?: { shape: number[] };
  label_filename?: string;
  is_shape_tensor?: boolean;
  is_non_linear_format_io?: boolean;
}

export interface BatchInput {
  kind: string;
  target_name: string[];
  data_type: ConfigDataType;
  source_input: string[];
}

export interface BatchOutput {
  target_name: string[];
  kind: string;
  source_input: string[];
}

export interface ModelParameter {
  string_value: string;
}

export interface VersionPolicy {
  latest?: { num_versions: number };
  all?: Record<string, never>;
  specific?: { versions: number[] };
}

export interface ModelOptimization {
  priority?: string;
  execution_accelerators?: {
    gpu_execution_accelerator?: ExecutionAccelerator[];
    cpu_execution_accelerator?: ExecutionAccelerator[];
  };
  input_pinned_memory?: { enable: boolean };
  output_pinned_memory?: { enable: boolean };
  [key: string]: unknown;
}

export interface ExecutionAccelerator {
  name: string;
  parameters?: Record<string, string>;
}

export interface QueuePolicy {
  timeout_action?: "REJECT" | "DELAY";
  default_timeout_microseconds?: number;
  allow_timeout_override?: boolean;
  max_queue_size?: number;
}

export interface DynamicBatching {
  preferred_batch_size?: number[];
  max_queue_delay_microseconds?: number;
  preserve_ordering?: boolean;
  priority_levels?: number;
  default_priority_level?: number;
  default_queue_policy?: QueuePolicy;
  priority_queue_policy?: Record<string, QueuePolicy>;
}

export interface SequenceBatching {
  max_sequence_idle_microseconds?: number;
  control_input?: { name: string; control: SequenceControl[] }[];
  state?: SequenceState[];
  iterative_sequence?: boolean;
  direct?: { max_queue_delay_microseconds?: number; minimum_slot_utilization?: number };
  oldest?: {
    max_candidate_sequences?: number;
    preferred_batch_size?: number[];
    max_queue_delay_microseconds?: number;
    preserve_ordering?: boolean;
  };
}

export interface SequenceControl {
  kind: string;
  int32_false_true?: number[];
  fp32_false_true?: number[];
  bool_false_true?: boolean[];
  data_type?: ConfigDataType;
}

export interface SequenceState {
  input_name: string;
  output_name: string;
  data_type: ConfigDataType;
  dims: number[];
  [key: string]: unknown;
}

export interface EnsembleScheduling {
  step: {
    model_name: string;
    model_version: number;
    input_map: Record<string, string>;
    output_map: Record<string, string>;
    model_namespace?: string;
  }[];
}

export interface InstanceGroup {
  name: string;
  kind: "KIND_AUTO" | "KIND_GPU" | "KIND_CPU" | "KIND_MODEL";
  count: number;
  gpus?: number[];
  profile?: string[];
  passive?: boolean;
  host_policy?: string;
  [key: string]: unknown;
}

export interface ModelWarmup {
  name: string;
  batch_size: number;
  inputs: Record<string, unknown>;
  count?: number;
}

export interface ModelTransactionPolicy {
  decoupled: boolean;
}

/** The configuration of the input called `name`, or undefined. */
export function inputConfig(config: ModelConfig, name: string): ModelInput | undefined {
  return config.input.find((input) => input.name === name);
}

/** The configuration of the output called `name`, or undefined. */
export function outputConfig(config: ModelConfig, name: string): ModelOutput | undefined {
  return config.output.find((output) => output.name === name);
}

/** The text of the model's own parameter called `key`, or undefined. */
export function modelParameter(config: ModelConfig, key: string): string | undefined {
  const parameters = config.parameters;
  return parameters !== undefined && Object.hasOwn(parameters, key) ? parameters[key]!.string_value : undefined;
}

/** Whether the model may send any number of responses to a request. */
export function isDecoupled(config: ModelConfig): boolean {
  return config.model_transaction_policy?.decoupled ?? false;
}
