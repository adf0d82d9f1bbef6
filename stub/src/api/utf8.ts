// SPDX-License-Identifier: Apache-2.0
// Text in bytes: by Node's Buffer where there is one, else by what every browser has. Nothing is imported, because clients
// for browsers have tensors, too.

/** Bytes in which text is written and read. Node's Buffers are such. */
export interface TextBytes {
  /** Writes as many whole characters as fit, and gives the number of bytes that they take. */
  write(text: string, at: number, encoding: "utf8"): number;
  toString(encoding: "utf8" | "latin1", start?: number, end?: number): string;
}

/** What is used of Node's module `buffer`. */
export interface NodeBuffer {
  readonly Buffer: {
    from(buffer: ArrayBufferLike, byteOffset: number, length: number): TextBytes;
    byteLength(text: string, encoding: "utf8"): number;
  };
  isAscii(bytes: Uint8Array): boolean;
}

interface NodeProcess {
  getBuiltinModule?(name: "node:buffer"): NodeBuffer | undefined;
}

/** How text in bytes is measured, written and read. */
export interface Utf8 {
  /** The bytes that a text takes. */
  byteLength(text: string): number;
  /** The same memory, to write text into and to read it from. */
  textBytes(bytes: Uint8Array): TextBytes;
  isAscii(bytes: Uint8Array): boolean;
}

function nodeUtf8({ Buffer, isAscii }: NodeBuffer): Utf8 {
  return {
    byteLength: (text) => Buffer.byteLength(text, "utf8"),
    textBytes: ({ buffer, byteOffset, byteLength }) => Buffer.from(buffer, byteOffset, byteLength),
    isAscii,
  };
}

/** What browsers have. A byte order mark is a character like any other, as it is for Node. */
export function webUtf8(): Utf8 {
  const encoder = new TextEncoder();
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  return {
    byteLength: (text) => encoder.encode(text).byteLength,
    textBytes: (bytes) => ({
      write: (text, at) => encoder.encodeInto(text, bytes.subarray(at)).written,
      // ASCII is all that is read as Latin-1 here, so that both are the same.
      toString: (_encoding, start = 0, end = bytes.byteLength) => decoder.decode(bytes.subarray(start, end)),
    }),
    isAscii: (bytes) => bytes.every((byte) => byte < 128),
  };
}

const { process: node } = globalThis as { process?: NodeProcess };
const nodeBuffer = node?.getBuiltinModule?.("node:buffer");

export const utf8: Utf8 = nodeBuffer === undefined ? webUtf8() : nodeUtf8(nodeBuffer);
