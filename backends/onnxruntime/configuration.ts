// SPDX-License-Identifier: Apache-2.0
// The model's configuration against the model file: completing what is missing, refusing what differs.

import { type AutoCompleteConfig, dataTypeToConfig, type ModelConfig, TritonError } from "triton-typescript";
import { readDeclarations } from "./declarations.ts";
import { type Network, shapeText, type TensorInfo } from "./network.ts";

/** max_batch_size of a model that batches and says no number, unless --backend-config says another. */
const defaultMaxBatchSize = 4;

/** Whether the configuration names inputs and outputs already; then it is taken as it is. */
export function isComplete(config: ModelConfig): boolean {
  return config.input.length + (config.batch_input?.length ?? 0) > 0 && config.output.length > 0;
}

/**
 * Fills max_batch_size, the scheduler, inputs and outputs from the model file, by the rules of NVIDIA's backend: a model
 * whose inputs and outputs all begin with an open dimension can batch; it gets `default-max-batch-size` where
 * the configuration has none, and the dynamic batcher where the configuration has no scheduler.
 * Throws a `TritonError` INVALID_ARG when the configuration wants batches of a model that cannot batch.
 */
export function completeConfig(
  auto: AutoCompleteConfig,
  network: Network,
  backendConfig: Readonly<Record<string, string>>,
): void {
  const { config } = auto;
  const canBatch = [...network.inputs, ...network.outputs].every((tensor) => tensor.shape[0] === -1);
  if (!canBatch && config.max_batch_size > 0) {
    throw new TritonError(
      `Model '${config.name}': max_batch_size is ${config.max_batch_size}, but the model file cannot batch: ` +
        `${firstFixed(network)}. Set max_batch_size to 0, or export the model with an open first dimension.`,
      "INVALID_ARG",
    );
  }
  if (canBatch && config.max_batch_size === 0) auto.setMaxBatchSize(readDefault(backendConfig));
  if (config.max_batch_size > 1 && config.sequence_batching === undefined) auto.setDynamicBatching();
  if (config.input.length === 0) addAll(config, network.inputs, (tensor) => auto.addInput(tensor));
  if (config.output.length === 0) addAll(config, network.outputs, (tensor) => auto.addOutput(tensor));
}

function readDefault(backendConfig: Readonly<Record<string, string>>): number {
  const text = backendConfig["default-max-batch-size"];
  if (text === undefined) return defaultMaxBatchSize;
  const value = Number(text);
  if (Number.isInteger(value)) return Math.max(value, 0);
  throw new TritonError(
    `The backend option default-max-batch-size is to be a whole number, but it is "${text}".`,
    "INVALID_ARG",
  );
}

function firstFixed(network: Network): string {
  const kinds = [
    ["input", network.inputs],
    ["output", network.outputs],
  ] as const;
  for (const [kind, tensors] of kinds) {
    const fixed = tensors.find((tensor) => tensor.shape[0] !== -1);
    if (fixed !== undefined) return `${kind} '${fixed.name}' has the shape ${shapeText(fixed.shape)}`;
  }
  return "";
}

type NewTensor = Parameters<AutoCompleteConfig["addInput"]>[0];

function addAll(config: ModelConfig, tensors: readonly TensorInfo[], add: (tensor: NewTensor) => void): void {
  for (const { name, datatype, shape } of tensors) {
    const dims = shape.slice(config.max_batch_size > 0 ? 1 : 0);
    add({ name, data_type: dataTypeToConfig(datatype) as NewTensor["data_type"], dims: dims.length > 0 ? dims : [1] });
    // A row that is a single value has no dimension of its own; Triton wants one and takes it away again by a reshape.
    if (dims.length === 0 && config.max_batch_size > 0) {
      const tensor = [...config.input, ...config.output].find((entry) => entry.name === name);
      if (tensor !== undefined) tensor.reshape = { shape: [] };
    }
  }
}

/**
 * Compares a whole configuration with the model file. Throws a `TritonError` that names the model, the tensor, what the
 * configuration says and what the file has.
 */
export function checkConfig(config: ModelConfig, network: Network): void {
  if ((config.batch_input?.length ?? 0) > 0 || (config.batch_output?.length ?? 0) > 0) {
    throw unsupported(config, "batch_input and batch_output (ragged batches)");
  }
  if ((config.sequence_batching?.state?.length ?? 0) > 0) throw unsupported(config, "sequence_batching.state");
  const controls = new Set((config.sequence_batching?.control_input ?? []).map((control) => control.name));
  for (const tensor of network.inputs) {
    if (controls.has(tensor.name) || config.input.some((input) => input.name === tensor.name)) continue;
    throw new TritonError(
      `Model '${config.name}': the model file needs the input '${tensor.name}' (${describe(tensor)}), ` +
        `but the configuration does not name it; it names ${nameList(config.input)}.`,
      "INVALID_ARG",
    );
  }
  for (const control of controls) findTensor(config, "sequence control input", control, network.inputs);
  for (const input of config.input) {
    refuseDefault(config, input.name, network);
    checkTensor(config, "input", input, network.inputs);
  }
  for (const output of config.output) checkTensor(config, "output", output, network.outputs);
}

