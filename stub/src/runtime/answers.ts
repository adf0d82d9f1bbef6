// SPDX-License-Identifier: Apache-2.0
import { type DataType, dataTypeInfo, isDataType } from "../api/datatype.ts";
import { TritonError } from "../api/errors.ts";
import type { ModelConfig } from "../api/model_config.ts";
import { hintOfLikeness, type InferenceResponse, isResponse } from "../api/response.ts";
import { Tensor } from "../api/tensor.ts";
import { kindName, typeName } from "../api/value_words.ts";
import type { RequestRecord } from "../ipc/request_record.ts";
import type { Answer } from "../ipc/response_record.ts";
import { type FailureOptions, Failures, finding } from "./failures.ts";
import { log } from "./logging.ts";

interface OutputRule {
  readonly index: number;
  readonly name: string;
  readonly datatype: string;
  /** As the model must give it, without the batch dimension; -1 is any size. */
  readonly dims: readonly number[];
  /** Any shape is right, but for the batch dimension. The server takes the rank of a reshaped output for granted. */
  readonly isOpen: boolean;
}

export interface AnswerOptions extends FailureOptions {
  /** Whether all outputs must be there, with the shapes of the configuration (CHECK_OUTPUTS). */
  readonly checksOutputs?: boolean;
  /** A response of a stream need not have all outputs, or any. */
  readonly decoupled?: boolean;
  /** Whether outputs may have other shapes than those of the configuration. */
  readonly openShapes?: boolean;
}

const NO_INDICES: readonly number[] = [];

/** Turns what `execute` returned into answers, checked against the model's configuration. */
export class AnswerMaker {
  readonly #instance: string;
  readonly #batching: boolean;
  readonly #rules = new Map<string, OutputRule>();
  readonly #droppedNames = new Set<string>();
  readonly #failures: Failures;
  readonly #wantsAll: boolean;

  constructor(
    instance: string,
    config: Partial<Pick<ModelConfig, "max_batch_size" | "output">>,
    outputNames: readonly string[],
    { checksOutputs = true, decoupled = false, openShapes = false, ...failures }: AnswerOptions = {},
  ) {
    this.#instance = instance;
    this.#failures = new Failures(instance, failures);
    this.#wantsAll = checksOutputs && !decoupled;
    this.#batching = (config.max_batch_size ?? 0) > 0;
    outputNames.forEach((name, index) => {
      const output = config.output?.find((candidate) => candidate.name === name);
      const datatype = output?.data_type?.replace(/^TYPE_/, "") ?? "";
      const dims = (output?.reshape?.shape ?? output?.dims ?? []).map(Number);
      const isOpen = (openShapes || !checksOutputs) && output?.reshape === undefined;
      this.#rules.set(name, { index, name, datatype: datatype === "STRING" ? "BYTES" : datatype, dims, isOpen });
    });
  }

