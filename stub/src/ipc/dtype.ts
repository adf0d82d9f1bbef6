// SPDX-License-Identifier: Apache-2.0
import type { DataType, TensorData } from "../api/datatype.ts";
import * as L from "../protocol/layout.gen.ts";

interface ArrayConstructor {
  readonly BYTES_PER_ELEMENT: number;
  new (buffer: ArrayBuffer, offset: number, length: number): TensorData;
}

/** A datatype as the protocol knows it. */
export interface Dtype {
  readonly name: DataType;
  readonly number: number;
  /** Bytes of one element; 1 for BYTES, whose data is an array of bytes. */
  readonly bytes: number;
  readonly array: ArrayConstructor;
}

const dtypes: readonly Dtype[] = L.DTYPES.map((row) => ({
  name: row.name,
  number: row.number,
  bytes: row.bytes === 0 ? 1 : row.bytes,
  array: row.array as unknown as ArrayConstructor,
}));

/** Datatypes at the index of their number in the protocol. */
const byNumber: (Dtype | undefined)[] = [];
for (const dtype of dtypes) byNumber[dtype.number] = dtype;
const byName = new Map<string, Dtype>(dtypes.map((dtype) => [dtype.name, dtype]));

export function dtypeOfNumber(number: number): Dtype {
  const dtype = byNumber[number];
  if (dtype === undefined) throw new Error(`The server sent a tensor of datatype number ${number}, which is unknown.`);
  return dtype;
}

export function dtypeOfName(name: DataType): Dtype {
  return byName.get(name)!;
}
