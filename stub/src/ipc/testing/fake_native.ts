// SPDX-License-Identifier: Apache-2.0
// A fake addon over ordinary memory, the batches that a server would write into it, and the answers read back.
import * as L from "../../protocol/layout.gen.ts";
import type { Native, Place } from "../native.ts";

/** The region that the server writes, and the one that this process allocates in. */
export const INBOUND = 1;
export const OUTBOUND = 2;
/** A region of a client. */
export const CLIENT = L.REGION_OF_CLIENT + 3;

export interface SentEntry {
  readonly kind: number;
  readonly flags: number;
  readonly batch: number;
  readonly generation: number;
  readonly request: number;
  readonly place: Place;
}

export class FakeNative implements Native {
  readonly inbox = new ArrayBuffer(64 * L.ENTRY_SIZE);
  readonly outbox = new ArrayBuffer(256 * L.ENTRY_SIZE);
  readonly blocks = new ArrayBuffer(256 * 24);
  readonly cell = new ArrayBuffer(16);
  readonly regions = new Map([
    [INBOUND, new ArrayBuffer(1 << 16)],
    [OUTBOUND, new ArrayBuffer(1 << 22)],
    [CLIENT, new ArrayBuffer(1 << 16)],
  ]);
  readonly sent: SentEntry[] = [];
  readonly freed: Place[] = [];
  readonly detached: ArrayBuffer[] = [];
  /** Blocks that are allocated may not be larger in all. */
  limit = 1 << 22;
  sends = 0;
  #used = 0;
  #next = 0;

  readonly busy = new ArrayBuffer(4);
  readonly clientFlags = new ArrayBuffer(8);
  /** Regions that `isLost` speaks of, and what `forget` and `restore` were called with. */
  readonly lost = new Set<number>();
  readonly forgotten: [region: number, isHeld: boolean][] = [];
  restored = 0;

  connect(): void {}
  start(): void {}
  hold(): void {}
  reply(): void {}
  free(): void {}

  isLost(region: number): boolean {
    return this.lost.has(region);
  }

  forget(region: number, isHeld: boolean): void {
    this.forgotten.push([region, isHeld]);
  }

  unguard(): void {}

  restore(): void {
    this.restored++;
  }

  region(id: number): ArrayBuffer {
    return this.regions.get(id)!;
  }

  view(region: number, offset: number, bytes: number): ArrayBuffer {
    // A copy: a fake cannot have two buffers over the same memory.
    return this.regions.get(region)!.slice(offset, offset + bytes);
  }

  detach(buffer: ArrayBuffer): void {
    structuredClone(buffer, { transfer: [buffer] });
    this.detached.push(buffer);
  }

