// SPDX-License-Identifier: Apache-2.0
// Tensors of Viam as a model wants them, and the model's as Viam takes them.
import { Tensor } from "../client/index.ts";
import { float32ToBfloat16, float32ToFloat16 } from "../stub/src/api/float16.ts";
import type { BytesChoice } from "./attributes.ts";
import { ModuleError } from "./errors.ts";
import {
  type ContractInput,
  type ContractOutput,
  fitShape,
  type ModelContract,
  shapeText,
  wantedText,
} from "./model_contract.ts";
import { didYouMean } from "./resemblance.ts";
import type { ViamTensor } from "./tensor_kind.ts";

const wrong = (sentence: string): ModuleError => new ModuleError("INVALID_ARGUMENT", sentence);

const quoted = (text: string): string => JSON.stringify(text);

/** What a model takes, in a sentence. */
function inputsText(contract: ModelContract): string {
  const inputs = contract.inputs.map((input) => {
    const optional = input.optional ? ", optional" : "";
    return `${quoted(input.name)} (${wantedText(input, contract)}${optional})`;
  });
  return `The model ${quoted(contract.model)} takes ${inputs.join(", ")}.`;
}

function checkNames(contract: ModelContract, given: ReadonlyMap<string, ViamTensor>): void {
  const names = contract.inputs.map(({ name }) => name);
  for (const name of given.keys()) {
    if (names.includes(name)) continue;
    throw wrong(`There is no input ${quoted(name)}. ${inputsText(contract)}${didYouMean(name, names)}`);
  }
  for (const { name, optional } of contract.inputs) {
    if (!optional && !given.has(name)) throw wrong(`The input ${quoted(name)} is missing. ${inputsText(contract)}`);
  }
}

const elementCount = (shape: readonly number[]): number => shape.reduce((product, size) => product * size, 1);

/** The text of one element, which Viam's bytes stand for. */
function bytesTensor(contract: ModelContract, { name, modelName, dims }: ContractInput, data: Uint8Array): Tensor {
  const shape = [...(contract.maxBatchSize > 0 ? [1] : []), ...dims.map((size) => (size === -1 ? 1 : size))];
  if (elementCount(shape) === 1) return new Tensor(modelName, [data], shape, "BYTES");
  const sentence = `The input ${quoted(name)} of the model ${quoted(contract.model)} holds ${elementCount(shape)} texts`;
  throw wrong(`${sentence}, and Viam's tensors can carry one.`);
}

function convert(input: ContractInput, shape: number[], { data }: ViamTensor): Tensor {
  const { modelName, datatype } = input;
  switch (datatype) {
    case "FP16":
      return new Tensor(modelName, float32ToFloat16(data as Float32Array), shape, datatype);
    case "BF16":
      return new Tensor(modelName, float32ToBfloat16(data as Float32Array), shape, datatype);
    case "BOOL":
      return new Tensor(
        modelName,
        (data as Uint8Array).map((value) => (value === 0 ? 0 : 1)),
        shape,
        datatype,
      );
    default:
      return new Tensor(modelName, data, shape, datatype);
  }
}

function inputTensor(
  contract: ModelContract,
  input: ContractInput,
  given: ViamTensor,
): { tensor: Tensor; batchAdded: boolean } {
  const { name, kind, dims } = input;
  const wanted = `must be ${wantedText(input, contract)}`;
  if (given.kind !== kind) {
    throw wrong(`The input ${quoted(name)} of the model ${quoted(contract.model)} ${wanted}, not ${given.kind}.`);
  }
  const count = elementCount(given.shape);
  if (count !== given.data.length) {
    const sizes = `The shape ${shapeText(given.shape)} of the input ${quoted(name)} has ${count} elements`;
    throw wrong(`${sizes}, but its data ${given.data.length}.`);
  }
  if (input.datatype === "BYTES") {
    return { tensor: bytesTensor(contract, input, given.data as Uint8Array), batchAdded: true };
  }
  const fitted = fitShape(dims, contract.maxBatchSize, given.shape);
  if (fitted === undefined) {
    throw wrong(
      `The input ${quoted(name)} of the model ${quoted(contract.model)} ${wanted}, not ${shapeText(given.shape)}. ` +
        "-1 stands for any size, and a dimension of batches may be there or not.",
    );
  }
  if (contract.maxBatchSize > 0 && fitted.shape[0]! > contract.maxBatchSize) {
    const most = `at most ${contract.maxBatchSize} rows at once`;
    throw wrong(
      `The model ${quoted(contract.model)} takes ${most}, but the input ${quoted(name)} has ${fitted.shape[0]}.`,
    );
  }
  return { tensor: convert(input, fitted.shape, given), batchAdded: fitted.batchAdded };
}

/** The inputs of one call. */
export interface MappedInputs {
  readonly tensors: readonly Tensor[];
  /** No input came with a dimension of batches, though the model has one: then none goes back with the outputs. */
  readonly batchAdded: boolean;
}

/**
 * The tensors of a call as the model wants them.
 *
 * @throws ModuleError INVALID_ARGUMENT that names what the model wants
 */
export function toModel(contract: ModelContract, given: ReadonlyMap<string, ViamTensor>): MappedInputs {
  checkNames(contract, given);
  const inputs = contract.inputs
    .filter(({ name }) => given.has(name))
    .map((input) => inputTensor(contract, input, given.get(input.name)!));
  const batchAdded = contract.maxBatchSize > 0 && inputs.every((input) => input.batchAdded);
  return { tensors: inputs.map(({ tensor }) => tensor), batchAdded };
}

function jsonTensor(tensor: Tensor): ViamTensor {
  const data = new TextEncoder().encode(JSON.stringify(tensor.strings()));
  return { kind: "uint8", shape: [data.length], data };
}

function outputTensor(output: ContractOutput, tensor: Tensor, batchAdded: boolean): ViamTensor {
  if (output.datatype === "BYTES") return jsonTensor(tensor);
  const isFloat = output.datatype === "FP16" || output.datatype === "BF16";
  const data = isFloat ? tensor.toFloat32() : (tensor.data as ViamTensor["data"]);
  const strip = batchAdded && tensor.shape.length > 1 && tensor.shape[0] === 1;
  return { kind: output.kind, shape: strip ? tensor.shape.slice(1) : tensor.shape, data };
}

/** The outputs that Viam can carry, or all of them when texts go as JSON. */
export function carriedOutputs(contract: ModelContract, bytes: BytesChoice): readonly ContractOutput[] {
  return bytes === "json" ? contract.outputs : contract.outputs.filter(({ datatype }) => datatype !== "BYTES");
}

/** The tensors of a model's answer under the names of the resource; those that are not among `outputs` are left out. */
export function toViam(
  outputs: readonly ContractOutput[],
  tensors: readonly Tensor[],
  batchAdded: boolean,
): Map<string, ViamTensor> {
  const byName = new Map(tensors.map((tensor) => [tensor.name, tensor]));
  const mapped = new Map<string, ViamTensor>();
  for (const output of outputs) {
    const tensor = byName.get(output.modelName);
    if (tensor !== undefined) mapped.set(output.name, outputTensor(output, tensor, batchAdded));
  }
  return mapped;
}
