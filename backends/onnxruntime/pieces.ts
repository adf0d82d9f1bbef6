// SPDX-License-Identifier: Apache-2.0
// One request as several runs of the network, each of a few of its rows.
//
// On a processor the rows of a run gain little from each other, and they lose when the network's intermediate results no
// longer fit into its caches: many small runs can be faster than a large one.

import type { InferenceSession } from "onnxruntime-node";
import { type DataType, InferenceResponse, type Tensor, TritonError } from "triton-typescript";
import type { Checked } from "./batch.ts";
import { type Network, shapeText } from "./network.ts";
import { newFeeds, runNetwork } from "./session_run.ts";
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
 * Runs a request in pieces of at most `maxRows` rows. The first piece tells the shapes of the outputs; all are put into
 * their places. Throws a `TritonError` INTERNAL when an output does not have a row for each row of the inputs, or when a
 * later piece has another shape than the first.
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
    const feeds = newFeeds();
    for (const [i, info] of network.inputs.entries()) {
      const tensor = checked.inputs[i]!;
      feeds[info.name] = onnxTensor(info.onnxType, rowsOf(tensor, from, rows), [rows, ...tensor.shape.slice(1)]);
    }
    const names = checked.outputs.map(({ name }) => name);
    const results = await runNetwork(network, feeds, names, options).catch((error: unknown) => {
      if (from === 0) throw error;
      throw laterFailure(modelName, from, rows, error instanceof Error ? error.message : String(error));
    });
    for (const [name, result] of results) {
      const piece = tritonTensor(name, result);
      if (piece.shape[0] !== rows) throw noRows(modelName, piece, rows);
      const whole = outputs.get(name) ?? allocateWhole(checked, piece, total);
      outputs.set(name, whole);
      if (String(piece.shape.slice(1)) !== String(whole.shape.slice(1))) {
        const shapes = `output '${name}' has the shape ${shapeText(piece.shape)}, but ${shapeText([rows, ...whole.shape.slice(1)])} was expected`;
        throw laterFailure(modelName, from, rows, shapes);
      }
      (rowsOf(whole, from, rows) as Float32Array).set(piece.data as Float32Array);
    }
  }
  return new InferenceResponse([...outputs.values()]);
}

function laterFailure(modelName: string, from: number, rows: number, cause: string): TritonError {
  return new TritonError(
    `Model '${modelName}': rows ${from} to ${from + rows - 1} could not be run like the rows before them: ${cause}. ` +
      "If its rows depend on each other, take the parameter MAX_ROWS_PER_RUN out of this model's configuration.",
    "INTERNAL",
  );
}

function noRows(modelName: string, piece: Tensor, rows: number): TritonError {
  return new TritonError(
    `Model '${modelName}': output '${piece.name}' has the shape ${shapeText(piece.shape)} for a run of ${rows} rows, but ` +
      "its first dimension is to be the rows. Take the parameter MAX_ROWS_PER_RUN out of this model's configuration.",
    "INTERNAL",
  );
}

/** Makes an output for all rows, from the piece of it that came first. */
function allocateWhole(checked: Checked, piece: Tensor, total: number): Tensor {
  const datatype = piece.datatype as Exclude<DataType, "BYTES">;
  return checked.request.allocateOutput(piece.name, datatype, [total, ...piece.shape.slice(1)]);
}

/** A view of some rows of a tensor. */
function rowsOf(tensor: Tensor, from: number, rows: number): OnnxData {
  const rowLength = tensor.shape.slice(1).reduce((product, side) => product * side, 1);
  return (onnxData(tensor) as Float32Array).subarray(from * rowLength, (from + rows) * rowLength);
}
