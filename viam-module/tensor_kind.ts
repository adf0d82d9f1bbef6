// SPDX-License-Identifier: Apache-2.0
// The ten kinds of tensor that Viam has, and how they stand for Triton's fourteen datatypes.
import type { DataType } from "../stub/src/api/index.ts";

/** The kinds, by the names that Viam's metadata gives them. */
export type KindName =
  | "int8"
  | "uint8"
  | "int16"
  | "uint16"
  | "int32"
  | "uint32"
  | "int64"
  | "uint64"
  | "float32"
  | "float64";

export type KindData =
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array
  | Float32Array
  | Float64Array;

export interface Kind {
  readonly name: KindName;
  /** The number of its field in Viam's FlatTensor. */
  readonly field: number;
  /** The datatype of Triton's that it is. */
  readonly datatype: DataType;
  /** Bytes of one element here, and on the wire, where 16-bit numbers are widened. */
  readonly byteSize: 1 | 2 | 4 | 8;
  readonly wireSize: 1 | 4 | 8;
  readonly array: new (buffer: ArrayBufferLike, byteOffset: number, length: number) => KindData;
}

/** A tensor as it goes to Viam or comes from there. */
export interface ViamTensor {
  readonly kind: KindName;
  readonly shape: readonly number[];
  readonly data: KindData;
}

const list: readonly Kind[] = [
  { name: "int8", field: 2, datatype: "INT8", byteSize: 1, wireSize: 1, array: Int8Array },
  { name: "uint8", field: 3, datatype: "UINT8", byteSize: 1, wireSize: 1, array: Uint8Array },
  { name: "int16", field: 4, datatype: "INT16", byteSize: 2, wireSize: 4, array: Int16Array },
  { name: "uint16", field: 5, datatype: "UINT16", byteSize: 2, wireSize: 4, array: Uint16Array },
  { name: "int32", field: 6, datatype: "INT32", byteSize: 4, wireSize: 4, array: Int32Array },
  { name: "uint32", field: 7, datatype: "UINT32", byteSize: 4, wireSize: 4, array: Uint32Array },
  { name: "int64", field: 8, datatype: "INT64", byteSize: 8, wireSize: 8, array: BigInt64Array },
  { name: "uint64", field: 9, datatype: "UINT64", byteSize: 8, wireSize: 8, array: BigUint64Array },
  { name: "float32", field: 10, datatype: "FP32", byteSize: 4, wireSize: 4, array: Float32Array },
  { name: "float64", field: 11, datatype: "FP64", byteSize: 8, wireSize: 8, array: Float64Array },
];

const byName = new Map(list.map((kind) => [kind.name, kind]));
const byField = new Map(list.map((kind) => [kind.field, kind]));

/** All kinds, in the order of their fields. */
export const kinds = list;

export const kindNamed = (name: KindName): Kind => byName.get(name)!;

export const kindOfField = (field: number): Kind | undefined => byField.get(field);

/** Datatypes that Viam lacks, and the kind that stands for each. */
const standIns: Partial<Record<DataType, KindName>> = {
  BOOL: "uint8",
  FP16: "float32",
  BF16: "float32",
  BYTES: "uint8",
};

/** The kind in which a datatype of Triton's goes over Viam. */
export function kindOf(datatype: DataType): KindName {
  return list.find((kind) => kind.datatype === datatype)?.name ?? standIns[datatype]!;
}
