// SPDX-License-Identifier: Apache-2.0
// Shared memory in which large tensors go to a server of this machine. Regions are used again and again. A region's name is
// taken away as soon as the server has mapped it, so that nothing is left behind when either process ends, of whatever.
import { randomBytes } from "node:crypto";
import { rmSync } from "node:fs";
import { type GrpcClient, SharedMemory, Tensor, TritonError } from "../client/index.ts";
import { placeTensor } from "../client/memory_place.ts";
import { codeOf, messageOf } from "../server/error.ts";
import type { Log } from "./log.ts";

/** Smaller tensors are as fast in the message. */
const leastBytes = 64 * 1024;
/** What all regions together may hold. What does not fit goes in the message. */
const mostBytes = 256 * 1024 * 1024;
/** What free regions may keep for the next calls. */
const usualFreeBytes = 64 * 1024 * 1024;
/** How long a region rests whose call was given up: the server may still be reading it. */
const restMs = 30_000;

/** Memory that is mapped here: a copy into it takes half as long as writing to its file. */
interface Region {
  readonly memory: SharedMemory;
  /** All of it. */
  readonly bytes: Uint8Array;
}

/** The tensors of one call as they are sent. */
export interface Placed {
  readonly tensors: readonly Tensor[];
  /** Gives the memory back. `read`: the server has answered, so it reads there no more. */
  release(read: boolean): void;
}

/** A quarter of a power of two more than it takes at most, so that pictures of about one size find each other's memory. */
export function sizeFor(byteLength: number): number {
  const step = 2 ** Math.floor(Math.log2(byteLength)) / 4;
  return Math.ceil(byteLength / step) * step;
}

const sizeOf = ({ bytes }: Region): number => bytes.byteLength;

const bytesOf = ({ data }: Tensor): Uint8Array => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

export class MemoryPool {
  readonly #client: GrpcClient;
  readonly #log: Log;
  readonly #free: Region[] = [];
  readonly #all = new Set<Region>();
  readonly #resting = new Set<NodeJS.Timeout>();
  readonly #mostFreeBytes: number;
  #totalBytes = 0;
  #refused: boolean;
  /** How much did not fit when it was said that there is no room: not again for each picture, but when as much fitted since. */
  #shortBytes: number | undefined;
  #closed = false;

  /** `sharesMemory`: false for a server of another machine. */
  constructor(client: GrpcClient, log: Log, { sharesMemory = true, mostFreeBytes = usualFreeBytes } = {}) {
    this.#refused = !sharesMemory;
    this.#mostFreeBytes = mostFreeBytes;
    this.#client = client;
    this.#log = log;
  }

  /** Bytes in all regions. */
  get totalBytes(): number {
    return this.#totalBytes;
  }

  /** Puts those tensors into shared memory that are large enough, as far as there is room. */
  async place(tensors: readonly Tensor[]): Promise<Placed> {
    const used: Region[] = [];
    const placed: Tensor[] = [];
    for (const tensor of tensors) {
      const region = await this.#regionFor(tensor);
      if (region === undefined) {
        placed.push(tensor);
        continue;
      }
      used.push(region);
      const { name, datatype, shape, data, byteLength } = tensor;
      // Another object: the note of its place must not outlive this call.
      placed.push(
        placeTensor(new Tensor(name, data, shape, datatype), { region: region.memory, offset: 0, byteLength }),
      );
    }
    const release = (read: boolean) => {
      for (const region of used) this.#giveBack(region, read);
    };
    return { tensors: placed, release };
  }

  async #regionFor(tensor: Tensor): Promise<Region | undefined> {
    // A server checks the lengths in BYTES where they lie, and they must stay as they were then.
    if (this.#refused || tensor.byteLength < leastBytes || tensor.datatype === "BYTES") return undefined;
    const byteSize = sizeFor(tensor.byteLength);
    const region = this.#takeFree(byteSize) ?? (await this.#make(byteSize));
    region?.bytes.set(bytesOf(tensor));
    return region;
  }

