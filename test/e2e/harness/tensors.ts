// SPDX-License-Identifier: Apache-2.0
// Tensors as the test clients send and get them.

/** By hand, on purpose: the tests do not take the product's word for it. */
export const arrayKinds = {
  BOOL: Uint8Array,
  INT8: Int8Array,
  INT16: Int16Array,
  INT32: Int32Array,
  INT64: BigInt64Array,
  UINT8: Uint8Array,
  UINT16: Uint16Array,
  UINT32: Uint32Array,
  UINT64: BigUint64Array,
  FP16: Uint16Array,
  BF16: Uint16Array,
  FP32: Float32Array,
  FP64: Float64Array,
} as const;

export type NumericDatatype = keyof typeof arrayKinds;
export type Datatype = NumericDatatype | "BYTES";
export type NumericArray = InstanceType<(typeof arrayKinds)[NumericDatatype]>;

/** FP16 and BF16 are raw, BOOL is 0 or 1, BYTES is one `Uint8Array` per element. */
export interface WireTensor {
  name: string;
  datatype: Datatype;
  shape: number[];
  data: NumericArray | Uint8Array[];
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A tensor to send; BYTES may be given as strings. The shape is that of a list when it is left out. */
export function tensor(
  name: string,
  datatype: Datatype,
  data: NumericArray | readonly (string | Uint8Array)[] | readonly number[] | readonly bigint[],
  shape: readonly number[] = [data.length],
): WireTensor {
  if (datatype === "BYTES") {
    const elements = [...(data as readonly (string | Uint8Array)[])];
    const bytes = elements.map((element) => (typeof element === "string" ? encoder.encode(element) : element));
    return { name, datatype, shape: [...shape], data: bytes };
  }
  if (data instanceof arrayKinds[datatype]) return { name, datatype, shape: [...shape], data };
  const Kind = arrayKinds[datatype] as unknown as { from(values: ArrayLike<unknown>): NumericArray };
  return { name, datatype, shape: [...shape], data: Kind.from(data as ArrayLike<unknown>) };
}

/** The raw bytes of a tensor that is not BYTES. */
export function rawBytes(data: NumericArray): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

/** The typed array of a datatype over a copy of raw bytes. */
export function fromRawBytes(datatype: NumericDatatype, bytes: Uint8Array): NumericArray {
  // Not slice(): that of a Buffer is a view.
  return new arrayKinds[datatype](new Uint8Array(bytes).buffer);
}

/** Triton's serialized form of BYTES: a 32-bit little-endian length before each element. */
export function serialize(elements: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat(
    elements.flatMap((element) => {
      const length = Buffer.alloc(4);
      length.writeUInt32LE(element.length);
      return [length, element];
    }),
  );
}

/** The elements of serialized BYTES. */
export function deserialize(bytes: Uint8Array): Uint8Array[] {
  const view = Buffer.from(bytes);
  const elements: Uint8Array[] = [];
  for (let at = 0; at < view.length; ) {
    const length = view.readUInt32LE(at);
    elements.push(new Uint8Array(view.subarray(at + 4, at + 4 + length)));
    at += 4 + length;
  }
  return elements;
}

/** The elements of a BYTES tensor as text. */
export function texts(found: WireTensor): string[] {
  return (found.data as Uint8Array[]).map((element) => decoder.decode(element));
}

/** The elements of a tensor as an ordinary array. */
export function values(found: WireTensor): (number | bigint | string)[] {
  return found.datatype === "BYTES" ? texts(found) : Array.from(found.data as ArrayLike<number | bigint>);
}
