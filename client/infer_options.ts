// SPDX-License-Identifier: Apache-2.0
// A request to a model as it is given, and as it is sent: checked, in the same form for gRPC and HTTP.
import { TritonError } from "../stub/src/api/errors.ts";
import { checkParameters, type Parameters } from "../stub/src/api/parameters.ts";
import { Tensor } from "../stub/src/api/tensor.ts";
import { shown } from "../stub/src/api/value_words.ts";
import type { CallOptions } from "./call_options.ts";
import type { SharedMemoryRange } from "./memory_place.ts";

/** An output that is wanted in another form than its tensor. */
export interface RequestedOutput {
  name: string;
  /** Where the server writes it, in memory that is registered with it. */
  memory?: SharedMemoryRange | undefined;
  /** Gives the so many highest values of the output, as BYTES "value:index:label". */
  classification?: number | undefined;
}

/** What a call about a model, or a version of it, takes. */
export interface VersionOptions extends CallOptions {
  /** Left out, the server chooses by the model's policy. */
  modelVersion?: number | bigint | string | undefined;
}

/** What a request to a model may say beside its inputs. */
export interface InferOptions extends VersionOptions {
  /** The outputs that are wanted, by name or with a place; all of them when left out or empty. */
  requestedOutputs?: readonly (string | RequestedOutput)[] | undefined;
  /** Comes back with the answer, and stands in the server's log. */
  id?: string | undefined;
  /** The sequence that the request belongs to; 0 and "" when it belongs to none. */
  correlationId?: number | bigint | string | undefined;
  sequenceStart?: boolean | undefined;
  sequenceEnd?: boolean | undefined;
  /** How long the request may wait in the server's queues, in microseconds. */
  timeoutUs?: number | bigint | undefined;
  /** The priority level; 0 for the model's default. */
  priority?: number | bigint | undefined;
  /** Named values for the model. */
  parameters?: Parameters | undefined;
}

/** What a request whose responses are iterated may say. */
export interface StreamOptions extends InferOptions {
  /**
   * An error in the place of a response ends the loop with that error, and cancels the rest: true by default. With false it
   * is an item with `error` set, and the stream goes on.
   */
  throwOnError?: boolean | undefined;
}

/** A request in the form in which both protocols send it. */
export interface CheckedInfer {
  readonly modelName: string;
  /** "" leaves it to the server. */
  readonly modelVersion: string;
  readonly id: string;
  readonly inputs: readonly Tensor[];
  readonly outputs: readonly RequestedOutput[];
  /** Those of the caller and those that sequences, priorities and queues have. */
  readonly parameters: Parameters;
}

/** Parameters with a meaning of their own, and the option that sets each. */
const RESERVED: ReadonlyMap<string, string> = new Map([
  ["sequence_id", "correlationId"],
  ["sequence_start", "sequenceStart"],
  ["sequence_end", "sequenceEnd"],
  ["priority", "priority"],
  ["timeout", "timeoutUs"],
  ["binary_data_output", "requestedOutputs"],
]);

function wrong(name: string, value: unknown, wanted: string, kind = "option"): never {
  throw new TritonError(`the ${kind} '${name}' must be ${wanted}, but is ${shown(value)}.`, "INVALID_ARG");
}

function wholeNumber(option: string, value: unknown): number | bigint {
  const isWhole =
    typeof value === "bigint"
      ? BigInt.asUintN(64, value) === value
      : Number.isSafeInteger(value) && (value as number) >= 0;
  return isWhole ? (value as number | bigint) : wrong(option, value, "a whole number of at least 0 that fits 64 bits");
}

function modelNameOf(value: unknown): string {
  if (typeof value === "string" && value !== "") return value;
  return wrong("modelName", value, "the name of a model", "argument");
}

/** The version of a model as the protocols have it; "" for none. */
export function versionOf(value: unknown): string {
  if (value === undefined) return "";
  if (typeof value === "string") return /^\d*$/.test(value) ? value : wrong("modelVersion", value, "a whole number");
  return String(wholeNumber("modelVersion", value));
}