  #takeFree(byteSize: number): Region | undefined {
    const at = this.#free.findLastIndex((region) => sizeOf(region) === byteSize);
    return at < 0 ? undefined : this.#free.splice(at, 1)[0];
  }

  async #make(byteSize: number): Promise<Region | undefined> {
    while (this.#totalBytes + byteSize > mostBytes && this.#free.length > 0) this.#drop(this.#free.shift()!);
    if (this.#totalBytes + byteSize > mostBytes) return undefined;
    const region = this.#map(byteSize);
    if (region === undefined) return undefined;
    try {
      await this.#client.registerSystemSharedMemory(region.memory);
    } catch (error) {
      this.#forget(region);
      if (!this.#closed) this.#refuse(error);
      return undefined;
    } finally {
      rmSync(`/dev/shm${region.memory.key}`, { force: true });
    }
    if (this.#closed) this.#forget(region);
    return this.#closed ? undefined : region;
  }

  /** Memory whose pages are there, so that nothing is missing when it is written to. */
  #map(byteSize: number): Region | undefined {
    const name = `triton-viam-${process.pid}-${randomBytes(8).toString("hex")}`;
    try {
      const memory = SharedMemory.create({ key: `/${name}`, byteSize });
      const region = { memory, bytes: new Uint8Array(memory.buffer.buffer) };
      this.#all.add(region);
      this.#totalBytes += byteSize;
      if (byteSize >= (this.#shortBytes ?? 0)) this.#shortBytes = undefined;
      return region;
    } catch (error) {
      // There is no room in /dev/shm, which in containers is small.
      const isFull = error instanceof TritonError && codeOf(error.cause) === "ENOSPC";
      if (isFull) this.#warnOfRoom(byteSize, error);
      else this.#refuse(error);
      return undefined;
    }
  }

  #warnOfRoom(byteSize: number, error: Error): void {
    if (this.#shortBytes !== undefined) return;
    this.#shortBytes = byteSize;
    this.#log.warning(`Tensors go in messages while there is no room: ${messageOf(error)}`);
  }

  /** A server in a container of its own has another /dev/shm. */
  #refuse(error: unknown): void {
    if (this.#refused) return;
    this.#refused = true;
    this.#log.info(
      `Large tensors go to ${this.#client.host} in messages, since shared memory fails: ${messageOf(error)}`,
    );
  }

  #giveBack(region: Region, read: boolean): void {
    if (!this.#all.has(region)) return;
    if (!read) {
      const timer = setTimeout(() => {
        this.#resting.delete(timer);
        this.#giveBack(region, true);
      }, restMs);
      timer.unref();
      this.#resting.add(timer);
      return;
    }
    this.#free.push(region);
    let freeBytes = this.#free.reduce((sum, region) => sum + sizeOf(region), 0);
    while (freeBytes > this.#mostFreeBytes) {
      const oldest = this.#free.shift()!;
      freeBytes -= sizeOf(oldest);
      this.#drop(oldest);
    }
  }

  #forget(region: Region): void {
    if (!this.#all.delete(region)) return;
    this.#totalBytes -= sizeOf(region);
    region.memory.close();
  }

  #drop(region: Region): void {
    this.#forget(region);
    this.#client.unregisterSystemSharedMemory(region.memory).catch((error: unknown) => {
      if (!this.#closed) this.#log.debug(`Shared memory was not given up: ${messageOf(error)}`);
    });
  }

  /** Gives all memory up; a server that goes on is told. */
  async close({ serverGoesOn }: { serverGoesOn: boolean }): Promise<void> {
    this.#closed = true;
    for (const timer of this.#resting) clearTimeout(timer);
    const names = [...this.#all].map(({ memory }) => memory.name);
    for (const region of [...this.#all]) this.#forget(region);
    this.#free.length = 0;
    if (!serverGoesOn) return;
    await Promise.allSettled(names.map((name) => this.#client.unregisterSystemSharedMemory(name)));
  }
}
