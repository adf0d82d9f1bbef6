// SPDX-License-Identifier: Apache-2.0
import type { DataType } from "../api/datatype.ts";
import { TritonError } from "../api/errors.ts";
import type { ModelConfig } from "../api/model_config.ts";
import { InferenceResponse } from "../api/response.ts";
import type { Tensor } from "../api/tensor.ts";
import type { RequestRecord } from "../ipc/request_record.ts";
import type { Answer } from "../ipc/response_record.ts";
import { log } from "./logging.ts";
import { oneLine, ownWords, typeName } from "./thrown.ts";

interface OutputRule {
  readonly index: number;
  readonly name: string;
  readonly datatype: string;
  /** As the model must give it, without the batch dimension; -1 is any size. */
  readonly dims: readonly number[];
  /** Any shape is right, but for the batch dimension. The server takes the rank of a reshaped output for granted. */
  readonly isOpen: boolean;
}

const NO_INDICES: readonly number[] = [];

/** Turns what `execute` returned into answers, checked against the model's configuration. */
export class AnswerMaker {
  readonly #instance: string;
  readonly #batching: boolean;
  readonly #rules = new Map<string, OutputRule>();
  readonly #droppedNames = new Set<string>();

  /** @param openShapes whether outputs may have other shapes than those of the configuration */
  constructor(
    instance: string,
    config: Partial<Pick<ModelConfig, "max_batch_size" | "output">>,
    outputNames: readonly string[],
    openShapes = false,
  ) {
    this.#instance = instance;
    this.#batching = (config.max_batch_size ?? 0) > 0;
    outputNames.forEach((name, index) => {
      const output = config.output?.find((candidate) => candidate.name === name);
      const datatype = output?.data_type?.replace(/^TYPE_/, "") ?? "";
      const dims = (output?.reshape?.shape ?? output?.dims ?? []).map(Number);
      const isOpen = openShapes && output?.reshape === undefined;
      this.#rules.set(name, { index, name, datatype: datatype === "STRING" ? "BYTES" : datatype, dims, isOpen });
    });
  }

  /** The answer that carries an error: a TritonError as it is, anything else as INTERNAL with one sentence. */
  failure(error: unknown): Answer {
    const shown = ownWords(error) ?? {
      code: "INTERNAL",
      message: `Failed to process the request(s) for model '${this.#instance}', message: ${oneLine(error)}`,
    };
    return { error: shown, outputIndices: NO_INDICES, outputs: [], parameters: {} };
  }

  /** Throws when the result as a whole is not what `execute` must return. */
  check(result: unknown, count: number): asserts result is readonly unknown[] {
    if (!Array.isArray(result)) {
      throw new TritonError(
        `Expected an array in the execute return of model '${this.#instance}', found type '${typeName(result)}'.`,
      );
    }
    if (result.length !== count) {
      throw new TritonError(
        `Expected ${count} responses in the execute return of model '${this.#instance}', one for each request, ` +
          `but found ${result.length}.`,
      );
    }
  }

  /** The answer to the request at `index` of its batch. What is wrong with it is an error for this request alone. */
  answer(request: RequestRecord, index: number, result: readonly unknown[]): Answer {
    try {
      return this.#answer(request, index, result[index]);
    } catch (error) {
      return this.failure(error);
    }
  }

  #answer(request: RequestRecord, index: number, item: unknown): Answer {
    if (item instanceof TritonError) return this.failure(item);
    if (!(item instanceof InferenceResponse)) {
      return this.failure(
        new TritonError(
          "Expected an 'InferenceResponse' object in the execute function return list, found type " +
            `'${typeName(item)}' for request ${index} of model '${this.#instance}'.`,
        ),
      );
    }
    if (item.error !== undefined) return this.failure(item.error);
    return this.#outputs(request, item);
  }

  #outputs(request: RequestRecord, response: InferenceResponse): Answer {
    const outputIndices: number[] = [];
    const outputs: Tensor[] = [];
    let unknown: string | undefined;
    for (const output of response.outputs) {
      const rule = this.#rules.get(output.name);
      if (rule === undefined) {
        unknown = output.name;
        continue;
      }
      if (!request.wants(rule.index)) continue;
      this.#checkOutput(request, rule, output);
      if (outputIndices.includes(rule.index)) {
        throw new TritonError(`Model '${this.#instance}' answered with output '${rule.name}' twice.`);
      }
      outputIndices.push(rule.index);
      outputs.push(output);
    }
    if (unknown !== undefined) this.#dropUnknown(request, unknown, outputs);
    return { error: undefined, outputIndices, outputs, parameters: response.parameters };
  }

  /** A name that is not configured is dropped; if an output is missing at the same time it is most likely misspelt. */
  #dropUnknown(request: RequestRecord, unknown: string, outputs: readonly Tensor[]): void {
    const missing = request.requestedOutputs.filter((name) => !outputs.some((output) => output.name === name));
    if (missing.length > 0) {
      throw new TritonError(
        `Model '${this.#instance}' answered with output '${unknown}', which is not in its configuration, and without ` +
          `${missing.map((name) => `'${name}'`).join(", ")}, which the client asked for. Is the name misspelt?`,
      );
    }
    if (this.#droppedNames.has(unknown) || this.#droppedNames.size >= 100) return;
    this.#droppedNames.add(unknown);
    log("W", `Output '${unknown}' is dropped, because it is not in the configuration of the model.`);
  }

  #checkOutput(request: RequestRecord, rule: OutputRule, output: Tensor): void {
    if (output.datatype !== (rule.datatype as DataType)) {
      throw new TritonError(
        `Output '${rule.name}' of model '${this.#instance}' has datatype ${output.datatype}, ` +
          `but its configuration says ${rule.datatype}.`,
      );
    }
    const { shape } = output;
    const first = this.#batching ? 1 : 0;
    let fits = elementsOf(shape) === output.elementCount;
    if (fits) fits = rule.isOpen ? shape.length >= first : fitsDims(rule.dims, shape, first);
    if (fits && this.#batching) fits = request.inputCount === 0 || request.inputShape(0)[0] === shape[0];
    if (fits) return;
    const expected = rule.isOpen ? ["..."] : rule.dims.map(String);
    if (this.#batching) expected.unshift(String(request.inputCount === 0 ? "batch" : request.inputShape(0)[0]));
    throw new TritonError(
      `Output '${rule.name}' of model '${this.#instance}' has shape [${shape.join(", ")}], ` +
        `but its configuration asks for [${expected.join(", ")}]${this.#batching ? ", the batch size first" : ""}.`,
    );
  }
}

/** Whether a shape behind its first `first` dimensions is what the configuration says. */
function fitsDims(dims: readonly number[], shape: readonly number[], first: number): boolean {
  if (shape.length !== dims.length + first) return false;
  for (let i = 0; i < dims.length; i++) {
    if (dims[i]! >= 0 && dims[i] !== shape[i + first]) return false;
  }
  return true;
}

/** The product of the dimensions; NaN for a shape that was spoilt after its tensor was made. */
function elementsOf(shape: readonly number[]): number {
  let elements = 1;
  for (let i = 0; i < shape.length; i++) {
    if (!Number.isSafeInteger(shape[i])) return Number.NaN;
    elements *= shape[i]!;
  }
  return elements;
}
