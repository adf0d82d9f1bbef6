// SPDX-License-Identifier: Apache-2.0
import { type DataType, dataTypeInfo } from "./datatype.ts";
import { defect, TritonError } from "./errors.ts";
import { type ExecOptions, execCall } from "./exec_call.ts";
import { type InferenceRequestOptions, MadeRequest } from "./made_request.ts";
import { checkOptionNames } from "./options.ts";
import { noteOrigin } from "./origin.ts";
import type { Parameters } from "./parameters.ts";
import type { RequestSource } from "./request_source.ts";
import type { InferenceResponse } from "./response.ts";
import type { ResponseSender } from "./response_sender.ts";
import { type ResponseStream, type StreamOptions, streamCall } from "./response_stream.ts";
import { lazyTensor, type Tensor } from "./tensor.ts";
import { checkedElementCount, checkName } from "./tensor_checks.ts";
import type { Trace } from "./trace.ts";
import { kindName, shown } from "./value_words.ts";

/** The bits of `request.flags`. */
const SEQUENCE_START = 1;
const SEQUENCE_END = 2;

/** Marks a constructor call of the runtime, which has received the request. */
const RECEIVED = Symbol("received");

let makeRequest: (source: RequestSource) => InferenceRequest;

/** The boolean options of `method`, each with its default where it is left out. */
function checkedOptions<K extends string>(
  method: string,
  given: Readonly<Partial<Record<K, boolean | undefined>>>,
  defaults: Readonly<Record<K, boolean>>,
): Record<K, boolean> {
  const options: Record<K, boolean> = { ...defaults };
  if (typeof given !== "object" || given === null) {
    throw defect(`${method} takes an object of options, but got ${kindName(given)}.`);
  }
  checkOptionNames(method, given, Object.keys(defaults));
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined) continue;
    if (typeof value !== "boolean") {
      throw defect(`The option '${name}' of ${method} must be true or false, but is ${shown(value)}.`);
    }
    options[name as K] = value;
  }
  return options;
}

/**
 * One request of a batch, as `execute` gets it, the one that `stream` gets, or one that the model makes itself to call another
 * model.
 *
 * The tensors of a request that was received are views on memory that is shared with the server and are valid until the
 * request has its last response.
 */
export class InferenceRequest {
  #source: RequestSource;
  #id: string | undefined;
  #correlationId: number | bigint | string | undefined;
  #parameters: Parameters | undefined;
  #requestedOutputs: readonly string[] | undefined;
  /** The inputs made so far, at their index; undefined while there is none. */
  #made: (Tensor | undefined)[] | undefined;
  #inputs: readonly Tensor[] | undefined;
  #sender: ResponseSender | undefined;

  /**
   * Makes a request to another model, to be sent by `exec` or `stream`, as often as it is wanted.
   *
   * @throws TritonError INTERNAL when an option is missing, wrong or unknown
   */
  constructor(options: InferenceRequestOptions);
  constructor(options: InferenceRequestOptions | RequestSource, mark?: symbol) {
    this.#source = mark === RECEIVED ? (options as RequestSource) : new MadeRequest(options as InferenceRequestOptions);
    this.#id = undefined;
    this.#correlationId = undefined;
    this.#parameters = undefined;
    this.#requestedOutputs = undefined;
    this.#made = undefined;
    this.#inputs = undefined;
    this.#sender = undefined;
  }

  /** The id that the client gave, or an empty string. */
  get id(): string {
    this.#id ??= this.#source.id;
    return this.#id;
  }

  /** The sequence that the request belongs to, as the client named it; 0 when it belongs to none. */
  get correlationId(): number | bigint | string {
    this.#correlationId ??= this.#source.correlationId;
    return this.#correlationId;
  }

  /** Triton's request flags: 1 for the start of a sequence, 2 for its end. */
  get flags(): number {
    return this.#source.flags;
  }

