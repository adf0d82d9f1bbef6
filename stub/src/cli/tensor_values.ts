// SPDX-License-Identifier: Apache-2.0
// Between what a person writes or reads and the bytes of a tensor.
import { deserializeBytes, serializeBytes } from "../api/bytes.ts";
import { type DataType, dataTypeInfo } from "../api/datatype.ts";
import { bfloat16ToFloat32, float16ToFloat32, float32ToBfloat16, float32ToFloat16 } from "../api/float16.ts";
import { CliError } from "./error.ts";

/** One element as it is shown: numbers, truth values, whole numbers beyond 2^53, text or raw bytes. */
export type Element = number | bigint | boolean | string | Uint8Array;

/** Elements in row-major order with the shape that their notation shows; a plain list has one dimension. */
export interface WrittenValue {
  elements: Element[];
  shape: number[];
  /** True when the notation tells the shape: nested JSON. */
  nested: boolean;
}

type Json = number | string | boolean | null | Json[] | { [key: string]: Json };

function flatten(value: Json, name: string): WrittenValue {
  const shape: number[] = [];
  for (let level: Json | undefined = value; Array.isArray(level); level = level[0]) shape.push(level.length);
  const elements: Element[] = [];
  const visit = (part: Json, depth: number) => {
    if (depth < shape.length) {
      if (!Array.isArray(part) || part.length !== shape[depth]) {
        throw new CliError(`The value of input ${name} is ragged: lists at one depth must have one length.`);
      }
      for (const item of part) visit(item, depth + 1);
    } else if (typeof part === "number" || typeof part === "string" || typeof part === "boolean") {
      elements.push(part);
    } else {
      throw new CliError(
        `The value of input ${name} holds ${JSON.stringify(part)}; expected numbers, texts or booleans.`,
      );
    }
  };
  visit(value, 0);
  return { elements, shape, nested: shape.length > 1 };
}

/** Reads a value from the command line: JSON, else numbers with commas between, else one text. */
export function parseWritten(text: string, datatype: DataType, name: string): WrittenValue {
  const trimmed = text.trim();
  if (trimmed.startsWith("[")) {
    try {
      // Whole numbers beyond 2^53 would lose digits as JSON numbers, so 64-bit ones are read as texts.
      const exact = /64$/.test(datatype) && datatype !== "FP64" ? trimmed.replace(/-?\d+/g, '"$&"') : trimmed;
      return flatten(JSON.parse(exact) as Json, name);
    } catch (error) {
      if (error instanceof CliError) throw error;
      throw new CliError(`The value of input ${name} is not valid JSON: ${trimmed.slice(0, 60)}`);
    }
  }
  if (datatype === "BYTES") return { elements: [text], shape: [1], nested: false };
  const elements = trimmed === "" ? [] : trimmed.split(/[\s,]+/);
  return { elements, shape: [elements.length], nested: false };
}

function toNumber(element: Element, datatype: DataType, name: string): number {
  const number = typeof element === "string" && element.trim() === "" ? Number.NaN : Number(element);
  if (Number.isNaN(number) && !/^[+-]?nan$/i.test(String(element))) {
    throw new CliError(`Input ${name} is ${datatype}, and ${JSON.stringify(String(element))} is not a number.`);
  }
  return number;
}

function toBoolean(element: Element, name: string): number {
  if (/^(true|1)$/i.test(String(element))) return 1;
  if (/^(false|0)$/i.test(String(element))) return 0;
  throw new CliError(`Input ${name} is BOOL, and ${JSON.stringify(String(element))} is neither true nor false.`);
}

function toBigInt(element: Element, datatype: DataType, name: string): bigint {
  try {
    return BigInt(String(element));
  } catch {
    throw new CliError(`Input ${name} is ${datatype}, and ${JSON.stringify(String(element))} is not a whole number.`);
  }
}

/** The range of a whole-number datatype, lowest and highest. */
function checkRange(value: number | bigint, datatype: DataType, name: string): void {
  const bits = BigInt(dataTypeInfo(datatype).byteSize * 8);
  const unsigned = datatype.startsWith("U");
  const low = unsigned ? 0n : -(1n << (bits - 1n));
  const high = (1n << (unsigned ? bits : bits - 1n)) - 1n;
  if (typeof value === "number" && !Number.isInteger(value)) {
    throw new CliError(`Input ${name} is ${datatype}, and ${value} is not a whole number.`);
  }
  if (BigInt(value) < low || BigInt(value) > high) {
    throw new CliError(`Input ${name} is ${datatype}, and ${value} is outside its range ${low} to ${high}.`);
  }
}

