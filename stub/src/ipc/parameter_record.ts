// SPDX-License-Identifier: Apache-2.0
// Parameters of a request or a response (struct tsb_parameter, then the texts of key and value).
import { checkParameter, type ParameterOwner, type Parameters, type ParameterValue } from "../api/parameters.ts";
import * as L from "../protocol/layout.gen.ts";
import { align, type Region, readText, requireInside } from "./record.ts";

/** A parameter whose size is known. */
export interface EncodedParameter {
  readonly type: number;
  readonly key: Buffer;
  readonly text: Buffer;
  readonly bits: bigint;
}

const NONE: readonly EncodedParameter[] = [];
const NO_TEXT = Buffer.alloc(0);
const doubleBits = new DataView(new ArrayBuffer(8));

export function encodeParameters(owner: ParameterOwner, parameters: Parameters): readonly EncodedParameter[] {
  const names = Object.keys(parameters);
  return names.length === 0 ? NONE : names.map((name) => encode(owner, name, parameters[name]!));
}

function encode(owner: ParameterOwner, name: string, value: ParameterValue): EncodedParameter {
  // Once more, since the object is the model's to change.
  checkParameter(owner, name, value);
  const key = Buffer.from(name);
  if (typeof value === "string") return { type: L.PARAMETER_STRING, key, text: Buffer.from(value), bits: 0n };
  if (typeof value === "boolean") return { type: L.PARAMETER_BOOL, key, text: NO_TEXT, bits: value ? 1n : 0n };
  if (typeof value === "bigint" || Number.isInteger(value)) {
    return { type: L.PARAMETER_INT, key, text: NO_TEXT, bits: BigInt(value) };
  }
  doubleBits.setFloat64(0, value);
  return { type: L.PARAMETER_DOUBLE, key, text: NO_TEXT, bits: doubleBits.getBigUint64(0) };
}

function parameterBytes(keyBytes: number, textBytes: number): number {
  return L.PARAMETER_SIZE + align(keyBytes + textBytes, 8);
}

export function parametersBytes(parameters: readonly EncodedParameter[]): number {
  let bytes = 0;
  for (const { key, text } of parameters) bytes += parameterBytes(key.length, text.length);
  return bytes;
}

/** Writes parameters one after the other, and returns where they end. */
export function writeParameters(region: Region, start: number, parameters: readonly EncodedParameter[]): number {
  let at = start;
  for (const { type, key, text, bits } of parameters) {
    region.u32[(at + L.PARAMETER_TYPE) / 4] = type;
    region.u32[(at + L.PARAMETER_KEY_BYTES) / 4] = key.length;
    region.u32[(at + L.PARAMETER_VALUE_BYTES) / 4] = text.length;
    region.i64[(at + L.PARAMETER_VALUE) / 8] = bits;
    region.u8.set(key, at + L.PARAMETER_SIZE);
    region.u8.set(text, at + L.PARAMETER_SIZE + key.length);
    at += parameterBytes(key.length, text.length);
  }
  return at;
}

/** Reads `count` parameters from `start` on, in a record that ends at `end`. */
export function readParameters(region: Region, start: number, count: number, end: number): Parameters {
  const parameters: Record<string, ParameterValue> = {};
  let at = start;
  for (let i = 0; i < count; i++) {
    requireInside(at, L.PARAMETER_SIZE, end);
    const keyBytes = region.u32[(at + L.PARAMETER_KEY_BYTES) / 4]!;
    const textBytes = region.u32[(at + L.PARAMETER_VALUE_BYTES) / 4]!;
    const key = at + L.PARAMETER_SIZE;
    // Not a plain assignment: a parameter called __proto__ is a parameter, too. Of two with one name the last one counts.
    Object.defineProperty(parameters, readText(region, key, keyBytes, end), {
      value: readValue(region, at, key + keyBytes, textBytes, end),
      enumerable: true,
      configurable: true,
    });
    at += parameterBytes(keyBytes, textBytes);
  }
  return parameters;
}

function readValue(region: Region, at: number, text: number, textBytes: number, end: number): ParameterValue {
  switch (region.u32[(at + L.PARAMETER_TYPE) / 4]) {
    case L.PARAMETER_STRING:
      return readText(region, text, textBytes, end);
    case L.PARAMETER_INT: {
      const wide = region.i64[(at + L.PARAMETER_VALUE) / 8]!;
      const number = Number(wide);
      return Number.isSafeInteger(number) ? number : wide;
    }
    case L.PARAMETER_BOOL:
      return region.u32[(at + L.PARAMETER_VALUE) / 4] !== 0;
    default:
      return region.f64[(at + L.PARAMETER_VALUE) / 8]!;
  }
}
