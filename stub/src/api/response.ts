// SPDX-License-Identifier: Apache-2.0
import { defect, TritonError } from "./errors.ts";
import { noteOrigin } from "./origin.ts";
import type { Parameters, ParameterValue } from "./parameters.ts";
import { Tensor } from "./tensor.ts";

/** What else a response may carry. */
export interface InferenceResponseOptions {
  /** Fails the request; the outputs are ignored then. */
  error?: TritonError | undefined;
  /** Named values for the client. A whole number must be a safe integer, a bigint must fit 64 bits. */
  parameters?: Parameters | undefined;
}

const NO_OUTPUTS: readonly Tensor[] = Object.freeze([]);
const NO_PARAMETERS: Parameters = Object.freeze({});
const NO_OPTIONS: InferenceResponseOptions = Object.freeze({});

function describe(value: unknown): string {
  if (value === null || typeof value !== "object") return value === null ? "null" : typeof value;
  return value.constructor?.name || "object";
}

function checkOutputs(outputs: readonly Tensor[]): void {
  if (!Array.isArray(outputs)) {
    throw defect(`The outputs of an InferenceResponse must be an array of Tensor, but are ${describe(outputs)}.`);
  }
  for (let i = 0; i < outputs.length; i++) {
    const output = outputs[i] as unknown;
    if (!(output instanceof Tensor)) {
      throw defect(`Output ${i} of an InferenceResponse must be a Tensor, but is ${describe(output)}.`);
    }
    for (let j = 0; j < i; j++) {
      if (outputs[j]!.name === output.name) {
        throw defect(`An InferenceResponse has two outputs named '${output.name}'.`);
      }
    }
  }
}

/** @throws TritonError INTERNAL when Triton cannot carry the value, or a text would end at a zero */
export function checkParameter(key: string, value: ParameterValue): void {
  const text = typeof value === "string" ? value : "";
  if (key.includes("\0") || text.includes("\0")) {
    throw defect(`Response parameter '${key}' has a zero character, where Triton's texts end. Leave it out.`);
  }
  const sound =
    typeof value === "string" ||
    typeof value === "boolean" ||
    (typeof value === "number" && (Number.isInteger(value) ? Number.isSafeInteger(value) : Number.isFinite(value))) ||
    (typeof value === "bigint" && BigInt.asIntN(64, value) === value);
  if (!sound) {
    const shown = typeof value === "number" || typeof value === "bigint" ? String(value) : describe(value);
    throw defect(
      `Response parameter '${key}' is ${shown}. ` +
        "Give a string, a boolean, a finite number (whole ones up to 2^53) or a bigint that fits 64 bits.",
    );
  }
}

/** Of an object literal, of any realm, or one without a prototype. */
function isPlainObject(value: unknown): boolean {
  if (value === null || typeof value !== "object") return false;
  const prototype = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

function checkParameters(parameters: Parameters): void {
  if (!isPlainObject(parameters)) {
    throw defect(
      `The parameters of an InferenceResponse must be a plain object, { name: value }, but are ${describe(parameters)}.`,
    );
  }
  for (const [key, value] of Object.entries(parameters)) checkParameter(key, value);
}

/** The answer to one request: its outputs, or an error. */
export class InferenceResponse {
  readonly outputs: readonly Tensor[];
  readonly error: TritonError | undefined;
  readonly parameters: Parameters;

  /**
   * @param outputs the outputs in any order; those that the client did not ask for are dropped
   * @throws TritonError INTERNAL when an output is not a `Tensor`, two have the same name, the error is not a
   *   `TritonError`, the parameters are no plain object, or one has a value that Triton cannot carry
   */
  constructor(outputs: readonly Tensor[] = NO_OUTPUTS, options: InferenceResponseOptions = NO_OPTIONS) {
    noteOrigin(this);
    checkOutputs(outputs);
    const { error, parameters } = options;
    if (error !== undefined && !(error instanceof TritonError)) {
      throw defect(`The error of an InferenceResponse must be a TritonError, but is ${describe(error)}.`);
    }
    if (parameters !== undefined) checkParameters(parameters);
    this.outputs = outputs;
    this.error = error;
    this.parameters = parameters ?? NO_PARAMETERS;
  }

  /** The output called `name`, or undefined. */
  output(name: string): Tensor | undefined {
    return this.outputs.find((tensor) => tensor.name === name);
  }
}
