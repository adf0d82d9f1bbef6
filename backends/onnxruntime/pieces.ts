// SPDX-License-Identifier: Apache-2.0
// One request as several runs of the network, each of a few of its rows.
//
// On a processor the rows of a run gain little from each other, and they lose when the network's intermediate results no
// longer fit into its caches: many small runs can be faster than a large one.

import type { InferenceSession, Tensor as OnnxTensor } from "onnxruntime-node";
import { type DataType, InferenceResponse, type Tensor, TritonError } from "triton-typescript";
import type { Checked } from "./batch.ts";
import { type Network, shapeText } from "./network.ts";
import { type OnnxData, onnxData, onnxTensor, tritonTensor } from "./tensor_types.ts";

/** Rows of a request: the first dimension that all its inputs share; undefined where they differ or have none. */
function sharedRows(checked: Checked): number | undefined {
  const rows = checked.inputs[0]?.shape[0];
  return checked.inputs.every((tensor) => tensor.shape[0] === rows) ? rows : undefined;
}

/**
 * Whether a request has more rows than a run may have, and can be cut: the network leaves the first dimension of all its
 * inputs and of the wanted outputs open, and none of them are strings.
 */
export function isCuttable(network: Network, checked: Checked, maxRows: number): boolean {
  const tensors = [...network.inputs, ...checked.outputs];
  const cuttable = tensors.every(({ datatype, shape }) => datatype !== "BYTES" && shape[0] === -1);
  return cuttable && (sharedRows(checked) ?? 0) > maxRows;
}

/**
 * Runs a request in pieces of at most `maxRows` rows. The first piece tells the shapes of the outputs; what follows is
 * written in place. Throws a `TritonError` INTERNAL when an output does not have a row for each row of the inputs.
 */
export async function runInPieces(
  modelName: string,
  network: Network,
  checked: Checked,
  maxRows: number,
  options: InferenceSession.RunOptions,
): Promise<InferenceResponse> {
  const total = sharedRows(checked)!;
  const outputs = new Map<string, Tensor>();
  for (let from = 0; from < total; from += maxRows) {
    const rows = Math.min(maxRows, total - from);
    const feeds: Record<string, OnnxTensor> = {};
    for (const [i, info] of network.inputs.entries()) {
      const tensor = checked.inputs[i]!;
      feeds[info.name] = onnxTensor(info.onnxType, rowsOf(tensor, from, rows), [rows, ...tensor.shape.slice(1)]);
    }
    const fetches: Record<string, OnnxTensor | null> = {};
    for (const info of checked.outputs) {
      const whole = outputs.get(info.name);
      fetches[info.name] =
        whole === undefined
          ? null
          : onnxTensor(info.onnxType, rowsOf(whole, from, rows), [rows, ...whole.shape.slice(1)]);
    }
    const results = await network.session.run(feeds, fetches, options).catch((error: unknown) => {
      if (from === 0) throw error;
      throw new TritonError(
        `Model '${modelName}': rows ${from} to ${from + rows - 1} could not be run like the rows before them: ` +
          `${error instanceof Error ? error.message : String(error)}. If its rows depend on each other, take the parameter ` +
          "MAX_ROWS_PER_RUN out of this model's configuration.",
        "INTERNAL",
      );
    });
    if (from > 0) continue;
    for (const info of checked.outputs) {
      outputs.set(info.name, placeFirst(modelName, checked, results[info.name] as OnnxTensor, info.name, total, rows));
    }
  }
  return new InferenceResponse([...outputs.values()]);
}

/** A view of some rows of a tensor. */
function rowsOf(tensor: Tensor, from: number, rows: number): OnnxData {
  const rowLength = tensor.shape.slice(1).reduce((product, side) => product * side, 1);
  return (onnxData(tensor) as Float32Array).subarray(from * rowLength, (from + rows) * rowLength);
}

/** Makes the output for all rows and puts those of the first piece into it. */
function placeFirst(
  modelName: string,
  checked: Checked,
  result: OnnxTensor,
  name: string,
  total: number,
  rows: number,
): Tensor {
  if (result.dims[0] !== rows) {
    throw new TritonError(
      `Model '${modelName}': output '${name}' has the shape ${shapeText(result.dims)} for a run of ${rows} rows, but its ` +
        "first dimension is to be the rows. Take the parameter MAX_ROWS_PER_RUN out of this model's configuration.",
      "INTERNAL",
    );
  }
  const first = tritonTensor(name, result);
  const shape = [total, ...result.dims.slice(1)];
  const whole = checked.request.allocateOutput(name, first.datatype as Exclude<DataType, "BYTES">, shape);
  (whole.data as Float32Array).set(first.data as Float32Array);
  return whole;
}
