// SPDX-License-Identifier: Apache-2.0
import type { Batch } from "./batch.ts";
import type { Owner } from "./entries.ts";
import { isPartOf, type Place } from "./record.ts";
import type { RequestLife } from "./request_life.ts";

/** The batches of which a request is not answered, found by what the server calls them. */
export class OpenBatches {
  /** By their place in the server's table, which is another batch's when one is closed. */
  readonly #batches = new Map<number, Batch>();

  add(batch: Batch): void {
    this.#batches.set(batch.index, batch);
  }

  delete(batch: Batch): void {
    if (this.#batches.get(batch.index) === batch) this.#batches.delete(batch.index);
  }

  get size(): number {
    return this.#batches.size;
  }

  /** The open request that an entry is about; undefined when it was answered meanwhile. */
  find({ index, generation, item }: Owner): RequestLife | undefined {
    const batch = this.#batches.get(index);
    const life = batch?.generation === generation ? batch.lives[item] : undefined;
    return life?.isOpen ? life : undefined;
  }

  /** The open request that has an input at a place. */
  ownerOf(place: Place): RequestLife | undefined {
    for (const life of this) {
      for (let i = 0; i < life.inputCount; i++) if (isPartOf(place, life.inputPlace(i))) return life;
    }
    return undefined;
  }

  /** The requests that are not answered. */
  *[Symbol.iterator](): Generator<RequestLife> {
    for (const { lives } of this.#batches.values()) for (const life of lives) if (life.isOpen) yield life;
  }
}
