// SPDX-License-Identifier: Apache-2.0
// A tensor's head in a request or a response (struct tsb_tensor, then its dimensions). `end` is where the record ends.
import * as L from "../protocol/layout.gen.ts";
import { type Dtype, dtypeOfNumber } from "./dtype.ts";
import { type Place, type Region, readName, readPlace, readU64, refuseRecord, writePlace, writeU64 } from "./record.ts";

export function tensorHeadBytes(dimensions: number): number {
  return L.TENSOR_SIZE + dimensions * 8;
}

/** Checks that the head lies in the record, with its dimensions. */
function dimensionCount(region: Region, at: number, end: number): number {
  const count = region.u32[(at + L.TENSOR_DIMS_COUNT) / 4]!;
  if (!(count <= L.MAX_DIMS && at + tensorHeadBytes(count) <= end)) refuseRecord();
  return count;
}

/** Where the next head begins. */
export function nextTensor(region: Region, at: number, end: number): number {
  return at + tensorHeadBytes(dimensionCount(region, at, end));
}

/** The name, from `names` or from the text in the record that begins at `record`. */
export function readTensorName(
  region: Region,
  at: number,
  record: number,
  end: number,
  names: readonly string[],
): string {
  const { u32 } = region;
  const name = u32[(at + L.TENSOR_NAME) / 4]!;
  if (name === L.NAME_INLINE) {
    const text = record + u32[(at + L.TENSOR_NAME_OFFSET) / 4]!;
    return readName(region, text, u32[(at + L.TENSOR_NAME_BYTES) / 4]!, end);
  }
  return names[name] ?? refuseRecord();
}

export function readTensorDtype(region: Region, at: number): Dtype {
  return dtypeOfNumber(region.u32[(at + L.TENSOR_DATATYPE) / 4]!);
}

/** A fresh array of the dimensions. */
export function readTensorShape(region: Region, at: number, end: number): number[] {
  const count = dimensionCount(region, at, end);
  const shape = new Array<number>(count);
  for (let i = 0; i < count; i++) shape[i] = readU64(region.u32, at + L.TENSOR_SIZE + i * 8);
  return shape;
}

/** Where the data lies. Nothing is known yet of whether that is in a region. */
export function readTensorPlace(region: Region, at: number): Place {
  return readPlace(region, at + L.TENSOR_PLACE);
}

/** A copy of a shape, which the model may have changed since its tensor was made; undefined when it is none any more. */
export function copyShape(shape: unknown): number[] | undefined {
  if (!Array.isArray(shape)) return undefined;
  // By its own loop: whatever the array and its methods have become, each number is read once.
  const count: unknown = shape.length;
  if (typeof count !== "number" || !(count <= L.MAX_DIMS)) return undefined;
  const copy: number[] = new Array<number>(count);
  for (let i = 0; i < count; i++) {
    const side: unknown = shape[i];
    if (!Number.isSafeInteger(side) || (side as number) < 0) return undefined;
    copy[i] = side as number;
  }
  return copy;
}

/** Writes a head, with the index of the name in the table, and returns where the next one begins. */
export function writeTensor(
  region: Region,
  at: number,
  name: number,
  dtype: Dtype,
  shape: readonly number[],
  place: Place,
): number {
  const { u32 } = region;
  u32[(at + L.TENSOR_NAME) / 4] = name;
  u32[(at + L.TENSOR_DATATYPE) / 4] = dtype.number;
  u32[(at + L.TENSOR_DIMS_COUNT) / 4] = shape.length;
  writePlace(region, at + L.TENSOR_PLACE, place);
  let dimension = at + L.TENSOR_SIZE;
  for (let i = 0; i < shape.length; i++, dimension += 8) writeU64(u32, dimension, shape[i]!);
  return dimension;
}

/** Says where the text of a name stands that is in no table, in bytes from the start of the record. */
export function writeInlineName(region: Region, at: number, offset: number, bytes: number): void {
  region.u32[(at + L.TENSOR_NAME) / 4] = L.NAME_INLINE;
  region.u32[(at + L.TENSOR_NAME_OFFSET) / 4] = offset;
  region.u32[(at + L.TENSOR_NAME_BYTES) / 4] = bytes;
}
