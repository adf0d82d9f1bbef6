// SPDX-License-Identifier: Apache-2.0
// What a model file declares of its inputs and outputs, read from the file itself. ONNX Runtime's Node library keeps
// some of it to itself (types that it does not carry, kinds that are no tensors, defaults of inputs), and messages need it.

import { closeSync, fstatSync, openSync, readSync } from "node:fs";

export interface Declaration {
  readonly name: string;
  /** Such as `tensor(bfloat16)`, `sequence(tensor(float32))` or `map`. */
  readonly type: string;
}

export interface Declarations {
  readonly inputs: readonly Declaration[];
  readonly outputs: readonly Declaration[];
  /** Names of constants; an input of the same name has that constant as its default. */
  readonly constants: ReadonlySet<string>;
}

/** ONNX's element types by number, by the names that ONNX Runtime's Node library gives them. */
const elementTypes =
  "undefined float32 uint8 int8 uint16 int16 int32 int64 string bool float16 float64 uint32 uint64 complex64 complex128 bfloat16 " +
  "float8e4m3fn float8e4m3fnuz float8e5m2 float8e5m2fnuz uint4 int4 float4e2m1";
const elementTypeNames = elementTypes.split(" ");

/** Numbers of the fields of onnx.proto that are looked at. */
const modelGraph = 7;
const graph = { constants: 5, inputs: 11, outputs: 12 };
const valueInfo = { name: 1, type: 2 };
const tensorName = 8;
/** Kinds of a type; tensors have the number of their element type in field 1, the others a type. */
const kinds = new Map([
  [1, "tensor"],
  [4, "sequence"],
  [5, "map"],
  [8, "sparse_tensor"],
  [9, "optional"],
]);

/** One field of a message: the number in it, or where its bytes lie. */
interface Field {
  readonly id: number;
  readonly number: number;
  readonly from: number;
  readonly to: number;
}

/** The declarations of a model file, whatever its size; undefined when it cannot be read as one. */
export function readDeclarations(file: string): Declarations | undefined {
  let handle: number | undefined;
  try {
    handle = openSync(file, "r");
    const reader = new Reader(handle);
    const whole = [...reader.fields(0, fstatSync(handle).size)].find(({ id }) => id === modelGraph);
    if (whole === undefined) return undefined;
    const parts = [...reader.fields(whole.from, whole.to)];
    const all = (id: number) => parts.filter((part) => part.id === id);
    const declared = (id: number) => all(id).map((part) => reader.declaration(part));
    return {
      inputs: declared(graph.inputs),
      outputs: declared(graph.outputs),
      constants: new Set(all(graph.constants).map((part) => reader.textIn(part, tensorName))),
    };
  } catch {
    return undefined;
  } finally {
    if (handle !== undefined) closeSync(handle);
  }
}

/** Reads messages of a file piece by piece, so that weights of gigabytes are passed over. */
class Reader {
  readonly #handle: number;

  constructor(handle: number) {
    this.#handle = handle;
  }

  *fields(from: number, to: number): Generator<Field> {
    for (let at = from; at < to; ) {
      const head = this.#bytes(at, 20);
      const [key, afterKey] = varint(head, 0);
      const kind = key % 8;
      const [number, afterNumber] = kind === 0 || kind === 2 ? varint(head, afterKey) : [0, afterKey];
      const start = at + afterNumber;
      const end = start + (kind === 2 ? number : kind === 1 ? 8 : kind === 5 ? 4 : 0);
      if (kind === 3 || kind === 4 || kind > 5 || end > to) throw new Error("not a message");
      yield { id: Math.floor(key / 8), number, from: start, to: end };
      at = end;
    }
  }

  declaration(part: Field): Declaration {
    const type = this.#find(part, valueInfo.type);
    return { name: this.textIn(part, valueInfo.name), type: type === undefined ? "unknown" : this.#typeName(type) };
  }

  textIn(part: Field, id: number): string {
    const found = this.#find(part, id);
    return found === undefined ? "" : this.#bytes(found.from, found.to - found.from).toString("utf8");
  }

  #find(part: Field, id: number): Field | undefined {
    for (const field of this.fields(part.from, part.to)) if (field.id === id) return field;
    return undefined;
  }

  #typeName(type: Field): string {
    for (const field of this.fields(type.from, type.to)) {
      const kind = kinds.get(field.id);
      if (kind === undefined) continue;
      const inner = kind === "map" ? undefined : this.#find(field, 1);
      if (inner === undefined) return kind;
      const isTensor = kind === "tensor" || kind === "sparse_tensor";
      return `${kind}(${isTensor ? (elementTypeNames[inner.number] ?? inner.number) : this.#typeName(inner)})`;
    }
    return "unknown";
  }

  #bytes(at: number, length: number): Buffer {
    const bytes = Buffer.alloc(length);
    return bytes.subarray(0, readSync(this.#handle, bytes, 0, length, at));
  }
}

/** A number of seven bits a byte, and the offset behind it. */
function varint(bytes: Uint8Array, from: number): [number, number] {
  let value = 0;
  for (let at = from; at < bytes.length; at++) {
    value += (bytes[at]! & 127) * 2 ** (7 * (at - from));
    if (bytes[at]! < 128) return [value, at + 1];
  }
  throw new Error("not a number");
}
