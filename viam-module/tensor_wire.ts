// SPDX-License-Identifier: Apache-2.0
// The messages of Infer, read and written without a JavaScript number for each element: an image has millions of them.
// The elements of a tensor stand on the wire as they lie in memory, but for 16-bit ones, which have 32 bits each.
import { endianness } from "node:os";
import { fromBinary, type JsonObject } from "@bufbuild/protobuf";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import { InferRequestSchema } from "../proto/gen/viam/service/mlmodel/v1/mlmodel_pb.ts";
import { ModuleError } from "./errors.ts";
import { type Kind, type KindData, kindNamed, kindOfField, type ViamTensor } from "./tensor_kind.ts";

if (endianness() !== "LE") throw new Error("This program needs a processor that stores the lowest byte first.");

/** A request to infer. Data of one-byte elements are views on the message. */
export interface InferCall {
  name: string;
  tensors: Map<string, ViamTensor>;
  extra: JsonObject;
}

const wrong = (sentence: string) => new ModuleError("INVALID_ARGUMENT", sentence);

/** Calls back for each field of the message that the reader stands at, `length` bytes from there. */
function eachField(reader: BinaryReader, length: number, take: (field: number, wire: WireType) => boolean): void {
  const end = reader.pos + length;
  if (end > reader.len) throw new RangeError("premature EOF");
  while (reader.pos < end) {
    const [field, wire] = reader.tag();
    if (!take(field, wire)) reader.skip(wire, field);
  }
  if (reader.pos !== end) throw new RangeError("a field ends outside its message");
}

/** The same for a message within another one. */
const eachFieldWithin = (reader: BinaryReader, take: (field: number, wire: WireType) => boolean) =>
  eachField(reader, reader.uint32(), take);

/** The bytes of a field of numbers of one size, which are packed as a rule and may come one by one. */
function takeNumbers(reader: BinaryReader, wire: WireType, size: number, parts: Uint8Array[]): boolean {
  if (wire === WireType.LengthDelimited) parts.push(reader.bytes());
  else if (size === 4 && wire === WireType.Bit32) parts.push(bytesOf(Uint32Array.of(reader.fixed32())));
  else if (size === 8 && wire === WireType.Bit64) {
    parts.push(bytesOf(BigUint64Array.of(BigInt(reader.fixed64()))));
  } else return false;
  return true;
}

const bytesOf = (data: ArrayBufferView): Uint8Array => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

function joined(parts: readonly Uint8Array[]): Uint8Array {
  return parts.length === 1 ? parts[0]! : Buffer.concat(parts);
}

/** Bytes as an array of a kind: a view where they lie as elements must, else a copy. */
function elements(kind: Kind, bytes: Uint8Array): KindData {
  const { byteSize, array } = kind;
  const sound = bytes.byteOffset % byteSize === 0 ? bytes : new Uint8Array(bytes);
  return new array(sound.buffer, sound.byteOffset, bytes.byteLength / byteSize);
}

/** 16-bit numbers out of 32-bit ones. */
function narrowed(name: string, kind: Kind, bytes: Uint8Array): KindData {
  const wide = elements(kindNamed("uint32"), bytes) as Uint32Array;
  const data = kind.name === "int16" ? new Int16Array(wide.length) : new Uint16Array(wide.length);
  for (let i = 0; i < wide.length; i++) {
    const value = wide[i]!;
    if (value > 0xffff && (kind.name === "uint16" || value < 0xffff8000)) {
      throw wrong(
        `Entry ${i} of tensor ${JSON.stringify(name)} is ${value}, which is no ${kind.name}. Each entry holds one number.`,
      );
    }
    data[i] = value;
  }
  return data;
}

function readShape(name: string, bytes: Uint8Array): number[] {
  if (bytes.byteLength % 8 !== 0) throw new RangeError("a shape of a broken size");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: bytes.byteLength / 8 }, (_, i) => {
    const size = view.getBigUint64(8 * i, true);
    if (size <= 0xffff_ffff_ffffn) return Number(size);
    throw wrong(`Dimension ${i} of tensor ${JSON.stringify(name)} is ${size}, which is more than any tensor has.`);
  });
}

/** The elements of a tensor out of the message that holds them. */
function readData(reader: BinaryReader, name: string, kind: Kind): KindData {
  const parts: Uint8Array[] = [];
  eachFieldWithin(reader, (field, wire) => field === 1 && takeNumbers(reader, wire, kind.wireSize, parts));
  // Bytes that come twice are not one after the other: the last ones count.
  const bytes = kind.wireSize === 1 ? (parts.at(-1) ?? new Uint8Array(0)) : joined(parts);
  if (bytes.byteLength % kind.wireSize !== 0) throw new RangeError("data of a broken size");
  return kind.wireSize === kind.byteSize ? elements(kind, bytes) : narrowed(name, kind, bytes);
}

