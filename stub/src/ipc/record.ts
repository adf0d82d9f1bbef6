// SPDX-License-Identifier: Apache-2.0
// What all records share: a mapped region as arrays, a place, texts, and the check that no number leads out of a record.
import { defect } from "../api/errors.ts";
import * as L from "../protocol/layout.gen.ts";

/** A number of a region, an offset in it and a length; see docs/protocol.md. */
export interface Place {
  readonly region: number;
  readonly offset: number;
  readonly bytes: number;
}

/** Whether a place lies within another one. */
export function isPartOf(part: Place, { region, offset, bytes }: Place): boolean {
  return part.region === region && part.offset >= offset && part.offset + part.bytes <= offset + bytes;
}

/** One mapped region as arrays of the widths that records are read and written with. */
export interface Region {
  readonly id: number;
  readonly buffer: ArrayBuffer;
  readonly u8: Uint8Array;
  readonly u32: Uint32Array;
  readonly f64: Float64Array;
  readonly i64: BigInt64Array;
  readonly u64: BigUint64Array;
}

const TWO_32 = 4294967296;
const LONGEST_SHORT_NAME = 24;

export function makeRegion(id: number, buffer: ArrayBuffer): Region {
  return {
    id,
    buffer,
    u8: new Uint8Array(buffer),
    u32: new Uint32Array(buffer),
    f64: new Float64Array(buffer),
    i64: new BigInt64Array(buffer),
    u64: new BigUint64Array(buffer),
  };
}

export function align(bytes: number, unit: number): number {
  return Math.ceil(bytes / unit) * unit;
}

/**
 * A number in a record leads out of it. A model can write over the records that it is answering, at any time, so each
 * number in them is checked when it is used.
 */
export function refuseRecord(): never {
  throw defect("The model wrote over the memory of its request. Write into the data of tensors only.");
}

/** Throws unless `bytes` bytes at `at` lie in the record that ends at `end`. */
export function requireInside(at: number, bytes: number, end: number): void {
  if (!(at + bytes <= end)) refuseRecord();
}

export function readText(region: Region, at: number, bytes: number, end: number): string {
  if (bytes === 0) return "";
  requireInside(at, bytes, end);
  return Buffer.from(region.buffer, at, bytes).toString("utf8");
}

/** The same where it is short and of ASCII, as names mostly are, and sooner. */
export function readName(region: Region, at: number, bytes: number, end: number): string {
  if (bytes > LONGEST_SHORT_NAME) return readText(region, at, bytes, end);
  requireInside(at, bytes, end);
  let name = "";
  for (let i = at; i < at + bytes; i++) {
    const byte = region.u8[i]!;
    if (byte > 127) return readText(region, at, bytes, end);
    name += String.fromCharCode(byte);
  }
  return name;
}

/** A whole number of 64 bits; beyond 2^53 it is rounded. By halves, as a BigInt would be an object each time. */
export function readU64(u32: Uint32Array, at: number): number {
  return u32[at / 4]! + u32[at / 4 + 1]! * TWO_32;
}

/** Writes a whole number from 0 to 2^53, which callers make sure of. */
export function writeU64(u32: Uint32Array, at: number, value: number): void {
  u32[at / 4] = value; // the lower half: what is above does not fit
  u32[at / 4 + 1] = value / TWO_32;
}

export function readPlace(region: Region, at: number): Place {
  return {
    region: region.u32[(at + L.PLACE_REGION) / 4]!,
    offset: readU64(region.u32, at + L.PLACE_OFFSET),
    bytes: readU64(region.u32, at + L.PLACE_BYTES),
  };
}

export function writePlace({ u32 }: Region, at: number, place: Place): void {
  u32[(at + L.PLACE_REGION) / 4] = place.region;
  writeU64(u32, at + L.PLACE_OFFSET, place.offset);
  writeU64(u32, at + L.PLACE_BYTES, place.bytes);
}