function bytesOf(view: ArrayBufferView): Uint8Array {
  return new Uint8Array(view.buffer as ArrayBuffer, view.byteOffset, view.byteLength);
}

/** The bytes of a tensor that holds these elements. Throws CliError for an element that does not fit the datatype. */
export function encodeElements(elements: readonly Element[], datatype: DataType, name: string): Uint8Array {
  if (datatype === "BYTES") {
    return serializeBytes(elements.map((element) => (element instanceof Uint8Array ? element : String(element))));
  }
  if (datatype === "BOOL") return Uint8Array.from(elements, (element) => toBoolean(element, name));
  if (datatype === "INT64" || datatype === "UINT64") {
    const values = elements.map((element) => toBigInt(element, datatype, name));
    for (const value of values) checkRange(value, datatype, name);
    return bytesOf(datatype === "INT64" ? BigInt64Array.from(values) : BigUint64Array.from(values));
  }
  const numbers = elements.map((element) => toNumber(element, datatype, name));
  if (datatype === "FP16") return bytesOf(float32ToFloat16(Float32Array.from(numbers)));
  if (datatype === "BF16") return bytesOf(float32ToBfloat16(Float32Array.from(numbers)));
  if (!datatype.startsWith("FP")) for (const number of numbers) checkRange(number, datatype, name);
  const array = new (dataTypeInfo(datatype).array)(numbers.length) as Float32Array;
  array.set(numbers);
  return bytesOf(array);
}

/** Texts of valid UTF-8, a byte order mark at their start included; else the raw bytes. */
function textOrBytes(bytes: Uint8Array): Element {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return bytes;
  }
}

/** The elements of a tensor's bytes, in row-major order. */
export function decodeElements(bytes: Uint8Array, datatype: DataType): Element[] {
  if (datatype === "BYTES") return deserializeBytes(bytes).map(textOrBytes);
  if (datatype === "BOOL") return Array.from(bytes, (byte) => byte !== 0);
  // A copy of its own, so that the typed array starts at a multiple of its element size.
  const copy = bytes.slice();
  const array = new (dataTypeInfo(datatype).array)(copy.buffer);
  if (datatype === "FP16") return Array.from(float16ToFloat32(array as Uint16Array));
  if (datatype === "BF16") return Array.from(bfloat16ToFloat32(array as Uint16Array));
  return Array.from(array as Iterable<number | bigint>);
}

/**
 * The shape for `count` elements of an input whose metadata says `declared` (-1 for any size). One open dimension
 * takes what is left; of several the first one, which is the batch, becomes 1. Throws CliError where that is not enough.
 */
export function fitShape(declared: readonly number[], count: number, name: string): number[] {
  const open = declared.filter((size) => size < 0).length;
  const wanted = open > 1 ? [1, ...declared.slice(1)] : [...declared];
  const left = wanted.filter((size) => size < 0).length;
  const fixed = wanted.filter((size) => size >= 0).reduce((product, size) => product * size, 1);
  const text = `[${declared.join(", ")}]`;
  if (left > 1 || (open > 1 && declared[0] !== -1)) {
    throw new CliError(`The shape of input ${name} ${text} is open in several places; say it with --shape ${name}=...`);
  }
  const rest = fixed === 0 ? 0 : count / fixed;
  if (left === 0 ? fixed !== count : !Number.isInteger(rest)) {
    throw new CliError(`Input ${name} has the shape ${text}, which ${count} elements do not fill.`);
  }
  return wanted.map((size) => (size < 0 ? rest : size));
}

/** Elements as nested lists in the tensor's shape, for JSON. */
export function nest(elements: readonly Element[], shape: readonly number[]): unknown {
  const plain = (element: Element | undefined): unknown => {
    if (element instanceof Uint8Array) return { base64: Buffer.from(element).toString("base64") };
    if (typeof element === "bigint") return Number.isSafeInteger(Number(element)) ? Number(element) : String(element);
    return typeof element === "number" && !Number.isFinite(element) ? String(element) : element;
  };
  const build = (depth: number, from: number, to: number): unknown => {
    if (depth === shape.length) return plain(elements[from]);
    const size = shape[depth] ?? 0;
    const step = size === 0 ? 0 : (to - from) / size;
    return Array.from({ length: size }, (_, at) => build(depth + 1, from + at * step, from + (at + 1) * step));
  };
  return build(0, 0, elements.length);
}
