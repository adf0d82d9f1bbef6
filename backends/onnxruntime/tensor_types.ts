// SPDX-License-Identifier: Apache-2.0
// Tensor types that ONNX and Triton share, and the step between their tensors.

import { isUtf8 } from "node:buffer";
import { Tensor as OnnxTensor } from "onnxruntime-node";
import { type DataType, Tensor, TritonError } from "triton-typescript";

const tritonTypes = {
  float16: "FP16",
  float32: "FP32",
  float64: "FP64",
  int8: "INT8",
  int16: "INT16",
  int32: "INT32",
  int64: "INT64",
  uint8: "UINT8",
  uint16: "UINT16",
  uint32: "UINT32",
  uint64: "UINT64",
  bool: "BOOL",
  string: "BYTES",
} as const satisfies Readonly<Record<string, DataType>>;

/** Names of ONNX Runtime's element types that Triton knows too. */
export type OnnxType = keyof typeof tritonTypes;

/** Triton's datatype for an ONNX element type; undefined for the few that Triton does not know (int4, uint4). */
export function tritonType(onnxType: string): DataType | undefined {
  return Object.hasOwn(tritonTypes, onnxType) ? tritonTypes[onnxType as OnnxType] : undefined;
}

/** Data as ONNX Runtime takes it: one of Triton's typed arrays, or strings. */
export type OnnxData = Exclude<Tensor["data"], never> | string[];

/** An ONNX tensor on `data`, which is not copied. `shape` has the batch dimension in front where there is one. */
export function onnxTensor(type: OnnxType, data: OnnxData, shape: readonly number[]): OnnxTensor {
  const tensor = new OnnxTensor(type as "float32", data as Float32Array, shape);
  if (type === "float16") {
    // The library turns the raw 16 bits into a Float16Array, a kind of array whose length its native half takes for
    // zero (onnxruntime-node 1.30.0). It reads the property `data`, so the raw array is put in front.
    Object.defineProperty(tensor, "data", { value: data });
  }
  return tensor;
}

/** The data of a Triton tensor in the form for ONNX Runtime: a view, or decoded strings. */
export function onnxData(tensor: Tensor): OnnxData {
  return tensor.datatype === "BYTES" ? tensor.strings() : tensor.data;
}

/**
 * Throws a `TritonError` INVALID_ARG when the library would change an element of a BYTES tensor on its way: it takes
 * strings, which hold UTF-8 only, and cuts them at the first zero byte.
 */
export function checkStrings(modelName: string, tensor: Tensor): void {
  for (const [i, element] of tensor.strings().entries()) {
    const zero = element.includes("\0");
    // Bytes that are not UTF-8 are decoded as U+FFFD, which a client may send as well.
    if (!zero && (!element.includes("\ufffd") || isUtf8(tensor.bytes()[i]!))) continue;
    throw new TritonError(
      `Model '${modelName}': element ${i} of input '${tensor.name}' ${zero ? "holds a zero byte" : "is not UTF-8"}, but ` +
        "strings of ONNX models are UTF-8 text without zero bytes here. Send other bytes in another form, such as Base64.",
      "INVALID_ARG",
    );
  }
}

/** A Triton tensor with an ONNX result, in another `shape` of as many elements where one is given. */
export function tritonTensor(name: string, result: OnnxTensor, shape: readonly number[] = result.dims): Tensor {
  return makeTensor(name, result, rawData(result), shape);
}

/** A Triton tensor with rows `first` to `first + rows` of an ONNX result. */
export function tritonRows(name: string, result: OnnxTensor, first: number, rows: number): Tensor {
  const [, ...rest] = result.dims;
  const rowLength = rest.reduce((product, side) => product * side, 1);
  const data = sliceOf(rawData(result), first * rowLength, (first + rows) * rowLength);
  return makeTensor(name, result, data, [rows, ...rest]);
}

function makeTensor(name: string, result: OnnxTensor, data: OnnxData, shape: readonly number[]): Tensor {
  const datatype = tritonType(result.type);
  if (datatype === undefined) {
    throw new TritonError(
      `Output '${name}' has the ONNX type ${result.type}, which no Triton datatype stands for. Add a Cast to the model.`,
      "UNSUPPORTED",
    );
  }
  return new Tensor(name, data as string[], shape, datatype as "BYTES");
}

function rawData(result: OnnxTensor): OnnxData {
  const data = result.data as OnnxData | Float16Array;
  // A Float16Array is looked at as the raw bits that Triton carries.
  if (result.type !== "float16" || data instanceof Uint16Array) return data as OnnxData;
  const halves = data as Float16Array;
  return new Uint16Array(halves.buffer, halves.byteOffset, halves.length);
}

function sliceOf(data: OnnxData, from: number, to: number): OnnxData {
  return Array.isArray(data) ? data.slice(from, to) : data.subarray(from, to);
}

/** Puts the data of several requests one after the other; all are of one type. */
export function concatenate(parts: readonly OnnxData[]): OnnxData {
  const [first] = parts;
  if (first === undefined) return new Uint8Array(0);
  if (Array.isArray(first)) return (parts as string[][]).flat();
  const arrays = parts as Float32Array[];
  const total = arrays.reduce((sum, part) => sum + part.length, 0);
  const joined = new (first.constructor as Float32ArrayConstructor)(total);
  let at = 0;
  for (const part of arrays) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}