  /** The answer that carries an error, of which the log has been told where the model is to blame. */
  failure(error: unknown): Answer {
    return { error: this.#failures.report(error), outputIndices: NO_INDICES, outputs: [], parameters: {} };
  }

  /** Throws when the result as a whole is not what `execute` must return. */
  check(result: unknown, count: number): asserts result is readonly unknown[] {
    if (!Array.isArray(result)) {
      throw finding(
        `Expected an array in the execute return of model '${this.#instance}', found type '${typeName(result)}'.` +
          hintOfWhole(result),
      );
    }
    if (result.length !== count) {
      throw finding(
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
    if (!isResponse(item)) {
      return this.failure(
        finding(
          "Expected an 'InferenceResponse' object in the execute function return list, found type " +
            `'${typeName(item)}' for request ${index} of model '${this.#instance}'.${hintOfLikeness(item)}` +
            hintOfItem(item),
        ),
      );
    }
    if (item.error !== undefined) return this.failure(item.error);
    return this.#outputs(request, item);
  }

  #outputs(request: RequestRecord, response: InferenceResponse): Answer {
    const given = response.outputs;
    // An empty array has room for 17 once it is given the first. No more outputs than there are rules come out of this.
    const most = Math.min(given.length, this.#rules.size);
    const outputIndices = new Array<number>(most);
    const outputs = new Array<Tensor>(most);
    let count = 0;
    let unknown: string | undefined;
    for (const output of given) {
      if (!(output instanceof Tensor)) {
        throw finding(`A response of model '${this.#instance}' has an output that is ${kindName(output)}.`, response);
      }
      const rule = this.#rules.get(output.name);
      if (rule === undefined) {
        unknown = output.name;
        continue;
      }
      if (!request.wants(rule.index)) continue;
      this.#checkOutput(request, rule, output);
      if (outputIndices.includes(rule.index)) {
        throw finding(`Model '${this.#instance}' answered with output '${rule.name}' twice.`, output);
      }
      outputIndices[count] = rule.index;
      outputs[count++] = output;
    }
    if (count < outputs.length) outputIndices.length = outputs.length = count;
    if (count < request.requestedCount && this.#wantsAll) this.#refuseMissing(request, response, unknown);
    if (unknown !== undefined) this.#dropUnknown(unknown);
    return { error: undefined, outputIndices, outputs, parameters: response.parameters };
  }

  /** A missing output, beside one whose name is not configured, is most likely misspelt. */
  #refuseMissing(request: RequestRecord, response: InferenceResponse, unknown: string | undefined): void {
    const { outputs } = response;
    const missing = request.requestedOutputs.filter((name) => !outputs.some((output) => output.name === name));
    if (missing.length === 0) return;
    const names = missing.map((name) => `'${name}'`).join(", ");
    const other = outputs.find((output) => output.name === unknown);
    throw other === undefined
      ? finding(
          `Model '${this.#instance}' answered without output ${names}, which the client asked for. Give every output of ` +
            "request.requestedOutputs.",
          response,
        )
      : finding(
          `Model '${this.#instance}' answered with output '${unknown}', which is not in its configuration, and without ` +
            `${names}, which the client asked for. Is the name misspelt?`,
          other,
        );
  }

  /** A name that is not configured is dropped. */
  #dropUnknown(unknown: string): void {
    if (this.#droppedNames.has(unknown) || this.#droppedNames.size >= 100) return;
    this.#droppedNames.add(unknown);
    log("W", `Output '${unknown}' is dropped, because it is not in the configuration of the model.`);
  }

  #checkOutput(request: RequestRecord, rule: OutputRule, output: Tensor): void {
    if (output.datatype !== (rule.datatype as DataType)) {
      throw finding(
        `Output '${rule.name}' of model '${this.#instance}' has datatype ${output.datatype}, ` +
          `but its configuration says ${rule.datatype}.${hintOfDatatype(output.datatype, rule.datatype)}`,
        output,
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
    throw finding(
      `Output '${rule.name}' of model '${this.#instance}' has shape [${shape.join(", ")}], ` +
        `but its configuration asks for [${expected.join(", ")}]${this.#batching ? ", the batch size first" : ""}.`,
      output,
    );
  }
}

/** What to do when a result that is no array is something that `execute` may have meant. */
function hintOfWhole(result: unknown): string {
  if (result === undefined) return " Is a return missing?";
  return isResponse(result) || result instanceof Tensor
    ? " Return one InferenceResponse for each request: requests.map(...)."
    : "";
}

function hintOfItem(item: unknown): string {
  if (item instanceof Tensor) return " Write new InferenceResponse([tensor]).";
  return item instanceof Promise ? " Is an await missing? Return Promise.all(requests.map(...))." : "";
}

/** How an output gets the datatype of its configuration. */
function hintOfDatatype(given: DataType, wanted: string): string {
  if (!isDataType(wanted)) return "";
  const change = "or change data_type in config.pbtxt.";
  if (wanted === "BYTES") return ` Make it an array of strings, ${change}`;
  if (wanted === "BOOL") return ` Make it an array of booleans, ${change}`;
  if (wanted === "FP16" || wanted === "BF16")
    return ` Make it by Tensor.fromFloat32(name, data, shape, "${wanted}"), ${change}`;
  const { array } = dataTypeInfo(wanted);
  if (array === dataTypeInfo(given).array) {
    return ` Give '${wanted}' as fourth argument of new Tensor, ${change}`;
  }
  return ` Make it ${array.name.startsWith("I") ? "an" : "a"} ${array.name}, ${change}`;
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
