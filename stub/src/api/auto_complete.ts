// SPDX-License-Identifier: Apache-2.0
import { type ConfigDataType, dataTypeFromConfig } from "./datatype.ts";
import { TritonError } from "./errors.ts";
import { inputConfig, type ModelConfig, outputConfig } from "./model_config.ts";
import { shown } from "./value_words.ts";

/** An output that a model declares. */
export interface AutoCompleteOutput {
  name: string;
  data_type: Exclude<ConfigDataType, "TYPE_INVALID">;
  /** Without the batch dimension; -1 is a dimension of any size. */
  dims: readonly number[];
}

/** An input that a model declares. */
export interface AutoCompleteInput extends AutoCompleteOutput {
  /** Whether a request may leave the input out. */
  optional?: boolean;
}

type Kind = "input" | "output";

const ALLOWED: Readonly<Record<Kind, readonly string[]>> = {
  input: ["name", "data_type", "dims", "optional"],
  output: ["name", "data_type", "dims"],
};

const REQUIRED = ["name", "data_type", "dims"] as const;

function list(dims: readonly number[]): string {
  return `[${dims.join(", ")}]`;
}

/**
 * The configuration of a model, to be completed by its `static autoCompleteConfig`.
 *
 * What the model's `config.pbtxt` says stands: a method that would contradict it throws a `TritonError` INVALID_ARG,
 * which fails the load of the model and names the model and the tensor.
 */
export class AutoCompleteConfig {
  /** The configuration so far. */
  readonly config: ModelConfig;

  constructor(config: ModelConfig) {
    this.config = config;
  }

