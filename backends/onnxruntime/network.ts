// SPDX-License-Identifier: Apache-2.0
// A model file opened by ONNX Runtime, with what it says about its inputs and outputs.

import { InferenceSession } from "onnxruntime-node";
import { type DataType, TritonError } from "triton-typescript";
import { type OnnxType, tritonType } from "./tensor_types.ts";

/** An input or output of a model file. */
export interface TensorInfo {
  readonly name: string;
  readonly onnxType: OnnxType;
  readonly datatype: DataType;
  /** One entry a dimension, -1 where the file leaves it open. */
  readonly shape: readonly number[];
}

export interface Network {
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
    const cause = error instanceof Error ? error.message : String(error);
    throw new TritonError(
      `Model '${modelName}': ONNX Runtime could not open '${file}': ${cause.trim()}`,
      "INVALID_ARG",
    );
  }
  try {
    return {
      session,
      inputs: session.inputMetadata.map((info) => tensorInfo(modelName, "input", info)),
      outputs: session.outputMetadata.map((info) => tensorInfo(modelName, "output", info)),
    };
  } catch (error) {
    await session.release();
    throw error;
  }
}

function tensorInfo(modelName: string, kind: string, info: InferenceSession.ValueMetadata): TensorInfo {
  if (!info.isTensor) {
    throw new TritonError(
      `Model '${modelName}': ${kind} '${info.name}' of the model file is a sequence or a map, but Triton carries tensors only. ` +
        "Export the model without it (for scikit-learn models: the option zipmap=False).",
      "UNSUPPORTED",
    );
  }
  const datatype = tritonType(info.type);
  if (datatype === undefined) {
    throw new TritonError(
      `Model '${modelName}': ${kind} '${info.name}' of the model file has the ONNX type ${info.type}, which Triton does not have.`,
      "UNSUPPORTED",
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