function unsupported(config: ModelConfig, what: string): TritonError {
  return new TritonError(
    `Model '${config.name}': the configuration has ${what}, which this backend does not offer. Remove it.`,
    "UNSUPPORTED",
  );
}

/** An input with a default in the file is one for ONNX, but not for ONNX Runtime's Node library. */
function refuseDefault(config: ModelConfig, name: string, network: Network): void {
  if (network.inputs.some((tensor) => tensor.name === name)) return;
  if (readDeclarations(network.file)?.constants.has(name) !== true) return;
  throw new TritonError(
    `Model '${config.name}': the configuration names the input '${name}', which has a default in the model file (an ` +
      "initializer), and ONNX Runtime's Node library cannot replace defaults. Take the input out of the configuration, or " +
      "its initializer out of the file; then every request is to send it.",
    "UNSUPPORTED",
  );
}

type ConfigTensor = ModelConfig["input"][number] | ModelConfig["output"][number];

function findTensor(config: ModelConfig, kind: string, name: string, tensors: readonly TensorInfo[]): TensorInfo {
  const found = tensors.find((tensor) => tensor.name === name);
  if (found !== undefined) return found;
  throw new TritonError(
    `Model '${config.name}': the configuration names the ${kind} '${name}', which the model file does not have; ` +
      `it has ${nameList(tensors)}.`,
    "INVALID_ARG",
  );
}

function checkTensor(
  config: ModelConfig,
  kind: "input" | "output",
  tensor: ConfigTensor,
  infos: readonly TensorInfo[],
): void {
  const info = findTensor(config, kind, tensor.name, infos);
  const dataType = dataTypeToConfig(info.datatype);
  if (tensor.data_type !== dataType) {
    throw new TritonError(
      `Model '${config.name}': the configuration has ${tensor.data_type} for ${kind} '${tensor.name}', ` +
        `but the model file has ${dataType}.`,
      "INVALID_ARG",
    );
  }
  const shape = configuredShape(config, tensor);
  if (shapeFits(kind, shape, info.shape)) return;
  const batches = config.max_batch_size > 0;
  const difference =
    `Model '${config.name}': the configuration gives ${kind} '${tensor.name}' the shape ${shapeText(shape)}` +
    (batches ? ` (with the batch dimension, as max_batch_size is ${config.max_batch_size})` : "") +
    `, but the model file has ${shapeText(info.shape)}`;
  if (kind === "output" && shape.every((side) => side === -1) && (!batches || info.shape[0] === -1)) {
    console.warn(`${difference}. Answers have the shape that the network gives.`);
    return;
  }
  const advice = info.shape.length === 0 ? ", a single value: that is dims: [1] and max_batch_size: 0." : ".";
  throw new TritonError(difference + advice, "INVALID_ARG");
}

/** The shape that the configuration gives a tensor as the network sees it, the batch dimension in front. */
function configuredShape(config: ModelConfig, tensor: ConfigTensor): number[] {
  const dims = (tensor.reshape?.shape ?? tensor.dims).map(Number);
  return config.max_batch_size > 0 ? [-1, ...dims] : dims;
}

/**
 * Whether a shape of the configuration goes with that of the file. An input may fix what the file leaves open, an output may
 * leave open what the file fixes, because some files declare outputs as they are for one size of input only. A single
 * value, which has no dimension for ONNX, has at least one for Triton.
 */
function shapeFits(kind: "input" | "output", shape: readonly number[], declared: readonly number[]): boolean {
  if (declared.length === 0 && shape.every((side) => side === 1)) return true;
  if (shape.length !== declared.length) return false;
  return shape.every((side, i) => side === declared[i] || (kind === "input" ? declared[i] : side) === -1);
}

/**
 * The outputs of a network with the shapes that the configuration gives to those that are a single value; else such a value
 * is answered without a dimension.
 */
export function withScalarShapes(config: ModelConfig, network: Network): Network {
  const outputs = network.outputs.map((info) => {
    const output = config.output.find(({ name }) => name === info.name);
    if (output === undefined || info.shape.length > 0) return info;
    return { ...info, scalarShape: configuredShape(config, output).map(() => 1) };
  });
  return { ...network, outputs };
}

function describe(tensor: TensorInfo): string {
  return `${tensor.datatype} ${shapeText(tensor.shape)}`;
}

function nameList(tensors: readonly { readonly name: string }[]): string {
  return tensors.length === 0 ? "none" : tensors.map((tensor) => `'${tensor.name}'`).join(", ");
}
