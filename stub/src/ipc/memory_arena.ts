// SPDX-License-Identifier: Apache-2.0
import * as L from "../protocol/layout.gen.ts";
import { align, type Place } from "./record.ts";

/** Blocks in regions, of which there are as many as it takes: what shim and stub each have in shared memory, in plain memory. */
export class MemoryArena {
  /** All blocks together may not be larger. */
  limit: number;
  readonly #addRegion: (bytes: number) => number;
  readonly #regionBytes: number;
  /** What is free, in order. */
  #free: Place[] = [];
  readonly #sizes = new Map<string, number>();
  #used = 0;

  /** @param addRegion makes a region of so many bytes and gives its id, which is larger than those before */
  constructor(addRegion: (bytes: number) => number, regionBytes: number, limit: number) {
    this.#addRegion = addRegion;
    this.#regionBytes = regionBytes;
    this.limit = limit;
  }

  /** Bytes of all blocks together. */
  get used(): number {
    return this.#used;
  }

  /** A block of at least `bytes`, or undefined at the limit. */
  allocate(bytes: number): Place | undefined {
    const size = Math.max(align(bytes, L.DATA_ALIGNMENT), L.DATA_ALIGNMENT);
    if (this.#used + size > this.limit) return undefined;
    let index = this.#free.findIndex((extent) => extent.bytes >= size);
    if (index < 0) {
      const regionBytes = Math.max(this.#regionBytes, size);
      index = this.#free.push({ region: this.#addRegion(regionBytes), offset: 0, bytes: regionBytes }) - 1;
    }
    const { region, offset, bytes: free } = this.#free[index]!;
    if (free === size) this.#free.splice(index, 1);
    else this.#free[index] = { region, offset: offset + size, bytes: free - size };
    this.#used += size;
    this.#sizes.set(`${region} ${offset}`, size);
    return { region, offset, bytes };
  }

  free({ region, offset }: Pick<Place, "region" | "offset">): void {
    const bytes = this.#sizes.get(`${region} ${offset}`);
    if (bytes === undefined) throw new Error("free was given a block that was not allocated.");
    this.#sizes.delete(`${region} ${offset}`);
    this.#used -= bytes;
    this.#free.push({ region, offset, bytes });
    this.#free.sort((a, b) => a.region - b.region || a.offset - b.offset);
    const merged: Place[] = [];
    for (const extent of this.#free) {
      const last = merged.at(-1);
      if (last?.region === extent.region && last.offset + last.bytes === extent.offset) {
        merged[merged.length - 1] = { ...last, bytes: last.bytes + extent.bytes };
      } else {
        merged.push(extent);
      }
    }
    this.#free = merged;
  }
}
