// SPDX-License-Identifier: Apache-2.0
// What a model takes and gives, in the names and kinds that Viam sees.
import type { DataType, ModelConfig, ModelMetadata } from "../client/index.ts";
import type { Remappings } from "./attributes.ts";
import { ModuleError } from "./errors.ts";
import { didYouMean } from "./resemblance.ts";
import { type KindName, kindOf } from "./tensor_kind.ts";

export interface ContractTensor {
  /** The name that Viam sees. */
  readonly name: string;
  readonly modelName: string;
  readonly datatype: DataType;
  readonly kind: KindName;
  /** As the model has it, without the dimension of batches; -1 stands for any size. */
  readonly dims: readonly number[];
}

export interface ContractInput extends ContractTensor {
  readonly optional: boolean;
}

export interface ContractOutput extends ContractTensor {
  /** A path in the folder of the model. */
  readonly labelFile: string | undefined;
}

export interface ModelContract {
  readonly model: string;
  readonly version: string;
  readonly platform: string;
  readonly inputs: readonly ContractInput[];
  readonly outputs: readonly ContractOutput[];
  /** 0: the model has no dimension of batches. */
  readonly maxBatchSize: number;
  readonly decoupled: boolean;
}

/** A shape as it stands in messages. */
export const shapeText = (shape: readonly number[]): string => `[${shape.join(", ")}]`;

function checkRemappings(side: "inputs" | "outputs", given: Readonly<Record<string, string>>, names: string[]): void {
  for (const name of Object.keys(given)) {
    if (names.includes(name)) continue;
    const all = names.map((known) => JSON.stringify(known)).join(", ");
    throw new ModuleError(
      "INVALID_ARGUMENT",
      `The attribute "tensor_name_remappings.${side}" renames ${JSON.stringify(name)}, which the model does not have. ` +
        `Its ${side} are ${all}.${didYouMean(name, names)}`,
    );
  }
  const seen = new Set<string>();
  for (const name of names.map((name) => given[name] ?? name)) {
    if (!seen.has(name)) seen.add(name);
    else {
      throw new ModuleError(
        "INVALID_ARGUMENT",
        `With the attribute "tensor_name_remappings.${side}" two of the model's ${side} are called ${JSON.stringify(name)}.`,
      );
    }
  }
}

/**
 * The contract of a model as it is served, under the names of a resource.
 *
 * @throws ModuleError when the names do not fit the model
 */
export function contractOf(
  metadata: ModelMetadata,
  config: ModelConfig,
  remappings: Remappings,
  version: string,
): ModelContract {
  const maxBatchSize = config.max_batch_size ?? 0;
  checkRemappings(
    "inputs",
    remappings.inputs,
    metadata.inputs.map(({ name }) => name),
  );
  checkRemappings(
    "outputs",
    remappings.outputs,
    metadata.outputs.map(({ name }) => name),
  );
  const common = (
    side: "inputs" | "outputs",
    { name, datatype, shape }: ModelMetadata["inputs"][number],
  ): ContractTensor => ({
    name: remappings[side][name] ?? name,
    modelName: name,
    datatype: datatype as DataType,
    kind: kindOf(datatype as DataType),
    dims: shape.slice(maxBatchSize > 0 ? 1 : 0).map(Number),
  });
  const optional = new Set((config.input ?? []).filter((input) => input.optional).map(({ name }) => name));
  const labels = new Map((config.output ?? []).map((output) => [output.name, output.label_filename || undefined]));
  return {
    model: metadata.name,
    version,
    platform: config.backend || metadata.platform,
    inputs: metadata.inputs.map((input) => ({ ...common("inputs", input), optional: optional.has(input.name) })),
    outputs: metadata.outputs.map((output) => ({ ...common("outputs", output), labelFile: labels.get(output.name) })),
    maxBatchSize,
    decoupled: config.model_transaction_policy?.decoupled ?? false,
  };
}

/** What the model wants in one input, as a part of a sentence. */
export function wantedText({ kind, dims }: ContractTensor, { maxBatchSize }: ModelContract): string {
  return `${kind} ${shapeText(maxBatchSize > 0 ? [1, ...dims] : dims)}`;
}

const fits = (dims: readonly number[], shape: readonly number[]): boolean =>
  dims.length === shape.length && dims.every((size, i) => size === -1 || size === shape[i]);

/** The shape that goes to the model, and whether a dimension of batches was put before it. */
export interface FittedShape {
  readonly shape: number[];
  readonly batchAdded: boolean;
}

/**
 * Fits a shape to what the model wants. Viam's tensors have a dimension of batches or none: a one is put before the shape, or
 * taken from there, where that makes it fit.
 *
 * @returns undefined when it does not fit in any way
 */
export function fitShape(
  dims: readonly number[],
  maxBatchSize: number,
  given: readonly number[],
): FittedShape | undefined {
  if (maxBatchSize > 0) {
    if (fits(dims, given)) return { shape: [1, ...given], batchAdded: true };
    return fits(dims, given.slice(1)) && given.length > 0 ? { shape: [...given], batchAdded: false } : undefined;
  }
  if (fits(dims, given)) return { shape: [...given], batchAdded: false };
  if (fits(dims, [1, ...given])) return { shape: [1, ...given], batchAdded: false };
  if (given[0] === 1 && fits(dims, given.slice(1))) return { shape: given.slice(1), batchAdded: false };
  return undefined;
}

/** @throws ModuleError for a streaming model that the attributes refuse */
export function checkStreaming(contract: ModelContract, choice: "first_response" | "refuse"): void {
  if (!contract.decoupled || choice === "first_response") return;
  throw new ModuleError(
    "FAILED_PRECONDITION",
    `The model ${JSON.stringify(contract.model)} streams: it answers a request any number of times, and Viam takes one answer. ` +
      'Set the attribute "streaming" to "first_response" to take the first one.',
  );
}
