// SPDX-License-Identifier: Apache-2.0
import type { DataType, TensorData } from "./datatype.ts";
import { defect } from "./errors.ts";

/** One element of a tensor as a value. */
export type TensorItem<D extends DataType> = D extends "BYTES"
  ? string
  : D extends "BOOL"
    ? boolean
    : D extends "INT64" | "UINT64"
      ? bigint
      : number;

/** What is read of a tensor. */
interface ReadableTensor {
  readonly name: string;
  readonly datatype: DataType;
  readonly shape: readonly number[];
  readonly elementCount: number;
  readonly data: TensorData;
  strings(): readonly string[];
  toFloat32(): Float32Array;
}

/** The element of a tensor that has exactly one. */
export function itemOf(tensor: ReadableTensor): TensorItem<DataType> {
  if (tensor.elementCount !== 1) {
    throw defect(
      `item() reads tensors with exactly one element, but tensor '${tensor.name}' has the shape [${tensor.shape.join(", ")}].`,
    );
  }
  switch (tensor.datatype) {
    case "BYTES":
      return tensor.strings()[0]!;
    case "BOOL":
      return tensor.data[0] !== 0;
    case "FP16":
    case "BF16":
      return tensor.toFloat32()[0]!;
    default:
      return tensor.data[0]!;
  }
}
