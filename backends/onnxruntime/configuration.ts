// SPDX-License-Identifier: Apache-2.0
// The model's configuration against the model file: completing what is missing, refusing what differs.

import { type AutoCompleteConfig, dataTypeToConfig, type ModelConfig, TritonError } from "triton-typescript";
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
  for (const input of config.input) checkTensor(config, "input", input, network.inputs);
  for (const output of config.output) checkTensor(config, "output", output, network.outputs);
}

function unsupported(config: ModelConfig, what: string): TritonError {
  return new TritonError(
    `Model '${config.name}': the configuration has ${what}, which this backend does not offer. Remove it.`,
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
  const dims = (tensor.reshape?.shape ?? tensor.dims).map(Number);
  const shape = config.max_batch_size > 0 ? [-1, ...dims] : dims;
  const fits =
    shape.length === info.shape.length &&
    shape.every((side, i) => side === info.shape[i] || (kind === "input" && info.shape[i] === -1));
  if (fits) return;
  const batch =
    config.max_batch_size > 0 ? ` (with the batch dimension, as max_batch_size is ${config.max_batch_size})` : "";
  throw new TritonError(
    `Model '${config.name}': the configuration gives ${kind} '${tensor.name}' the shape ${shapeText(shape)}${batch}, ` +
      `but the model file has ${shapeText(info.shape)}.`,
    "INVALID_ARG",
  );
}

function describe(tensor: TensorInfo): string {
  return `${tensor.datatype} ${shapeText(tensor.shape)}`;
}

function nameList(tensors: readonly { readonly name: string }[]): string {
  return tensors.length === 0 ? "none" : tensors.map((tensor) => `'${tensor.name}'`).join(", ");
}