function readTensor(reader: BinaryReader, name: string): ViamTensor {
  const shape: Uint8Array[] = [];
  let found: { kind: Kind; data: KindData } | undefined;
  eachFieldWithin(reader, (field, wire) => {
    if (field === 1) return takeNumbers(reader, wire, 8, shape);
    const kind = wire === WireType.LengthDelimited ? kindOfField(field) : undefined;
    if (kind === undefined) return false;
    found = { kind, data: readData(reader, name, kind) };
    return true;
  });
  if (found === undefined) {
    throw wrong(`The tensor ${JSON.stringify(name)} has no data of any kind that this module knows.`);
  }
  return { kind: found.kind.name, shape: readShape(name, joined(shape)), data: found.data };
}

/** An entry of the map of tensors. The name may stand behind the tensor, which is read when it is known. */
function readEntry(reader: BinaryReader, tensors: Map<string, ViamTensor>): void {
  let name = "";
  let at: number | undefined;
  eachFieldWithin(reader, (field, wire) => {
    if (wire !== WireType.LengthDelimited) return false;
    if (field === 1) name = reader.string();
    else if (field === 2) {
      at = reader.pos;
      reader.bytes();
    } else return false;
    return true;
  });
  const end = reader.pos;
  if (at === undefined)
    throw wrong(`The tensor ${JSON.stringify(name)} has no data of any kind that this module knows.`);
  reader.pos = at;
  tensors.set(name, readTensor(reader, name));
  reader.pos = end;
}

/** The part of a message that is not tensors, in the generated code's hands. */
function readExtra(bytes: Uint8Array, from: number, to: number): JsonObject {
  return fromBinary(InferRequestSchema, bytes.subarray(from, to)).extra ?? {};
}

function readCall(bytes: Uint8Array): InferCall {
  const reader = new BinaryReader(bytes);
  const call: InferCall = { name: "", tensors: new Map(), extra: {} };
  while (reader.pos < reader.len) {
    const start = reader.pos;
    const [field, wire] = reader.tag();
    const isPart = wire === WireType.LengthDelimited;
    if (isPart && field === 1) call.name = reader.string();
    else if (isPart && field === 3) {
      eachFieldWithin(reader, (inner, innerWire) => {
        if (inner !== 1 || innerWire !== WireType.LengthDelimited) return false;
        readEntry(reader, call.tensors);
        return true;
      });
    } else {
      reader.skip(wire, field);
      if (field === 99) call.extra = readExtra(bytes, start, reader.pos);
    }
  }
  return call;
}

/**
 * Reads an InferRequest.
 *
 * @throws ModuleError INVALID_ARGUMENT when it is none, or holds what is no tensor
 */
export function decodeInferRequest(bytes: Uint8Array): InferCall {
  try {
    return readCall(bytes);
  } catch (error) {
    if (error instanceof ModuleError) throw error;
    throw wrong(`The message is no InferRequest (${error instanceof Error ? error.message : error}).`);
  }
}

/** A message on its way: bytes, and messages within it with their tags. */
type Part = Uint8Array | { readonly tag: number; readonly parts: readonly Part[]; readonly byteLength: number };

const varintSize = (value: number): number => (value < 128 ? 1 : 1 + varintSize(Math.floor(value / 128)));

const sizeOf = (part: Part): number =>
  part instanceof Uint8Array ? part.byteLength : varintSize(part.tag) + varintSize(part.byteLength) + part.byteLength;

/** A field that holds bytes or a message. */
function delimited(field: number, ...parts: readonly Part[]): Part {
  return {
    tag: field * 8 + WireType.LengthDelimited,
    parts,
    byteLength: parts.reduce((sum, part) => sum + sizeOf(part), 0),
  };
}

function writeVarint(target: Uint8Array, from: number, value: number): number {
  let at = from;
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) target[at++] = (rest % 128) | 128;
  target[at++] = rest;
  return at;
}

function writePart(target: Uint8Array, from: number, part: Part): number {
  if (part instanceof Uint8Array) {
    target.set(part, from);
    return from + part.byteLength;
  }
  let at = writeVarint(target, writeVarint(target, from, part.tag), part.byteLength);
  for (const inner of part.parts) at = writePart(target, at, inner);
  return at;
}

/** 16-bit numbers as 32-bit ones, the sign continued. */
function widened(data: KindData): KindData {
  return data instanceof Int16Array ? Int32Array.from(data) : Uint32Array.from(data as Uint16Array);
}

function tensorParts({ kind: name, shape, data }: ViamTensor): Part[] {
  const kind = kindNamed(name);
  const bytes = bytesOf(kind.wireSize === kind.byteSize ? data : widened(data));
  const sizes = bytesOf(BigUint64Array.from(shape, BigInt));
  return [
    ...(shape.length > 0 ? [delimited(1, sizes)] : []),
    delimited(kind.field, ...(bytes.byteLength > 0 ? [delimited(1, bytes)] : [])),
  ];
}

/** Writes an InferResponse of these tensors: one piece of memory, each element copied once. */
export function encodeInferResponse(tensors: ReadonlyMap<string, ViamTensor>): Buffer {
  const entries = [...tensors].map(([name, tensor]) =>
    delimited(1, delimited(1, Buffer.from(name)), delimited(2, ...tensorParts(tensor))),
  );
  const message = delimited(3, ...entries);
  const bytes = Buffer.allocUnsafe(sizeOf(message));
  writePart(bytes, 0, message);
  return bytes;
}
