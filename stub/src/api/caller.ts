// SPDX-License-Identifier: Apache-2.0
// Between the API and the runtime, which knows how to reach other models.
import { TritonError } from "./errors.ts";
import type { Parameters } from "./parameters.ts";
import type { InferenceResponse } from "./response.ts";
import type { Tensor } from "./tensor.ts";
import type { Trace } from "./trace.ts";

/** What another model is asked. All of it is checked, and nobody changes it any more. */
export interface CallContent {
  readonly modelName: string;
  /** -1: as the server's policy says. */
  readonly modelVersion: number;
  readonly inputs: readonly Tensor[];
  /** None: all of them. */
  readonly requestedOutputs: readonly string[];
  readonly id: string;
  readonly correlationId: number | bigint | string;
  readonly flags: number;
  readonly timeoutUs: number | bigint;
  readonly priority: number | bigint;
  readonly parameters: Parameters;
  readonly signal: AbortSignal | undefined;
  /** Undefined: that of the request that the call is made for; null: none. */
  readonly trace: Trace | null | undefined;
}

/**
 * Takes the responses to a call, one after the other; undefined says that there are no more, and nothing else. The last one is
 * final. A call that fails has one response with an error.
 */
export type CallListener = (response: InferenceResponse | undefined, isFinal: boolean) => void;

/** A call on its way. */
export interface OpenCall {
  /** Asks the other model to stop. Does nothing when the call is over. */
  cancel(): void;
}

/** What makes calls. */
export interface Caller {
  /** Begins a call. The data of its inputs is taken before this returns, or must stay as it is until the last response. */
  call(content: CallContent, listener: CallListener): OpenCall;
}

let current: Caller | undefined;

/** Sets what makes the calls of this process; undefined when there is nothing to call. */
export function setCaller(caller: Caller | undefined): void {
  current = caller;
}

/** @throws TritonError UNAVAILABLE when no server is there */
export function theCaller(): Caller {
  if (current !== undefined) return current;
  throw new TritonError(
    "Other models can be called from a model that is served, from its initialize on, and not from worker threads.",
    "UNAVAILABLE",
  );
}
