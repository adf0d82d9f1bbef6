// SPDX-License-Identifier: Apache-2.0
// Requests to runs of the network: which requests share a run, and the way of their tensors in and out.

import type { InferenceSession } from "onnxruntime-node";
import { type InferenceRequest, InferenceResponse, type Tensor, TritonError } from "triton-typescript";
import { type Network, shapeText, type TensorInfo } from "./network.ts";
import { newFeeds, runNetwork } from "./session_run.ts";
import { checkStrings, concatenate, onnxData, onnxTensor, tritonRows, tritonTensor } from "./tensor_types.ts";

/** A request whose inputs fit the network. */
export interface Checked {
  /** Place in the list of requests of one `execute` call. */
  readonly index: number;
  readonly request: InferenceRequest;
  /** In the order of the network's inputs. */
  readonly inputs: readonly Tensor[];
  /** Size of the first dimension, 1 for a model that does not batch. */
  readonly rows: number;
  /** Outputs that the client wants, in the order of the network's outputs. */
  readonly outputs: readonly TensorInfo[];
}

/** Fetches and checks the inputs of a request. Throws a `TritonError` INVALID_ARG that names model, tensor and shapes. */
export function checkRequest(
  modelName: string,
  network: Network,
  batches: boolean,
  request: InferenceRequest,
  index: number,
): Checked {
  const inputs = network.inputs.map((info) => {
    const tensor = request.input(info.name, info.datatype) as Tensor;
    if (!takes(info, tensor.shape)) {
      throw new TritonError(
        `Model '${modelName}': input '${info.name}' has the shape ${shapeText(tensor.shape)}, but the model file takes ` +
          `${shapeText(info.shape)} (-1 is any size).`,
        "INVALID_ARG",
      );
    }
    if (tensor.datatype === "BYTES") checkStrings(modelName, tensor);
    return tensor;
  });
  const rows = batches ? (inputs[0]?.shape[0] ?? 1) : 1;
  const wanted = new Set(request.requestedOutputs);
  const outputs = wanted.size === 0 ? network.outputs : network.outputs.filter((info) => wanted.has(info.name));
  return { index, request, inputs, rows, outputs };
}

/** Whether an input takes a shape; a single value, which has no dimension for ONNX, comes with dimensions of one. */
function takes({ shape: declared }: TensorInfo, shape: readonly number[]): boolean {
  if (declared.length === 0) return shape.every((side) => side === 1);
  return shape.length === declared.length && declared.every((side, i) => side === -1 || side === shape[i]);
}

/** Groups requests that can share a run: all shapes behind the batch dimension are equal. */
export function groupByShape(requests: readonly Checked[]): Checked[][] {
  const groups = new Map<string, Checked[]>();
  for (const checked of requests) {
    const key = checked.inputs.map((tensor) => tensor.shape.slice(1).join("x")).join(";");
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [checked]);
    else group.push(checked);
  }
  return [...groups.values()];
}

/** Runs one request. Its inputs go in as views. */
export async function runSingle(
  network: Network,
  checked: Checked,
  options: InferenceSession.RunOptions,
): Promise<InferenceResponse> {
  const feeds = newFeeds();
  for (const [i, info] of network.inputs.entries()) {
    const tensor = checked.inputs[i]!;
    feeds[info.name] = onnxTensor(info.onnxType, onnxData(tensor), info.shape.length === 0 ? [] : tensor.shape);
  }
  const results = await runNetwork(network, feeds, namesOf(checked.outputs), options);
  return new InferenceResponse(
    checked.outputs.map(({ name, scalarShape }) => {
      const result = results.get(name)!;
      return tritonTensor(name, result, result.dims.length === 0 ? scalarShape : result.dims);
    }),
  );
}

function namesOf(tensors: readonly TensorInfo[]): string[] {
  return tensors.map(({ name }) => name);
}

/** Runs several requests of equal shapes at once and splits the outputs along the batch dimension. */
export async function runTogether(
  modelName: string,
  network: Network,
  group: readonly Checked[],
  options: InferenceSession.RunOptions,
): Promise<InferenceResponse[]> {
  const total = group.reduce((sum, checked) => sum + checked.rows, 0);
  const feeds = newFeeds();
  for (const [i, info] of network.inputs.entries()) {
    const parts = group.map((checked) => checked.inputs[i]!);
    feeds[info.name] = onnxTensor(info.onnxType, concatenate(parts.map(onnxData)), [
      total,
      ...parts[0]!.shape.slice(1),
    ]);
  }
  const wanted = new Set(group.flatMap((checked) => namesOf(checked.outputs)));
  const results = await runNetwork(network, feeds, wanted, options);
  for (const [name, { dims }] of results) {
    if (dims[0] === total) continue;
    throw new TritonError(
      `Model '${modelName}': output '${name}' has the shape ${shapeText(dims)} for a batch of ${total}, but its first ` +
        "dimension is to be the batch. Set max_batch_size to 0 for this model.",
      "INTERNAL",
    );
  }
  let first = 0;
  return group.map((checked) => {
    const outputs = checked.outputs.map(({ name }) => tritonRows(name, results.get(name)!, first, checked.rows));
    first += checked.rows;
    return new InferenceResponse(outputs);
  });
}
