// SPDX-License-Identifier: Apache-2.0
import { markAsUntransferable } from "node:worker_threads";
import type { DataType, TensorData } from "../api/datatype.ts";
import * as L from "../protocol/layout.gen.ts";
import type { Native, Place } from "./native.ts";

type ArrayConstructor = new (buffer: ArrayBuffer, offset: number, length: number) => TensorData;

interface DatatypeRow {
  readonly name: DataType;
  readonly number: number;
  /** Bytes of one element; 1 for BYTES, whose data is an array of bytes. */
  readonly bytes: number;
  readonly array: ArrayConstructor;
}

const rows: readonly DatatypeRow[] = L.DTYPES.map((row) => ({
  name: row.name,
  number: row.number,
  bytes: row.bytes === 0 ? 1 : row.bytes,
  array: row.array as unknown as ArrayConstructor,
}));

/** Datatypes at the index of their number in the protocol. */
const byNumber: (DatatypeRow | undefined)[] = [];
for (const row of rows) byNumber[row.number] = row;
const byName = new Map<string, DatatypeRow>(rows.map((row) => [row.name, row]));

export function datatypeOfNumber(number: number): DatatypeRow {
  const row = byNumber[number];
  if (row === undefined) throw new Error(`The server sent a tensor of datatype number ${number}, which is unknown.`);
  return row;
}

export function datatypeOfName(name: DataType): DatatypeRow {
  return byName.get(name)!;
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

const TRANSFERRING = ["transfer", "transferToFixedLength", "resize"];

/** A model that transfers its view's buffer away would take the memory from other requests; it is told so. */
function guard(buffer: ArrayBuffer): void {
  for (const method of TRANSFERRING) {
    Object.defineProperty(buffer, method, {
      value() {
        throw new TypeError(
          "The buffer of a tensor is shared with the server and cannot be transferred. Copy it first.",
        );
      },
    });
  }
}

function isOfClient(region: number): boolean {
  return region < L.REGION_OF_STUB && region >= L.REGION_OF_CLIENT;
}

/** The regions that both processes map, as JavaScript sees them. */
export class SharedMemory {
  readonly #native: Native;
  readonly #cell: Float64Array;
  readonly #clientFlags: Uint32Array;
  readonly #regions = new Map<number, Region>();
  readonly #ids = new WeakMap<ArrayBufferLike, number>();

  constructor(native: Native) {
    this.#native = native;
    this.#cell = new Float64Array(native.cell);
    this.#clientFlags = new Uint32Array(native.clientFlags);
  }

  region(id: number): Region {
    const region = this.#regions.get(id) ?? this.#map(id);
    // Not every Node keeps a marked buffer in place. Writing into a detached array does nothing, so it must not come to that.
    if (region.u8.length === 0) {
      throw new Error(
        "The model transferred the buffer of a tensor away, and with it the memory that it shares with the server. " +
          "Copy the data first: tensor.clone().",
      );
    }
    return region;
  }

  #map(id: number): Region {
    const buffer = this.#native.region(id);
    // A client's region is detached one day, and Node could not detach a marked buffer: it would end the process.
    if (!isOfClient(id)) markAsUntransferable(buffer);
    guard(buffer);
    const region = {
      id,
      buffer,
      u8: new Uint8Array(buffer),
      u32: new Uint32Array(buffer),
      f64: new Float64Array(buffer),
      i64: new BigInt64Array(buffer),
      u64: new BigUint64Array(buffer),
    };
    this.#regions.set(id, region);
    this.#ids.set(buffer, id);
    return region;
  }

  /** A view of the data of a tensor. */
  view(row: DatatypeRow, place: Place): TensorData {
    const { array, bytes } = row;
    if (place.bytes === 0) return new array(new ArrayBuffer(0), 0, 0);
    return new array(this.region(place.region).buffer, place.offset, place.bytes / bytes);
  }

  /** The same as a buffer of its own, which can be detached when the request is answered. */
  detachableView(row: DatatypeRow, place: Place): TensorData {
    const { array, bytes } = row;
    if (place.bytes === 0) return new array(new ArrayBuffer(0), 0, 0);
    const buffer = this.#native.view(place.region, place.offset, place.bytes);
    // Not marked as untransferable: Node could not detach it either, and would end the process when it is to.
    guard(buffer);
    return new array(buffer, 0, place.bytes / bytes);
  }

  detach(buffer: ArrayBufferLike): void {
    this.#native.detach(buffer as ArrayBuffer);
  }

  /** Where an array lies in shared memory; undefined for ordinary memory. */
  placeOf(data: TensorData): Place | undefined {
    const region = this.#ids.get(data.buffer);
    if (region === undefined) return undefined;
    return { region, offset: data.byteOffset, bytes: data.byteLength };
  }

  /** A block of at least `bytes` in the stub's own regions. Throws code ENOMEM at the memory limit. */
  allocate(bytes: number): Place {
    this.#native.allocate(bytes);
    return { region: this.#cell[0]!, offset: this.#cell[1]!, bytes };
  }

  free(block: Place): void {
    this.#native.free(block.region, block.offset, block.bytes);
  }

  /**
   * Whether the server can find the data of an answer at `place`. What lies in a client's region it can only if it is an
   * input of the same request, and as the client wrote it.
   */
  canAnswerWith(place: Place, request: { holds(place: Place): boolean }): boolean {
    return !isOfClient(place.region) || (this.#clientFlags[0] === 0 && request.holds(place));
  }

  /** Whether `isLost` may be true of any region. */
  get mayHaveLost(): boolean {
    return this.#clientFlags[1] !== 0;
  }

  /** Whether the client cut the region short, so that part of it reads as zero. */
  isLost(region: number): boolean {
    return isOfClient(region) && this.#native.isLost(region);
  }

  /** No batch is being executed: drops what the model wrote into clients' regions. Returns whether it ever wrote anything. */
  restoreInputs(): boolean {
    if (this.#clientFlags[0] === 0) return false;
    this.#native.restore();
    return true;
  }

  /** No batch uses the client's region any more: views that the model has kept become empty. */
  forget(id: number): void {
    const region = this.#regions.get(id);
    this.#regions.delete(id);
    // A buffer that the model transferred away may still be looked at elsewhere, so its addresses must stay good.
    const isHeld = region?.u8.length === 0;
    if (region !== undefined && !isHeld) this.#native.detach(region.buffer);
    this.#native.forget(id, isHeld);
  }
}
