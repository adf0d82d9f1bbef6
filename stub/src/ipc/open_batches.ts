// SPDX-License-Identifier: Apache-2.0
import type { Batch } from "./batch.ts";
import type { Owner } from "./entries.ts";
import { isPartOf, type Place } from "./record.ts";
import type { RequestLife } from "./request_life.ts";

/** The batches of which a request is not answered, found by what the server calls them. */
export class OpenBatches {
  /**
   * By their place in the server's table, which is another batch's when one is closed. An array: a map makes a new table every
   * few changes, and each one that has become old keeps all later ones, and their batches, until the next full collection.
   */
  readonly #batches: (Batch | undefined)[] = [];
  #size = 0;

  add(batch: Batch): void {
    this.#batches[batch.index] = batch;
    this.#size++;
  }

  delete(batch: Batch): void {
    if (this.#batches[batch.index] !== batch) return;
    this.#batches[batch.index] = undefined;
    this.#size--;
  }

  get size(): number {
    return this.#size;
  }

  /** The open request that an entry is about; undefined when it was answered meanwhile. */
  find({ index, generation, item }: Owner): RequestLife | undefined {
    const batch = this.#batches[index];
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
    for (const batch of this.#batches) for (const life of batch?.lives ?? []) if (life.isOpen) yield life;
  }
}
