// SPDX-License-Identifier: Apache-2.0
import type { DataType } from "../stub/src/api/datatype.ts";
import { TritonError } from "../stub/src/api/errors.ts";
import type { Parameters } from "../stub/src/api/parameters.ts";
import type { Tensor } from "../stub/src/api/tensor.ts";

/** What came back from a model: one response to one request. */
export interface ResultContent {
  readonly modelName: string;
  readonly modelVersion: string;
  readonly id: string;
  readonly parameters: Parameters;
  readonly outputs: readonly Tensor[];
  readonly error?: TritonError | undefined;
}

/** A response of a model. */
export class InferenceResult implements ResultContent {
  readonly modelName: string;
  /** The version that answered. */
  readonly modelVersion: string;
  /** That of the request. */
  readonly id: string;
  /** Named values that the model sent with its answer. */
  readonly parameters: Parameters;
  /** In the order of the server. Their data is the caller's own, but for outputs that were requested in shared memory. */
  readonly outputs: readonly Tensor[];
  /** In the place of outputs; only in a stream with `throwOnError: false`. */
  readonly error: TritonError | undefined;

  constructor(content: ResultContent) {
    this.modelName = content.modelName;
    this.modelVersion = content.modelVersion;
    this.id = content.id;
    this.parameters = content.parameters;
    this.outputs = content.outputs;
    this.error = content.error;
  }

  /**
   * The output called `name`.
   *
   * @param datatype when given, the output must have it, and the tensor is typed by it
   * @throws TritonError NOT_FOUND when the answer has no such output, INVALID_ARG when its datatype is another one; when
   *   the answer is an error, that error
   */
  output<D extends DataType>(name: string, datatype: D): Tensor<D>;
  output(name: string, datatype?: undefined): Tensor;
  output(name: string, datatype?: DataType): Tensor {
    const found = this.optionalOutput(name, datatype as DataType);
    if (found !== undefined) return found;
    if (this.error !== undefined) throw this.error;
    const names = this.outputs.map((tensor) => `'${tensor.name}'`).join(", ");
    throw new TritonError(
      `The answer of model '${this.modelName}' has no output '${name}'. ` +
        (names === "" ? "It has no outputs." : `Its outputs are ${names}.`),
      "NOT_FOUND",
    );
  }

  /**
   * The output called `name`, or undefined when the answer has none.
   *
   * @param datatype when given, an output that is there must have it, and the tensor is typed by it
   * @throws TritonError INVALID_ARG when the datatype of the output is another one
   */
  optionalOutput<D extends DataType>(name: string, datatype: D): Tensor<D> | undefined;
  optionalOutput(name: string, datatype?: undefined): Tensor | undefined;
  optionalOutput(name: string, datatype?: DataType): Tensor | undefined {
    const found = this.outputs.find((tensor) => tensor.name === name);
    if (found !== undefined && datatype !== undefined && found.datatype !== datatype) {
      throw new TritonError(
        `Output '${name}' of model '${this.modelName}' has datatype ${found.datatype}, but ${String(datatype)} was asked for.`,
        "INVALID_ARG",
      );
    }
    return found;
  }
}
