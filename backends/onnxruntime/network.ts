// SPDX-License-Identifier: Apache-2.0
// A model file opened by ONNX Runtime, with what it says about its inputs and outputs.

import "./telemetry.ts";
import { InferenceSession } from "onnxruntime-node";
import { type DataType, TritonError } from "triton-typescript";
import { readDeclarations } from "./declarations.ts";
import { type OnnxType, tritonType } from "./tensor_types.ts";
import { unsupportedTensor } from "./unsupported_tensor.ts";

/** An input or output of a model file. */
export interface TensorInfo {
  readonly name: string;
  readonly onnxType: OnnxType;
  readonly datatype: DataType;
  /** One entry a dimension, -1 where the file leaves it open. */
  readonly shape: readonly number[];
  /** Outputs that are a single value, of shape []: the shape, all ones, in which they are answered. */
  readonly scalarShape?: readonly number[];
}

export interface Network {
  readonly file: string;
  readonly session: InferenceSession;
  readonly inputs: readonly TensorInfo[];
  readonly outputs: readonly TensorInfo[];
}

/**
 * Opens a model file. Throws a `TritonError` that names the model and the file when ONNX Runtime cannot read it, or
 * when one of its tensors is of a kind that Triton does not have.
 */
export async function openNetwork(
  modelName: string,
  file: string,
  options: InferenceSession.SessionOptions,
): Promise<Network> {
  let session: InferenceSession;
  try {
    session = await InferenceSession.create(file, options);
  } catch (error) {
    throw openingFailed(modelName, file, error instanceof Error ? error.message.trim() : String(error));
  }
  try {
    return {
      file,
      session,
      inputs: session.inputMetadata.map((info) => tensorInfo(modelName, file, "input", info)),
      outputs: session.outputMetadata.map((info) => tensorInfo(modelName, file, "output", info)),
    };
  } catch (error) {
    await session.release();
    throw error;
  }
}

function openingFailed(modelName: string, file: string, cause: string): TritonError {
  // The library says the number of an element type that it does not have, but not whose it is.
  if (cause.startsWith("Unsupported data type")) {
    const declared = readDeclarations(file);
    for (const kind of ["input", "output"] as const) {
      const odd = declared?.[`${kind}s`].find(({ type }) => !isCarried(type));
      if (odd !== undefined) return unsupportedTensor(modelName, kind, odd.name, odd.type);
    }
  }
  const advice = cause.includes("escapes model directory")
    ? ". ONNX Runtime reads weights from the folder of the model file only, links followed: copy them there, make hard " +
      "links, or let the whole folder be a link"
    : "";
  return new TritonError(
    `Model '${modelName}': ONNX Runtime could not open '${file}': ${cause}${advice}`,
    "INVALID_ARG",
  );
}

/** Whether a declared type is no tensor, or one whose elements the library has a name for. */
function isCarried(type: string): boolean {
  const element = /^tensor\((\w+)\)$/.exec(type)?.[1];
  return element === undefined || tritonType(element) !== undefined;
}

function tensorInfo(
  modelName: string,
  file: string,
  kind: "input" | "output",
  info: InferenceSession.ValueMetadata,
): TensorInfo {
  const datatype = info.isTensor ? tritonType(info.type) : undefined;
  if (!info.isTensor || datatype === undefined) {
    const declared = readDeclarations(file)?.[`${kind}s`].find(({ name }) => name === info.name)?.type;
    throw unsupportedTensor(
      modelName,
      kind,
      info.name,
      declared ?? (info.isTensor ? `tensor(${info.type})` : "no tensor"),
    );
  }
  return {
    name: info.name,
    onnxType: info.type as OnnxType,
    datatype,
    shape: info.shape.map((side) => (typeof side === "number" ? side : -1)),
  };
}

/** A shape as it is written in messages. */
export function shapeText(shape: readonly number[]): string {
  return `[${shape.join(",")}]`;
}