  #error(message: string): TritonError {
    return new TritonError(`Auto-complete of model '${this.config.name}': ${message}`, "INVALID_ARG");
  }

  /**
   * Sets the largest batch that the model takes; 0 for a model that does not batch.
   *
   * @throws TritonError INVALID_ARG when `size` is not a whole number of at least 0, or the configuration has a larger one
   */
  setMaxBatchSize(size: number): void {
    if (!Number.isInteger(size) || size < 0 || size > 0x7fffffff) {
      throw this.#error(`max_batch_size must be a whole number from 0 to 2147483647, but '${String(size)}' was given.`);
    }
    const configured = this.config.max_batch_size;
    if (configured > size) {
      throw this.#error(
        `the configuration has max_batch_size ${configured}, which is more than the ${size} that the model sets. ` +
          "Lower it in config.pbtxt or leave it out.",
      );
    }
    this.config.max_batch_size = size;
  }

  /**
   * Chooses the dynamic batcher; nothing happens when the configuration has chosen it.
   *
   * @throws TritonError INVALID_ARG when the configuration has chosen another scheduler
   */
  setDynamicBatching(): void {
    for (const other of ["sequence_batching", "ensemble_scheduling"] as const) {
      if (this.config[other] !== undefined) {
        throw this.#error(`the configuration chooses ${other}, so the model cannot choose dynamic_batching.`);
      }
    }
    this.config.dynamic_batching ??= {};
  }

  /**
   * Declares an input. One that the configuration has already is merged with it.
   *
   * @throws TritonError INVALID_ARG when a key is unknown or missing or has a wrong value, or the data type, the
   *   dimensions or `optional` contradict the configuration
   */
  addInput(input: AutoCompleteInput): void {
    this.#checkTensor("input", input);
    const { name, data_type, optional } = input;
    const dims = [...input.dims];
    const known = inputConfig(this.config, name);
    if (known === undefined) {
      this.config.input.push(optional === undefined ? { name, data_type, dims } : { name, data_type, dims, optional });
      return;
    }
    this.#checkConflict("input", known, input);
    if (optional !== undefined && known.optional !== undefined && known.optional !== optional) {
      throw this.#error(
        `the configuration has optional ${known.optional} for input '${name}', but the model sets ${optional}.`,
      );
    }
    known.data_type = data_type;
    known.dims = dims;
    if (optional !== undefined) known.optional = optional;
  }

  /**
   * Declares an output. One that the configuration has already is merged with it.
   *
   * @throws TritonError INVALID_ARG when a key is unknown or missing or has a wrong value, or the data type or the
   *   dimensions contradict the configuration
   */
  addOutput(output: AutoCompleteOutput): void {
    this.#checkTensor("output", output);
    const { name, data_type } = output;
    const dims = [...output.dims];
    const known = outputConfig(this.config, name);
    if (known === undefined) {
      this.config.output.push({ name, data_type, dims });
      return;
    }
    this.#checkConflict("output", known, output);
    known.data_type = data_type;
    known.dims = dims;
  }

  /**
   * Says whether the model is decoupled, which is to send any number of responses to a request.
   *
   * @throws TritonError INVALID_ARG when a key is unknown or missing, or the configuration says otherwise
   */
  setModelTransactionPolicy(policy: { decoupled: boolean }): void {
    for (const key of Object.keys(policy)) {
      if (key !== "decoupled") {
        throw this.#error(`the model transaction policy has the unknown key '${key}'. Its only key is 'decoupled'.`);
      }
    }
    if (typeof policy.decoupled !== "boolean") {
      throw this.#error("the model transaction policy needs the key 'decoupled' with the value true or false.");
    }
    const configured = this.config.model_transaction_policy?.decoupled;
    if (configured !== undefined && configured !== policy.decoupled) {
      throw this.#error(`the configuration has decoupled ${configured}, but the model sets ${policy.decoupled}.`);
    }
    this.config.model_transaction_policy = { decoupled: policy.decoupled };
  }

  #checkTensor(kind: Kind, tensor: AutoCompleteInput): void {
    if (tensor === null || typeof tensor !== "object") {
      throw this.#error(`the ${kind} must be an object with the keys ${ALLOWED[kind].join(", ")}.`);
    }
    const called = typeof tensor.name === "string" && tensor.name !== "" ? `${kind} '${tensor.name}'` : `an ${kind}`;
    for (const key of Object.keys(tensor)) {
      if (!ALLOWED[kind].includes(key)) {
        throw this.#error(`${called} has the unknown key '${key}'. Its keys are ${ALLOWED[kind].join(", ")}.`);
      }
    }
    for (const key of REQUIRED) {
      if (tensor[key] === undefined) throw this.#error(`${called} lacks the key '${key}'.`);
    }
    if (typeof tensor.name !== "string" || tensor.name === "") {
      throw this.#error(`the name of an ${kind} must be a string that is not empty.`);
    }
    try {
      dataTypeFromConfig(tensor.data_type);
    } catch (error) {
      throw this.#error(`${called} has a data_type that is none. ${(error as Error).message}`);
    }
    const { dims } = tensor;
    if (!Array.isArray(dims) || !dims.every((dim) => Number.isSafeInteger(dim) && (dim >= 0 || dim === -1))) {
      throw this.#error(`the dims of ${called} must be an array of whole numbers of at least 0, or -1 for any size.`);
    }
    if (tensor.optional !== undefined && typeof tensor.optional !== "boolean") {
      throw this.#error(`the key 'optional' of ${called} must be true or false, but is ${shown(tensor.optional)}.`);
    }
  }

  #checkConflict(
    kind: Kind,
    known: { data_type: ConfigDataType; dims: readonly number[] },
    tensor: AutoCompleteOutput,
  ): void {
    if (known.data_type !== undefined && known.data_type !== "TYPE_INVALID" && known.data_type !== tensor.data_type) {
      throw this.#error(
        `the configuration has data_type ${known.data_type} for ${kind} '${tensor.name}', ` +
          `but the model sets ${tensor.data_type}.`,
      );
    }
    const dims = known.dims ?? [];
    const same = dims.length === tensor.dims.length && dims.every((dim, i) => dim === tensor.dims[i]);
    if (dims.length > 0 && !same) {
      throw this.#error(
        `the configuration has dims ${list(dims)} for ${kind} '${tensor.name}', but the model sets ${list(tensor.dims)}.`,
      );
    }
  }
}
