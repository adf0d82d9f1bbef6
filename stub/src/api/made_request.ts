// SPDX-License-Identifier: Apache-2.0
import type { CallContent } from "./caller.ts";
import type { DataType, TensorData } from "./datatype.ts";
import { defect } from "./errors.ts";
import { noOption } from "./options.ts";
import { checkParameters, type Parameters } from "./parameters.ts";
import type { RequestSource } from "./request_source.ts";
import { Tensor } from "./tensor.ts";
import { isTrace, type Trace } from "./trace.ts";
import { shown } from "./value_words.ts";

/** A request to another model. */
export interface InferenceRequestOptions {
  /** The model to be asked, as the server knows it. */
  modelName: string;
  /** Its inputs: tensors that the model made, inputs of a request at hand, outputs of other answers. */
  inputs: readonly Tensor[];
  /** The version of the model; -1, the default, leaves it to the server's policy. */
  modelVersion?: number | undefined;
  /** The names of the outputs that are wanted; all of them when left out or empty. */
  requestedOutputs?: readonly string[] | undefined;
  id?: string | undefined;
  /** The sequence that the request belongs to; 0 when it belongs to none. */
  correlationId?: number | bigint | string | undefined;
  /** Triton's request flags, in place of `sequenceStart` and `sequenceEnd`. */
  flags?: number | undefined;
  sequenceStart?: boolean | undefined;
  sequenceEnd?: boolean | undefined;
  /** How long the request may wait in queues, in microseconds; 0 for as long as it takes. */
  timeoutUs?: number | bigint | undefined;
  /** The priority level; 0 for the model's default. */
  priority?: number | bigint | undefined;
  parameters?: Parameters | undefined;
  /** Cancels the request when it is aborted. */
  signal?: AbortSignal | undefined;
  /**
   * The trace that the call is a part of: `request.trace` of any request that is not answered yet, or null for none. Left out,
   * it is that of the request that the model executes.
   */
  trace?: Trace | null | undefined;
}

const SEQUENCE_START = 1;
const SEQUENCE_END = 2;
const MAX_U32 = 2 ** 32 - 1;
const NO_NAMES: readonly string[] = Object.freeze([]);
const NO_PARAMETERS: Parameters = Object.freeze({});

type Options = Readonly<Record<keyof InferenceRequestOptions, unknown>>;

const OPTION_NAMES: ReadonlySet<string> = new Set(
  Object.keys({
    modelName: 0,
    inputs: 0,
    modelVersion: 0,
    requestedOutputs: 0,
    id: 0,
    correlationId: 0,
    flags: 0,
    sequenceStart: 0,
    sequenceEnd: 0,
    timeoutUs: 0,
    priority: 0,
    parameters: 0,
    signal: 0,
    trace: 0,
  } satisfies Record<keyof InferenceRequestOptions, 0>),
);

function wrong(option: keyof InferenceRequestOptions, value: unknown, wanted: string): never {
  throw defect(`The option '${option}' of an InferenceRequest must be ${wanted}, but is ${shown(value)}.`);
}

/** The server's own texts end at a zero character. */
function isText(value: unknown): value is string {
  return typeof value === "string" && !value.includes("\0");
}

function isName(value: unknown): value is string {
  return isText(value) && value !== "";
}

function nameOf(option: keyof InferenceRequestOptions, value: unknown): string {
  return isName(value) ? value : wrong(option, value, "a string that is not empty and without zero characters");
}

function idOf(value: unknown): string {
  if (value === undefined) return "";
  return isText(value) ? value : wrong("id", value, "a string without zero characters");
}