  /** Whether the request is the first of its sequence. */
  get sequenceStart(): boolean {
    return (this.#source.flags & SEQUENCE_START) !== 0;
  }

  /** Whether the request is the last of its sequence. */
  get sequenceEnd(): boolean {
    return (this.#source.flags & SEQUENCE_END) !== 0;
  }

  /** The time that the client gives the request, in microseconds; 0 when it gives no limit. */
  get timeoutUs(): number {
    return this.#source.timeoutUs;
  }

  /**
   * When the time that the client gives the request is over, in milliseconds on the clock of `performance.now()`; undefined
   * when it gives no limit.
   */
  get deadlineMs(): number | undefined {
    return this.#source.deadlineMs;
  }

  /**
   * Whether nobody waits for the answer any more: the client cancelled, or has gone. True at once, even in a loop that never
   * leaves the event loop a turn. It stays as it is once the request is answered.
   */
  get isCancelled(): boolean {
    return this.#source.isCancelled;
  }

  /** Aborted when nobody waits for the answer any more; its reason is a TritonError with the code CANCELLED. */
  get signal(): AbortSignal {
    return this.#source.signal;
  }

  /**
   * The trace that the server makes of the request, as other tools know it; undefined when the server does not trace it. The
   * same object each time.
   */
  get trace(): Trace | undefined {
    return this.#source.trace;
  }

  /** The parameters that the client sent with the request. */
  get parameters(): Parameters {
    this.#parameters ??= this.#source.parameters;
    return this.#parameters;
  }

  /** The names of the outputs that the client wants. Others may be made and are dropped. */
  get requestedOutputs(): readonly string[] {
    this.#requestedOutputs ??= this.#source.requestedOutputs;
    return this.#requestedOutputs;
  }

  /** The inputs that the client sent, in its order; an absent optional input is not among them. */
  get inputs(): readonly Tensor[] {
    if (this.#inputs === undefined) {
      const inputs: Tensor[] = [];
      for (let i = 0; i < this.#source.inputCount; i++) inputs.push(this.#inputAt(i));
      this.#inputs = inputs;
    }
    return this.#inputs;
  }

  /**
   * The input called `name`; the same tensor each time.
   *
   * @param datatype when given, the input must have it, and the tensor is typed by it
   * @throws TritonError INVALID_ARG when the client did not send this input; INTERNAL when the model's configuration has
   *   no such input, or its datatype is another one
   */
  input<D extends DataType>(name: string, datatype: D): Tensor<D>;
  input(name: string, datatype?: undefined): Tensor;
  input(name: string, datatype?: DataType): Tensor {
    const found = this.optionalInput(name, datatype as DataType);
    if (found !== undefined) return found;
    checkName(name);
    const { declaredInputs } = this.#source;
    if (!declaredInputs.includes(name)) {
      const all = declaredInputs.map((declared) => `'${declared}'`).join(", ");
      const isMade = this.#source instanceof MadeRequest;
      throw defect(
        `The model asked for input '${name}', which ${isMade ? "it did not give to this request" : "is not in its configuration"}. ` +
          `${all === "" ? "It has no inputs." : `Its inputs are ${all}.`}`,
      );
    }
    const names = this.inputs.map((tensor) => `'${tensor.name}'`).join(", ");
    throw new TritonError(
      `The request has no input '${name}'. ${names === "" ? "It has no inputs." : `Its inputs are ${names}.`}`,
      "INVALID_ARG",
    );
  }

  /**
   * The input called `name`, or undefined when the request has no such input.
   *
   * @param datatype when given, an input that is there must have it, and the tensor is typed by it
   * @throws TritonError INTERNAL when the datatype of the input is another one
   */
  optionalInput<D extends DataType>(name: string, datatype: D): Tensor<D> | undefined;
  optionalInput(name: string, datatype?: undefined): Tensor | undefined;
  optionalInput(name: string, datatype?: DataType): Tensor | undefined {
    const source = this.#source;
    for (let i = 0; i < source.inputCount; i++) {
      if (source.inputName(i) !== name) continue;
      const tensor = this.#inputAt(i);
      if (datatype !== undefined && tensor.datatype !== datatype) {
        throw defect(
          `Input '${name}' has datatype ${tensor.datatype}, but the model asked for ${dataTypeInfo(datatype).name}.`,
        );
      }
      return tensor;
    }
    return undefined;
  }

  #inputAt(index: number): Tensor {
    const made = this.#made?.[index];
    if (made !== undefined) return made;
    const source = this.#source;
    if (source instanceof MadeRequest) return source.content.inputs[index]!;
    const tensor = lazyTensor(
      source.inputName(index),
      source.inputDatatype(index),
      source.inputShape(index),
      source,
      index,
    );
    this.#made ??= new Array<Tensor | undefined>(source.inputCount);
    this.#made[index] = tensor;
    return tensor;
  }

  /**
   * Makes an output whose data lies in memory shared with the server already: fill `tensor.data` in place, and answer
   * with the tensor. What you do not fill is zero.
   *
   * @throws TritonError INTERNAL when the name is empty, a dimension is not a whole number of at least 0, or the
   *   datatype is BYTES, whose size the shape does not tell; UNAVAILABLE when the memory limit is reached
   */
  allocateOutput<D extends DataType>(name: string, datatype: D, shape: readonly number[]): Tensor<D> {
    checkName(name);
    if (dataTypeInfo(datatype).name === "BYTES") {
      throw defect(
        `Output '${name}' of datatype BYTES cannot be allocated, since its size depends on its elements. ` +
          `Use new Tensor("${name}", strings, shape).`,
      );
    }
    const elementCount = checkedElementCount(name, shape, "request.allocateOutput(name, datatype, shape)");
    const output = this.#source.allocateOutput(name, datatype, shape.slice(), elementCount) as Tensor<D>;
    noteOrigin(output);
    return output;
  }

  /**
   * Sends the responses to this request, now or after `execute` has returned; the same object each time. A model in default
   * mode that has asked for it may put null in the place of the response.
   */
  responseSender(): ResponseSender {
    this.#sender ??= this.#source.responseSender();
    return this.#sender;
  }

  /**
   * Gives the request back to the scheduler when `execute` is over: it comes again, in a later batch and as a new object. In
   * default mode null must stand in the place of its response. Only for models with
   * `sequence_batching { iterative_sequence: true }`.
   *
   * @throws TritonError INTERNAL for any other model, and when the request is answered already
   */
  reschedule(): void {
    this.#source.reschedule();
  }

  /**
   * Calls the other model, and gives its response. A decoupled model may give one response with data at most; one that gives
   * none gives a response without outputs.
   *
   * @throws TritonError the error of the other model with its code and text, or why it could not be called
   */
  exec(options?: ExecOptions): Promise<InferenceResponse> {
    const throwOnError =
      options === undefined || checkedOptions("exec()", options, { throwOnError: true }).throwOnError;
    return execCall(this.#toSend("exec()").content, throwOnError);
  }

  /**
   * Calls the other model, and gives its responses as they come, whether it is decoupled or not:
   * `for await (const response of request.stream())`. The call begins at once.
   */
  stream(options: StreamOptions = {}): ResponseStream {
    const checked = checkedOptions("stream()", options, { throwOnError: true, emptyFinal: false });
    return streamCall(this.#toSend("stream()").content, checked);
  }

  #toSend(method: string): MadeRequest {
    if (this.#source instanceof MadeRequest) return this.#source;
    throw defect(
      `${method} sends requests that the model makes itself, but this one was received. ` +
        "Give its inputs to a new one: new InferenceRequest({ modelName, inputs: request.inputs }).",
    );
  }

  static {
    makeRequest = (source) => new ReceivedRequest(source, RECEIVED);
  }
}

/** The constructor as the runtime calls it. */
const ReceivedRequest = InferenceRequest as unknown as new (
  source: RequestSource,
  mark: typeof RECEIVED,
) => InferenceRequest;

/** Makes the request that a model sees of what the runtime received. */
export function requestFromSource(source: RequestSource): InferenceRequest {
  return makeRequest(source);
}

Object.defineProperty(InferenceRequest.prototype, Symbol.for("nodejs.util.inspect.custom"), {
  value(this: InferenceRequest): string {
    try {
      const inputs = this.inputs.map((tensor) => `${tensor.name} ${tensor.datatype} [${tensor.shape.join(", ")}]`);
      return `InferenceRequest { id: '${this.id}', inputs: ${inputs.join("; ")} }`;
    } catch {
      return "InferenceRequest { cannot be read any more }";
    }
  },
  configurable: true,
  writable: true,
});