function inputsOf(value: unknown): readonly Tensor[] {
  if (!Array.isArray(value)) return wrong("inputs", value, "an array of Tensor", "argument");
  const names = new Set<string>();
  for (const input of value as unknown[]) {
    if (!(input instanceof Tensor)) return wrong("inputs", input, "an array of Tensor", "argument");
    if (names.has(input.name)) {
      throw new TritonError(`two inputs are named '${input.name}'.`, "INVALID_ARG");
    }
    names.add(input.name);
  }
  return value as Tensor[];
}

function outputOf(value: unknown): RequestedOutput {
  const output = typeof value === "string" ? { name: value } : (value as RequestedOutput | null);
  if (typeof output?.name !== "string" || output.name === "") {
    return wrong("requestedOutputs", value, "names of outputs, or objects with a name");
  }
  if (output.classification !== undefined) wholeNumber("classification", output.classification);
  return output;
}

function outputsOf(value: unknown): readonly RequestedOutput[] {
  if (value === undefined) return [];
  return Array.isArray(value) ? value.map(outputOf) : wrong("requestedOutputs", value, "an array");
}

function sequenceParameters(options: InferOptions): Parameters {
  const { correlationId: id = 0, sequenceStart = false, sequenceEnd = false } = options;
  if (id === 0 || id === 0n || id === "") {
    if (!sequenceStart && !sequenceEnd) return {};
    throw new TritonError(
      "a sequence needs an id of its own, so give the option 'correlationId' with 'sequenceStart' and 'sequenceEnd'.",
      "INVALID_ARG",
    );
  }
  return {
    sequence_id: typeof id === "string" ? id : wholeNumber("correlationId", id),
    sequence_start: sequenceStart,
    sequence_end: sequenceEnd,
  };
}

function parametersOf(options: InferOptions): Parameters {
  const { parameters = {}, priority, timeoutUs } = options;
  checkParameters("Request", parameters);
  for (const key of Object.keys(parameters)) {
    const option = RESERVED.get(key);
    if (option === undefined) continue;
    throw new TritonError(
      `the parameter '${key}' is Triton's own. Use the option '${option}' in its place.`,
      "INVALID_ARG",
    );
  }
  return {
    ...parameters,
    ...sequenceParameters(options),
    ...(priority === undefined ? {} : { priority: wholeNumber("priority", priority) }),
    ...(timeoutUs === undefined ? {} : { timeout: wholeNumber("timeoutUs", timeoutUs) }),
  };
}

/** All that a request may say over either protocol; the types say which. */
const OPTIONS: ReadonlySet<string> = new Set([
  ...["signal", "deadlineMs", "headers", "modelVersion", "requestedOutputs", "id", "correlationId", "sequenceStart"],
  ...["sequenceEnd", "timeoutUs", "priority", "parameters", "throwOnError", "binary"],
]);

/** One that is misspelt would be left out in silence, where nobody checks types. */
function checkNames(options: object): void {
  const unknown = Object.keys(options).find((name) => !OPTIONS.has(name));
  if (unknown === undefined) return;
  throw new TritonError(
    `there is no option '${unknown}'. A limit for the call is 'deadlineMs', one for its wait in the server's queues 'timeoutUs'. ` +
      `The options are ${[...OPTIONS].join(", ")}.`,
    "INVALID_ARG",
  );
}

/** @throws TritonError when an option is none that can be sent */
export function checkedInfer(modelName: string, inputs: readonly Tensor[], options: InferOptions): CheckedInfer {
  checkNames(options);
  const { id = "" } = options;
  return {
    modelName: modelNameOf(modelName),
    modelVersion: versionOf(options.modelVersion),
    id: typeof id === "string" ? id : wrong("id", id, "a string"),
    inputs: inputsOf(inputs),
    outputs: outputsOf(options.requestedOutputs),
    parameters: parametersOf(options),
  };
}
