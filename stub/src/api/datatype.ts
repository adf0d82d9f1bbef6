// SPDX-License-Identifier: Apache-2.0
import { defect, TritonError } from "./errors.ts";

/**
 * The typed array that holds the data of each datatype.
 *
 * BOOL holds one byte per element, 0 or 1. FP16 and BF16 hold the raw 16 bits; `tensor.toFloat32()` converts them.
 * BYTES holds Triton's serialized form: for each element a little-endian 32-bit length, then that many bytes.
 */
export interface TensorDataMap {
  BOOL: Uint8Array;
  INT8: Int8Array;
  INT16: Int16Array;
  INT32: Int32Array;
  INT64: BigInt64Array;
  UINT8: Uint8Array;
  UINT16: Uint16Array;
  UINT32: Uint32Array;
  UINT64: BigUint64Array;
  FP16: Uint16Array;
  BF16: Uint16Array;
  FP32: Float32Array;
  FP64: Float64Array;
  BYTES: Uint8Array;
}

/** Triton's tensor datatypes, by the names that its protocols use. */
export type DataType = keyof TensorDataMap;

/** Any typed array that a tensor can hold. */
export type TensorData = TensorDataMap[DataType];

/** The names of the datatypes in a model configuration; BYTES is called `TYPE_STRING` there. */
export type ConfigDataType = "TYPE_INVALID" | "TYPE_STRING" | `TYPE_${Exclude<DataType, "BYTES">}`;

type TypedArrayConstructor = {
  new (length: number): TensorData;
  new (buffer: ArrayBufferLike, byteOffset?: number, length?: number): TensorData;
  readonly BYTES_PER_ELEMENT: number;
};

/** What is known of one datatype. */
export interface DataTypeInfo {
  readonly name: DataType;
  /** The number in `TRITONSERVER_DataType`. */
  readonly number: number;
  /** Bytes of one element; 0 for BYTES, whose elements differ in length. */
  readonly byteSize: number;
  readonly array: TypedArrayConstructor;
  readonly configName: ConfigDataType;
}

function info<D extends DataType>(
  number: number,
  name: D,
  byteSize: number,
  array: new (length: number) => TensorDataMap[D],
  configName = `TYPE_${name}`,
): DataTypeInfo {
  return Object.freeze({
    name,
    number,
    byteSize,
    array: array as unknown as TypedArrayConstructor,
    configName: configName as ConfigDataType,
  });
}

/** Every datatype, in the order of Triton's numbers, which start at 1. */
export const DATA_TYPES: readonly DataTypeInfo[] = Object.freeze([
  info(1, "BOOL", 1, Uint8Array),
  info(2, "UINT8", 1, Uint8Array),
  info(3, "UINT16", 2, Uint16Array),
  info(4, "UINT32", 4, Uint32Array),
  info(5, "UINT64", 8, BigUint64Array),
  info(6, "INT8", 1, Int8Array),
  info(7, "INT16", 2, Int16Array),
  info(8, "INT32", 4, Int32Array),
  info(9, "INT64", 8, BigInt64Array),
  info(10, "FP16", 2, Uint16Array),
  info(11, "FP32", 4, Float32Array),
  info(12, "FP64", 8, Float64Array),
  info(13, "BYTES", 0, Uint8Array, "TYPE_STRING"),
  info(14, "BF16", 2, Uint16Array),
]);

/** Datatypes that an array does not tell by its kind, which is another datatype's. */
export const UNTOLD_DATA_TYPES = ["BOOL", "FP16", "BF16", "BYTES"] as const satisfies readonly DataType[];
export type UntoldDataType = (typeof UNTOLD_DATA_TYPES)[number];

const byName = new Map<string, DataTypeInfo>(DATA_TYPES.map((entry) => [entry.name, entry]));
const byConfigName = new Map<string, DataTypeInfo>(DATA_TYPES.map((entry) => [entry.configName, entry]));

/** Says whether `name` is one of Triton's datatypes. */
export function isDataType(name: unknown): name is DataType {
  return typeof name === "string" && byName.has(name);
}

/**
 * What is known of the datatype called `name`.
 *
 * @throws TritonError INTERNAL when there is no such datatype
 */
export function dataTypeInfo(name: string): DataTypeInfo {
  const found = byName.get(name);
  if (found === undefined) {
    const names = DATA_TYPES.map((entry) => entry.name).join(", ");
    throw defect(`'${String(name)}' is not a datatype. Use one of ${names}.`);
  }
  return found;
}

/**
 * Turns the name of a datatype in a model configuration, such as `TYPE_FP32` or `TYPE_STRING`, into its tensor name.
 *
 * @throws TritonError INVALID_ARG when the name is unknown or `TYPE_INVALID`
 */
export function dataTypeFromConfig(configName: string): DataType {
  const found = byConfigName.get(configName);
  if (found === undefined) {
    const names = DATA_TYPES.map((entry) => entry.configName).join(", ");
    throw new TritonError(
      `'${String(configName)}' is not a datatype of a model configuration. Use one of ${names}.`,
      "INVALID_ARG",
    );
  }
  return found.name;
}

/** Turns a datatype into its name in a model configuration: `FP32` into `TYPE_FP32`, `BYTES` into `TYPE_STRING`. */
export function dataTypeToConfig(datatype: DataType): ConfigDataType {
  return dataTypeInfo(datatype).configName;
}

/** Bytes of one element of a datatype; 0 for BYTES, whose elements differ in length. */
export function elementByteSize(datatype: DataType): number {
  return dataTypeInfo(datatype).byteSize;
}
