// SPDX-License-Identifier: Apache-2.0
import { markAsUntransferable } from "node:worker_threads";
import type { TensorData } from "../api/datatype.ts";
import { TritonError } from "../api/errors.ts";
import { ClientMemory } from "./client_memory.ts";
import type { Dtype } from "./dtype.ts";
import type { Native } from "./native.ts";
import { makeRegion, type Place, type Region, refuseRecord, requireInside } from "./record.ts";

/**
 * V8 keeps the data of so small an array in the array itself, and makes its buffer when it is asked for, which takes longer than all the
 * rest. A view of as little at the beginning of a buffer is taken for one of these: to copy it is as good.
 */
const MOST_BYTES_WITHOUT_BUFFER = 64;

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

/** The regions that both processes map, as JavaScript sees them. */
export class SharedMemory {
  readonly clients: ClientMemory;
  readonly #native: Native;
  readonly #cell: Float64Array;
  readonly #regions = new Map<number, Region>();
  /** Buffers over shared memory, and where each of them begins. */
  readonly #buffers = new WeakMap<ArrayBufferLike, Pick<Place, "region" | "offset">>();
  readonly #lasting = new WeakSet<ArrayBufferLike>();

  constructor(native: Native) {
    this.clients = new ClientMemory(native);
    this.#native = native;
    this.#cell = new Float64Array(native.cell);
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
    if (id === 0) refuseRecord(); // the control region, which holds no tensors
    const buffer = this.#native.region(id);
    // A client's region is detached one day, and Node could not detach a marked buffer: it would end the process.
    if (!this.clients.isOfClient(id)) markAsUntransferable(buffer);
    guard(buffer);
    const region = makeRegion(id, buffer);
    this.#regions.set(id, region);
    this.#buffers.set(buffer, { region: id, offset: 0 });
    return region;
  }

  /** The region of data whose place stands in a record. Throws unless the data lies in it and is whole elements. */
  #regionOf(place: Place, elementBytes: number): Region {
    const region = this.region(place.region);
    requireInside(place.offset, place.bytes, region.buffer.byteLength);
    if (place.offset % elementBytes !== 0 || place.bytes % elementBytes !== 0) refuseRecord();
    return region;
  }

  /** A view of the data of a tensor. */
  view({ array, bytes }: Dtype, place: Place): TensorData {
    if (place.bytes === 0) return new array(new ArrayBuffer(0), 0, 0);
    return new array(this.#regionOf(place, bytes).buffer, place.offset, place.bytes / bytes);
  }

  /** The same as a buffer of its own, which can be detached when the request is answered. */
  detachableView({ array, bytes }: Dtype, place: Place): TensorData {
    if (place.bytes === 0) return new array(new ArrayBuffer(0), 0, 0);
    this.#regionOf(place, bytes);
    return new array(this.#detachableBuffer(place), 0, place.bytes / bytes);
  }

  #detachableBuffer({ region, offset, bytes }: Place): ArrayBuffer {
    const buffer = this.#native.view(region, offset, bytes);
    // Not marked as untransferable: Node could not detach it either, and would end the process when it is to.
    guard(buffer);
    return buffer;
  }

  /** A detachable buffer that `placeOf` knows, over memory that stays as it is for as long as anybody has the buffer. */
  lastingBuffer(place: Place): ArrayBuffer {
    const buffer = this.#detachableBuffer(place);
    this.#buffers.set(buffer, place);
    this.#lasting.add(buffer);
    return buffer;
  }

  /** Whether memory stays as it is for as long as anybody has its buffer. */
  lasts(buffer: ArrayBufferLike): boolean {
    return this.#lasting.has(buffer);
  }

  /** A copy of the data of a tensor. */
  copy(dtype: Dtype, place: Place): TensorData {
    return this.view(dtype, place).slice(); // a tenth of the time that the slice of a buffer takes
  }

  detach(buffer: ArrayBufferLike): void {
    this.#native.detach(buffer as ArrayBuffer);
  }

  /** Where an array lies in shared memory; undefined for ordinary memory, and for what is as well copied. */
  placeOf(data: TensorData): Place | undefined {
    if (data.byteOffset === 0 && data.byteLength <= MOST_BYTES_WITHOUT_BUFFER) return undefined;
    const start = this.#buffers.get(data.buffer);
    // Nothing lies nowhere; a buffer that was detached has no data either.
    if (start === undefined || data.byteLength === 0) return undefined;
    return { region: start.region, offset: start.offset + data.byteOffset, bytes: data.byteLength };
  }

  /** A block of at least `bytes` in the stub's own regions; undefined at the memory limit. */
  tryAllocate(bytes: number): Place | undefined {
    return this.#tryAllocate(bytes, false);
  }

  #tryAllocate(bytes: number, clear: boolean): Place | undefined {
    try {
      if (clear) this.#native.allocateCleared(bytes);
      else this.#native.allocate(bytes);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOMEM") throw error;
      return undefined;
    }
    return { region: this.#cell[0]!, offset: this.#cell[1]!, bytes };
  }

  /** The same without waiting for what the server is about to read. */
  allocateNow(bytes: number): Place | undefined {
    return this.#native.allocateNow(bytes) ? { region: this.#cell[0]!, offset: this.#cell[1]!, bytes } : undefined;
  }

  /** The same as `tryAllocate` for `what`; throws the error that the client gets, with what helps. */
  allocate(bytes: number, what: string, help?: string): Place {
    const block = this.#tryAllocate(bytes, false);
    if (block !== undefined) return block;
    throw this.noRoom(bytes, what, help);
  }

  /** The same for what a model fills, or does not: nothing of an earlier request is left there. */
  allocateCleared(bytes: number, what: string): Place {
    const block = this.#tryAllocate(bytes, true);
    if (block !== undefined) return block;
    throw this.noRoom(bytes, what);
  }

  /** The error that the client gets when `what` does not fit, with what helps beside a higher limit. */
  noRoom(bytes: number, what: string, help = "answer with less"): TritonError {
    return new TritonError(
      `Failed to increase the shared memory pool size: ${what} needs ${bytes} bytes, which do not fit into the limit. ` +
        `Raise --backend-config=typescript,shm-max-byte-size or ${help}.`,
      "UNAVAILABLE",
    );
  }

  /** No batch uses the client's region any more: views that the model has kept become empty. */
  forget(id: number): void {
    const region = this.#regions.get(id);
    this.#regions.delete(id);
    this.clients.forget(id, region?.buffer);
  }
}
