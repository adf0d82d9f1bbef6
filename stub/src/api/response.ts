// SPDX-License-Identifier: Apache-2.0
import { type DataType, dataTypeInfo } from "./datatype.ts";
import { defect, TritonError } from "./errors.ts";
import { checkOptionNames } from "./options.ts";
import { noteOrigin } from "./origin.ts";
import { checkParameters, type Parameters } from "./parameters.ts";
import { Tensor } from "./tensor.ts";
import { checkName } from "./tensor_checks.ts";
import { kindName, shown } from "./value_words.ts";

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
const OPTION_NAMES = Object.keys({ error: 0, parameters: 0 } satisfies Record<keyof InferenceResponseOptions, 0>);

/** What is no object of options would be a success, where the model meant an error. */
function checkOptions(options: unknown): void {
  const what = "new InferenceResponse()";
  if (options instanceof TritonError) {
    throw defect(
      `The second argument of ${what} must be an object, but is a TritonError. ` +
        "Write new InferenceResponse(outputs, { error }).",
    );
  }
  if (options instanceof Error) {
    throw defect(
      `The second argument of ${what} must be an object, but is ${kindName(options)}. ` +
        "Write new InferenceResponse(outputs, { error }) with a TritonError.",
    );
  }
  if (typeof options !== "object" || options === null || Array.isArray(options)) {
    throw defect(`The second argument of ${what} must be an object such as { error }, but is ${shown(options)}.`);
  }
  checkOptionNames(what, options, OPTION_NAMES);
}

function checkOutputs(outputs: readonly Tensor[]): void {
  if (!Array.isArray(outputs)) {
    throw defect(`The outputs of an InferenceResponse must be an array of Tensor, but are ${kindName(outputs)}.`);
  }
  for (let i = 0; i < outputs.length; i++) {
    const output = outputs[i] as unknown;
    if (!(output instanceof Tensor)) {
      throw defect(`Output ${i} of an InferenceResponse must be a Tensor, but is ${kindName(output)}.`);
    }
    for (let j = 0; j < i; j++) {
      if (outputs[j]!.name === output.name) {
        throw defect(`An InferenceResponse has two outputs named '${output.name}'.`);
      }
    }
  }
}

/** What keeps the outputs of a response to a call. */
export interface OutputMemory {
  /** Gives the memory of outputs back, whose data is empty from then on. */
  dispose(outputs: readonly Tensor[]): void;
}

type Received = Pick<InferenceResponse, "outputs" | "parameters">;

let isMade: (value: object) => value is InferenceResponse;
let setReceived: (response: InferenceResponse, received: Received, memory: OutputMemory) => void;

/** The answer to one request: its outputs, or an error. A model makes them, and gets those of other models that it calls. */
export class InferenceResponse {
  readonly outputs: readonly Tensor[];
  readonly error: TritonError | undefined;
  readonly parameters: Parameters;
  #memory: OutputMemory | undefined;

  /**
   * @param outputs the outputs in any order; those that the client did not ask for are dropped
   * @throws TritonError INTERNAL when an output is not a `Tensor`, two have the same name, an option is unknown, the error
   *   is not a `TritonError`, the parameters are no plain object, or one has a value that Triton cannot carry
   */
  constructor(outputs: readonly Tensor[] = NO_OUTPUTS, options: InferenceResponseOptions = NO_OPTIONS) {
    noteOrigin(this);
    checkOutputs(outputs);
    if (options !== NO_OPTIONS) checkOptions(options);
    const { error, parameters } = options;
    if (error !== undefined && !(error instanceof TritonError)) {
      throw defect(`The error of an InferenceResponse must be a TritonError, but is ${kindName(error)}.`);
    }
    if (parameters !== undefined) checkParameters("Response", parameters);
    this.outputs = outputs;
    this.error = error;
    this.parameters = parameters ?? NO_PARAMETERS;
    this.#memory = undefined;
  }

  /**
   * The output called `name`.
   *
   * @param datatype when given, the output must have it, and the tensor is typed by it
   * @throws TritonError INTERNAL when the response has no such output, or its datatype is another one; when the response is
   *   an error, with the code of that error
   */
  output<D extends DataType>(name: string, datatype: D): Tensor<D>;
  output(name: string, datatype?: undefined): Tensor;
  output(name: string, datatype?: DataType): Tensor {
    const found = this.optionalOutput(name, datatype as DataType);
    if (found !== undefined) return found;
    checkName(name);
    if (this.error !== undefined) {
      const { message, code } = this.error;
      throw new TritonError(`The response is an error and has no output '${name}': ${message}`, code, {
        cause: this.error,
      });
    }
    const names = this.outputs.map((tensor) => `'${tensor.name}'`).join(", ");
    throw defect(
      `The response has no output '${name}'. ${names === "" ? "It has no outputs." : `Its outputs are ${names}.`}`,
    );
  }

  /**
   * The output called `name`, or undefined when the response has no such output.
   *
   * @param datatype when given, an output that is there must have it, and the tensor is typed by it
   * @throws TritonError INTERNAL when the datatype of the output is another one
   */
  optionalOutput<D extends DataType>(name: string, datatype: D): Tensor<D> | undefined;
  optionalOutput(name: string, datatype?: undefined): Tensor | undefined;
  optionalOutput(name: string, datatype?: DataType): Tensor | undefined {
    const found = this.outputs.find((tensor) => tensor.name === name);
    if (found !== undefined && datatype !== undefined && found.datatype !== datatype) {
      throw defect(
        `Output '${name}' has datatype ${found.datatype}, but the model asked for ${dataTypeInfo(datatype).name}.`,
      );
    }
    return found;
  }

  /**
   * Gives the memory of another model's answer back at once; the data of its large outputs is empty from then on. It comes back
   * by itself when nothing refers to them any more. Does nothing for a response that the model made.
   */
  dispose(): void {
    this.#memory?.dispose(this.outputs);
  }

  /** `using response = await request.exec();` disposes of the response at the end of the block. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  static {
    isMade = (value): value is InferenceResponse => #memory in value;
    setReceived = (response, received, memory) => {
      Object.assign(response, received);
      response.#memory = memory;
    };
  }
}

/** Whether something is a response, and does not only look like one. */
export function isResponse(value: unknown): value is InferenceResponse {
  return typeof value === "object" && value !== null && isMade(value);
}

/** What else is to be said of something that is no response: a hint, or nothing. */
export function hintOfLikeness(value: unknown): string {
  return value instanceof InferenceResponse ? " It was not made by new InferenceResponse()." : "";
}

/** Makes a response of another model's answer, which need not be one that a model here may give. */
export function receivedResponse(
  outputs: readonly Tensor[],
  parameters: Parameters,
  memory: OutputMemory,
): InferenceResponse {
  const response = new InferenceResponse();
  setReceived(response, { outputs, parameters }, memory);
  return response;
}
