// SPDX-License-Identifier: Apache-2.0
import { defect, TritonError } from "./errors.ts";
import { utf8 } from "./utf8.ts";

const LENGTH_BYTES = 4;
const MAX_ELEMENT_BYTES = 0xffffffff;

/**
 * V8 copies substrings shorter than this; a longer one would be a slice that keeps the text of the whole tensor alive
 * for as long as a model keeps the one string.
 */
const COPIED_SUBSTRING_LIMIT = 13;

function elementByteLength(element: string | Uint8Array, index: number): number {
  if (typeof element === "string") return utf8.byteLength(element);
  if (element instanceof Uint8Array) return element.byteLength;
  throw defect(
    `Element ${index} of a BYTES tensor is of type '${element === null ? "null" : typeof element}'. ` +
      "Give a string or a Uint8Array.",
  );
}

/**
 * Bytes that `elements` take in Triton's serialized form.
 *
 * @throws TritonError INTERNAL when an element is neither a string nor a Uint8Array
 */
export function serializedByteLength(elements: readonly (string | Uint8Array)[]): number {
  let total = elements.length * LENGTH_BYTES;
  for (let i = 0; i < elements.length; i++) {
    const length = elementByteLength(elements[i]!, i);
    if (length > MAX_ELEMENT_BYTES) {
      throw defect(
        `Element ${i} of a BYTES tensor has ${length} bytes, but at most ${MAX_ELEMENT_BYTES} fit in its length field.`,
      );
    }
    total += length;
  }
  return total;
}

/**
 * Writes `elements` in Triton's serialized form into `target`, from `offset` on, and returns the offset after them.
 * The caller has made room for `serializedByteLength(elements)` bytes.
 *
 * @throws TritonError INTERNAL when `target` is too small
 */
export function serializeBytesInto(
  elements: readonly (string | Uint8Array)[],
  target: Uint8Array,
  offset: number,
): number {
  const out = utf8.textBytes(target);
  let at = offset;
  for (let i = 0; i < elements.length; i++) {
    const element = elements[i]!;
    const start = at + LENGTH_BYTES;
    const length =
      typeof element === "string" && start <= target.length ? out.write(element, start, "utf8") : element.length;
    // A string cut off by the end of the buffer fills it to less than four bytes, so its true length is looked at then.
    const atEnd = start + length > target.length - LENGTH_BYTES;
    if (atEnd && start + elementByteLength(element, i) > target.length) {
      throw defect(
        `A buffer of ${target.byteLength} bytes has no room for element ${i} of ${elements.length} of a BYTES tensor.`,
      );
    }
    if (typeof element !== "string") target.set(element, start);
    writeLength(target, at, length);
    at = start + length;
  }
  return at;
}

/**
 * Turns elements into Triton's serialized form: for each element a little-endian 32-bit length, then that many bytes.
 * Strings are encoded as UTF-8.
 *
 * @throws TritonError INTERNAL when an element is neither a string nor a Uint8Array
 */
export function serializeBytes(elements: readonly (string | Uint8Array)[]): Uint8Array {
  const out = new Uint8Array(serializedByteLength(elements));
  serializeBytesInto(elements, out, 0);
  return out;
}

/** Writes the length in front of an element, for which there is room. */
function writeLength(target: Uint8Array, at: number, length: number): void {
  target[at] = length;
  target[at + 1] = length >>> 8;
  target[at + 2] = length >>> 16;
  target[at + 3] = length >>> 24;
}

/** Reads the length in front of the element at `at` and checks that the element ends inside `data`. */
function readLength(data: Uint8Array, at: number, index: number): number {
  if (at + LENGTH_BYTES > data.length) {
    throw new TritonError(
      `The data of a BYTES tensor ends inside the length of element ${index}: expected 4 bytes at offset ${at}, ` +
        `but the data has ${data.length} bytes.`,
      "INVALID_ARG",
    );
  }
  const length = (data[at]! | (data[at + 1]! << 8) | (data[at + 2]! << 16) | (data[at + 3]! << 24)) >>> 0;
  if (at + LENGTH_BYTES + length > data.length) {
    throw new TritonError(
      `Element ${index} of a BYTES tensor claims ${length} bytes, but only ${data.length - at - LENGTH_BYTES} follow ` +
        "its length. Each element must be a little-endian 32-bit length followed by that many bytes.",
      "INVALID_ARG",
    );
  }
  return length;
}

/**
 * Counts the elements in Triton's serialized form.
 *
 * @throws TritonError INVALID_ARG when a length points past the end of the data
 */
export function countBytesElements(data: Uint8Array): number {
  let count = 0;
  for (let at = 0; at < data.length; count++) at += LENGTH_BYTES + readLength(data, at, count);
  return count;
}

/**
 * Splits Triton's serialized form into its elements, which are views on `data` and share its lifetime.
 *
 * @throws TritonError INVALID_ARG when a length points past the end of the data
 */
export function deserializeBytes(data: Uint8Array): Uint8Array[] {
  const elements: Uint8Array[] = [];
  const { buffer, byteOffset } = data;
  for (let at = 0; at < data.length; ) {
    const length = readLength(data, at, elements.length);
    elements.push(new Uint8Array(buffer, byteOffset + at + LENGTH_BYTES, length));
    at += LENGTH_BYTES + length;
  }
  return elements;
}

/**
 * Splits Triton's serialized form into strings, decoded as UTF-8; a malformed sequence becomes U+FFFD.
 *
 * @throws TritonError INVALID_ARG when a length points past the end of the data
 */
export function deserializeStrings(data: Uint8Array): string[] {
  const source = utf8.textBytes(data);
  const strings: string[] = [];
  // Short ASCII elements are cut out of one decoded text, five times as fast as decoding each.
  let whole: string | undefined;
  let ascii: boolean | undefined;
  for (let at = 0; at < data.length; ) {
    const length = readLength(data, at, strings.length);
    const start = at + LENGTH_BYTES;
    at = start + length;
    if (length < COPIED_SUBSTRING_LIMIT) {
      ascii ??= utf8.isAscii(data);
      if (ascii) {
        whole ??= source.toString("latin1");
        strings.push(whole.slice(start, at));
        continue;
      }
    }
    strings.push(source.toString("utf8", start, at));
  }
  return strings;
}
