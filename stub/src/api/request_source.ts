// SPDX-License-Identifier: Apache-2.0
import type { DataType } from "./datatype.ts";
import type { Parameters } from "./parameters.ts";
import type { ResponseSender } from "./response_sender.ts";
import type { Tensor, TensorSource } from "./tensor.ts";
import type { Trace } from "./trace.ts";

/**
 * What a request reads from the runtime. Everything is read when a model asks for it; what is costly to read is asked
 * for once.
 */
export interface RequestSource extends TensorSource {
  readonly id: string;
  readonly correlationId: number | bigint | string;
  readonly flags: number;
  readonly timeoutUs: number;
  readonly parameters: Parameters;
  readonly requestedOutputs: readonly string[];
  readonly inputCount: number;
  /** The inputs of the model's configuration, whether or not the client sent them. */
  readonly declaredInputs: readonly string[];
  readonly isCancelled: boolean;
  readonly signal: AbortSignal;
  readonly deadlineMs: number | undefined;
  readonly trace: Trace | undefined;
  inputName(index: number): string;
  inputDatatype(index: number): DataType;
  /** A fresh array, which belongs to the tensor. */
  inputShape(index: number): number[];
  /** Arguments are checked: the name is not empty, the datatype is not BYTES and the dimensions are sound. */
  allocateOutput(name: string, datatype: DataType, shape: number[], elementCount: number): Tensor;
  /** Asked for once. */
  responseSender(): ResponseSender;
  reschedule(): void;
}