  allocate(bytes: number): void {
    if (this.#used + bytes > this.limit) throw Object.assign(new Error("full"), { code: "ENOMEM" });
    this.#used += bytes;
    new Float64Array(this.cell).set([OUTBOUND, this.#next]);
    this.#next += Math.ceil(bytes / L.DATA_ALIGNMENT) * L.DATA_ALIGNMENT;
  }

  send(entries: number, blocks: number): void {
    this.sends++;
    const outbox = new DataView(this.outbox);
    for (let i = 0; i < entries; i++) this.sent.push(readEntry(outbox, i * L.ENTRY_SIZE));
    const numbers = new Float64Array(this.blocks);
    for (let i = 0; i < blocks; i++) {
      const [region, offset, bytes] = numbers.subarray(i * 3, i * 3 + 3) as unknown as [number, number, number];
      this.freed.push({ region, offset, bytes });
      this.#used -= bytes;
    }
  }
}

function readPlace(view: DataView, at: number): Place {
  return {
    region: view.getUint32(at + L.PLACE_REGION, true),
    offset: Number(view.getBigUint64(at + L.PLACE_OFFSET, true)),
    bytes: Number(view.getBigUint64(at + L.PLACE_BYTES, true)),
  };
}

function readEntry(view: DataView, at: number): SentEntry {
  const u32 = (field: number) => view.getUint32(at + field, true);
  return {
    kind: u32(L.ENTRY_KIND),
    flags: u32(L.ENTRY_FLAGS),
    batch: u32(L.ENTRY_OWNER + L.OWNER_INDEX),
    generation: u32(L.ENTRY_OWNER + L.OWNER_GENERATION),
    request: u32(L.ENTRY_OWNER + L.OWNER_ITEM),
    place: readPlace(view, at + L.ENTRY_PLACE),
  };
}

export interface ReadAnswer {
  readonly status: number;
  readonly message: string;
  readonly outputs: { name: number; datatype: number; shape: number[]; place: Place; bytes: Uint8Array }[];
  readonly parameters: Record<string, string | bigint | boolean | number>;
}

/** Reads the record that an entry points at, as the server would. */
export function readAnswer(native: FakeNative, { place }: SentEntry): ReadAnswer {
  const view = new DataView(native.region(place.region), place.offset, place.bytes);
  const u32 = (at: number) => view.getUint32(at, true);
  const text = (at: number, bytes: number) =>
    new TextDecoder().decode(new Uint8Array(view.buffer, view.byteOffset + at, bytes));
  const outputs: ReadAnswer["outputs"] = [];
  let at: number = L.RESPONSE_SIZE;
  for (let i = 0; i < u32(L.RESPONSE_OUTPUT_COUNT); i++) {
    const data = readPlace(view, at + L.TENSOR_PLACE);
    const dims = u32(at + L.TENSOR_DIMS_COUNT);
    outputs.push({
      name: u32(at + L.TENSOR_NAME),
      datatype: u32(at + L.TENSOR_DATATYPE),
      shape: Array.from({ length: dims }, (_, j) => Number(view.getBigInt64(at + L.TENSOR_SIZE + j * 8, true))),
      place: data,
      bytes: new Uint8Array(native.region(data.region).slice(data.offset, data.offset + data.bytes)),
    });
    at += L.TENSOR_SIZE + dims * 8;
  }
  const parameters: ReadAnswer["parameters"] = {};
  at = u32(L.RESPONSE_PARAMETERS_OFFSET);
  for (let i = 0; i < u32(L.RESPONSE_PARAMETER_COUNT); i++) {
    const [type, key, value] = [
      u32(at + L.PARAMETER_TYPE),
      u32(at + L.PARAMETER_KEY_BYTES),
      u32(at + L.PARAMETER_VALUE_BYTES),
    ];
    const start = at + L.PARAMETER_SIZE;
    const bits = view.getBigInt64(at + L.PARAMETER_VALUE, true);
    parameters[text(start, key)] =
      type === L.PARAMETER_STRING
        ? text(start + key, value)
        : type === L.PARAMETER_INT
          ? bits
          : type === L.PARAMETER_BOOL
            ? bits !== 0n
            : view.getFloat64(at + L.PARAMETER_VALUE, true);
    at = start + Math.ceil((key + value) / 8) * 8;
  }
  const message = text(u32(L.RESPONSE_MESSAGE_OFFSET), u32(L.RESPONSE_MESSAGE_BYTES));
  return { status: u32(L.RESPONSE_STATUS), message, outputs, parameters };
}

export interface FakeInput {
  /** Index in the table of names, or a name that is not in it. */
  readonly name: number | string;
  readonly datatype: number;
  readonly shape: readonly number[];
  readonly data: Uint8Array;
  /** Where the data is, if the input lies in a client's region; `data` is written there. */
  readonly offsetInClient?: number;
}

export interface FakeRequestRecord {
  readonly id?: string;
  readonly correlation?: bigint | string;
  readonly flags?: number;
  readonly timeoutUs?: number;
  readonly requested?: readonly number[];
  readonly parameters?: Readonly<Record<string, string | bigint | boolean | number>>;
  readonly inputs?: readonly FakeInput[];
}

const align = (value: number, unit = 8) => Math.ceil(value / unit) * unit;

/** Writes a batch into the inbound region as the server would, and gives its place. */
export function writeBatch(native: FakeNative, requests: readonly FakeRequestRecord[]): Place {
  const buffer = native.region(INBOUND);
  const view = new DataView(buffer);
  const bytes = new Uint8Array(buffer);
  let data = buffer.byteLength / 2;
  const start = 128;
  view.setUint32(start + L.BATCH_REQUEST_COUNT, requests.length, true);
  let at = start + L.BATCH_SIZE;
  for (const request of requests) at += writeRequest(at, request);
  return { region: INBOUND, offset: start, bytes: at - start };

  function writeRequest(record: number, request: FakeRequestRecord): number {
    const { inputs = [], requested = [0], parameters = {}, correlation = 0n } = request;
    const u32 = (field: number, value: number) => view.setUint32(record + field, value, true);
    let end = record + L.REQUEST_SIZE + inputs.reduce((sum, { shape }) => sum + L.TENSOR_SIZE + shape.length * 8, 0);
    const put = (text: string): [number, number] => {
      const encoded = new TextEncoder().encode(text);
      bytes.set(encoded, end);
      const offset = end - record;
      end = align(end + encoded.length);
      return [offset, encoded.length];
    };
    u32(L.REQUEST_FLAGS, request.flags ?? 0);
    view.setBigUint64(record + L.REQUEST_TIMEOUT_US, BigInt(request.timeoutUs ?? 0), true);
    const [idAt, idBytes] = put(request.id ?? "");
    u32(L.REQUEST_ID_OFFSET, idAt);
    u32(L.REQUEST_ID_BYTES, idBytes);
    const [correlationAt, correlationBytes] = put(typeof correlation === "string" ? correlation : "");
    u32(L.REQUEST_CORRELATION_OFFSET, correlationAt);
    u32(L.REQUEST_CORRELATION_BYTES, correlationBytes);
    if (typeof correlation === "bigint") view.setBigUint64(record + L.REQUEST_CORRELATION_ID, correlation, true);
    u32(L.REQUEST_REQUESTED_OFFSET, end - record);
    u32(L.REQUEST_REQUESTED_COUNT, requested.length);
    for (const [i, index] of requested.entries()) view.setUint32(end + i * 4, index, true);
    end = align(end + requested.length * 4);
    u32(L.REQUEST_PARAMETERS_OFFSET, end - record);
    u32(L.REQUEST_PARAMETER_COUNT, Object.keys(parameters).length);
    for (const [key, value] of Object.entries(parameters)) end = writeParameter(end, key, value);
    u32(L.REQUEST_INPUT_COUNT, inputs.length);
    let tensor = record + L.REQUEST_SIZE;
    for (const { name, datatype, shape, data: content, offsetInClient } of inputs) {
      view.setUint32(tensor + L.TENSOR_NAME, typeof name === "number" ? name : L.NAME_INLINE, true);
      if (typeof name === "string") {
        const [nameAt, nameBytes] = put(name);
        view.setUint32(tensor + L.TENSOR_NAME_OFFSET, nameAt, true);
        view.setUint32(tensor + L.TENSOR_NAME_BYTES, nameBytes, true);
      }
      view.setUint32(tensor + L.TENSOR_DATATYPE, datatype, true);
      view.setUint32(tensor + L.TENSOR_DIMS_COUNT, shape.length, true);
      const region = offsetInClient === undefined ? INBOUND : CLIENT;
      const offset = offsetInClient ?? data;
      view.setUint32(tensor + L.TENSOR_PLACE + L.PLACE_REGION, region, true);
      view.setBigUint64(tensor + L.TENSOR_PLACE + L.PLACE_OFFSET, BigInt(offset), true);
      view.setBigUint64(tensor + L.TENSOR_PLACE + L.PLACE_BYTES, BigInt(content.byteLength), true);
      for (const [i, side] of shape.entries()) view.setBigInt64(tensor + L.TENSOR_SIZE + i * 8, BigInt(side), true);
      new Uint8Array(native.region(region)).set(content, offset);
      data = align(data + content.byteLength, L.DATA_ALIGNMENT);
      tensor += L.TENSOR_SIZE + shape.length * 8;
    }
    u32(L.REQUEST_RECORD_BYTES, align(end - record));
    return align(end - record);
  }

  function writeParameter(at: number, key: string, value: string | bigint | boolean | number): number {
    const name = new TextEncoder().encode(key);
    const text = new TextEncoder().encode(typeof value === "string" ? value : "");
    const type = {
      string: L.PARAMETER_STRING,
      bigint: L.PARAMETER_INT,
      boolean: L.PARAMETER_BOOL,
      number: L.PARAMETER_DOUBLE,
    };
    view.setUint32(at + L.PARAMETER_TYPE, type[typeof value as keyof typeof type], true);
    view.setUint32(at + L.PARAMETER_KEY_BYTES, name.length, true);
    view.setUint32(at + L.PARAMETER_VALUE_BYTES, text.length, true);
    if (typeof value === "number") view.setFloat64(at + L.PARAMETER_VALUE, value, true);
    else if (typeof value !== "string") view.setBigInt64(at + L.PARAMETER_VALUE, BigInt(value), true);
    bytes.set(name, at + L.PARAMETER_SIZE);
    bytes.set(text, at + L.PARAMETER_SIZE + name.length);
    return at + L.PARAMETER_SIZE + align(name.length + text.length);
  }
}
