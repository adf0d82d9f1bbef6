// SPDX-License-Identifier: Apache-2.0
// What a server tells of itself and its models, with the names of Triton's JSON, over either protocol.

export interface ServerMetadata {
  name: string;
  version: string;
  extensions: string[];
}

export interface TensorMetadata {
  name: string;
  /** Such as `FP32`. */
  datatype: string;
  /** With the batch dimension; -1 stands for any size. */
  shape: number[];
}

export interface ModelMetadata {
  name: string;
  versions: string[];
  platform: string;
  inputs: TensorMetadata[];
  outputs: TensorMetadata[];
}

/** A model, or a version of it, in the server's repositories. */
export interface RepositoryIndexEntry {
  name: string;
  version?: string;
  /** Such as `READY`, `UNAVAILABLE`, `LOADING`. */
  state?: string;
  /** Why it is unavailable. */
  reason?: string;
}

/** How often something happened, and how long it took in all, in nanoseconds. */
export interface StatisticDuration {
  count: number;
  ns: number;
}

type Durations<Names extends string> = Partial<Record<Names, StatisticDuration>>;

/** What a version of a model has done since it was loaded. */
export interface ModelStatistics {
  name: string;
  version: string;
  /** Milliseconds since 1970. */
  last_inference: number;
  inference_count: number;
  execution_count: number;
  inference_stats: Durations<
    "success" | "fail" | "queue" | "compute_input" | "compute_infer" | "compute_output" | "cache_hit" | "cache_miss"
  >;
  batch_stats: (Durations<"compute_input" | "compute_infer" | "compute_output"> & { batch_size: number })[];
  memory_usage: { type: string; id: number; byte_size: number }[];
  /** By the index of a response in its request. */
  response_stats: Record<
    string,
    Durations<"compute_infer" | "compute_output" | "success" | "fail" | "empty_response" | "cancel">
  >;
}

/** Shared memory that is registered with the server. */
export interface SharedMemoryStatus {
  name: string;
  key: string;
  offset: number;
  byte_size: number;
}

/** How a model is loaded. */
export interface LoadModelOptions {
  /** A configuration in the place of the model's own, as JSON or its text. */
  config?: object | string | undefined;
  /** Files in the place of those in the repository, by their path in the model's folder; they need `config`. */
  files?: Readonly<Record<string, Uint8Array | string>> | undefined;
}

export interface UnloadModelOptions {
  /** Unloads the models that an ensemble is made of, too. */
  unloadDependents?: boolean | undefined;
}

/** The settings of the server's log, such as `log_verbose_level`. */
export type LogSettings = Record<string, string | number | boolean>;

/** The settings of traces, such as `trace_level`. */
export type TraceSettings = Record<string, string | string[]>;