function isU64(value: unknown): value is number | bigint {
  if (typeof value === "bigint") return BigInt.asUintN(64, value) === value;
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function u64(option: keyof InferenceRequestOptions, value: unknown): number | bigint {
  if (value === undefined) return 0;
  return isU64(value) ? value : wrong(option, value, "a whole number of at least 0, or a bigint that fits 64 bits");
}

function flag(option: keyof InferenceRequestOptions, value: unknown): boolean {
  return value === undefined || typeof value === "boolean" ? value === true : wrong(option, value, "true or false");
}

function inputsOf(value: unknown): readonly Tensor[] {
  if (!Array.isArray(value)) return wrong("inputs", value, "an array of Tensor");
  const inputs: Tensor[] = [];
  for (const [i, input] of value.entries()) {
    if (!(input instanceof Tensor)) {
      throw defect(
        `Input ${i} of an InferenceRequest must be a Tensor, but is ${shown(input)}. See the option 'inputs'.`,
      );
    }
    if (!isName(input.name)) throw defect(`The name of input ${i} of an InferenceRequest has a zero character.`);
    if (inputs.some(({ name }) => name === input.name)) {
      throw defect(`The option 'inputs' of an InferenceRequest has two tensors named '${input.name}'.`);
    }
    inputs.push(input);
  }
  return Object.freeze(inputs);
}

function namesOf(value: unknown): readonly string[] {
  if (value === undefined) return NO_NAMES;
  const areNames = Array.isArray(value) && value.every(isName);
  return areNames ? Object.freeze(value.slice()) : wrong("requestedOutputs", value, "an array of names");
}

function versionOf(value: unknown): number {
  if (value === undefined) return -1;
  if (Number.isSafeInteger(value) && ((value as number) >= 1 || value === -1)) return value as number;
  return wrong("modelVersion", value, "a whole number of at least 1, or -1");
}

function correlationIdOf(value: unknown): number | bigint | string {
  if (isText(value)) return value;
  if (value === undefined) return 0;
  return isU64(value) ? value : wrong("correlationId", value, "a string, a whole number or a bigint that fits 64 bits");
}

function flagsOf({ flags, sequenceStart, sequenceEnd }: Options): number {
  const bits =
    (flag("sequenceStart", sequenceStart) ? SEQUENCE_START : 0) | (flag("sequenceEnd", sequenceEnd) ? SEQUENCE_END : 0);
  if (flags === undefined) return bits;
  if (!(Number.isSafeInteger(flags) && (flags as number) >= 0 && (flags as number) <= MAX_U32)) {
    return wrong("flags", flags, "a whole number of 32 bits");
  }
  if (sequenceStart === undefined && sequenceEnd === undefined) return flags as number;
  throw defect("An InferenceRequest takes the option 'flags', or 'sequenceStart' and 'sequenceEnd', but not both.");
}

function parametersOf(value: unknown): Parameters {
  if (value === undefined) return NO_PARAMETERS;
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return wrong("parameters", value, "an object of named values");
  }
  checkParameters("Request", value as Parameters);
  return { ...value };
}

function signalOf(value: unknown): AbortSignal | undefined {
  // Not what only looks like one: when the call is over nobody could be told what it lacks.
  return value === undefined || value instanceof AbortSignal ? value : wrong("signal", value, "an AbortSignal");
}

function traceOf(value: unknown): Trace | null | undefined {
  if (value === undefined || value === null || isTrace(value)) return value;
  return wrong("trace", value, "request.trace of a request, or null");
}

/** Throws for what is no soundly given call, naming the option. */
function contentOf(given: unknown): CallContent {
  if (typeof given !== "object" || given === null) {
    throw defect(
      `new InferenceRequest() needs an object such as { modelName: "classifier", inputs: [pixels] }, but got ${shown(given)}.`,
    );
  }
  for (const name of Object.keys(given)) {
    if (!OPTION_NAMES.has(name)) throw noOption("An InferenceRequest", name, [...OPTION_NAMES]);
  }
  const options = given as Options;
  return {
    modelName: nameOf("modelName", options.modelName),
    modelVersion: versionOf(options.modelVersion),
    inputs: inputsOf(options.inputs),
    requestedOutputs: namesOf(options.requestedOutputs),
    id: idOf(options.id),
    correlationId: correlationIdOf(options.correlationId),
    flags: flagsOf(options),
    timeoutUs: u64("timeoutUs", options.timeoutUs),
    priority: u64("priority", options.priority),
    parameters: parametersOf(options.parameters),
    signal: signalOf(options.signal),
    trace: traceOf(options.trace),
  };
}

/** A request that a model makes, as `InferenceRequest` reads it. */
export class MadeRequest implements RequestSource {
  readonly content: CallContent;

  /** @throws TritonError INTERNAL when an option is missing, wrong or unknown */
  constructor(options: InferenceRequestOptions) {
    this.content = contentOf(options);
  }

  get id(): string {
    return this.content.id;
  }

  get correlationId(): number | bigint | string {
    return this.content.correlationId;
  }

  get flags(): number {
    return this.content.flags;
  }

  get timeoutUs(): number {
    return Number(this.content.timeoutUs);
  }

  get parameters(): Parameters {
    return this.content.parameters;
  }

  get requestedOutputs(): readonly string[] {
    return this.content.requestedOutputs;
  }

  get inputCount(): number {
    return this.content.inputs.length;
  }

  get declaredInputs(): readonly string[] {
    return this.content.inputs.map(({ name }) => name);
  }

  inputName(index: number): string {
    return this.content.inputs[index]!.name;
  }

  inputDatatype(index: number): DataType {
    return this.content.inputs[index]!.datatype;
  }

  inputShape(index: number): number[] {
    return this.content.inputs[index]!.shape.slice();
  }

  inputData(index: number): TensorData {
    return this.content.inputs[index]!.data;
  }

  get isCancelled(): boolean {
    return this.content.signal?.aborted ?? false;
  }

  get signal(): AbortSignal {
    return this.content.signal ?? new AbortController().signal;
  }

  get deadlineMs(): undefined {
    return undefined;
  }

  get trace(): Trace | undefined {
    return this.content.trace ?? undefined;
  }

  allocateOutput(): never {
    return notReceived("allocateOutput()");
  }

  responseSender(): never {
    return notReceived("responseSender()");
  }

  reschedule(): never {
    return notReceived("reschedule()");
  }
}

function notReceived(method: string): never {
  throw defect(`${method} is for requests that the model receives, but this one it made itself to call another model.`);
}
