// SPDX-License-Identifier: Apache-2.0
import * as L from "../protocol/layout.gen.ts";
import type { Owner } from "./entries.ts";

/** A table of calls, as the server knows them: by a place in it, and by how often that place was used. */
export class CallSlots<Call> {
  readonly #calls: (Call | undefined)[] = [];
  readonly #generations: number[] = [];
  readonly #free: number[] = [];
  #count = 0;

  get isEmpty(): boolean {
    return this.#count === 0;
  }

  get hasRoom(): boolean {
    return this.#count < L.MAX_CALLS;
  }

  /** Gives a call a place. */
  take(call: Call): Owner {
    const index = this.#free.pop() ?? this.#calls.length;
    const generation = ((this.#generations[index] ?? 0) + 1) >>> 0;
    this.#calls[index] = call;
    this.#generations[index] = generation;
    this.#count++;
    return { table: L.TABLE_CALLS, index, generation, item: 0 };
  }

  find({ table, index, generation }: Owner): Call | undefined {
    return table === L.TABLE_CALLS && this.#generations[index] === generation ? this.#calls[index] : undefined;
  }

  free(index: number): void {
    this.#calls[index] = undefined;
    this.#free.push(index);
    this.#count--;
  }

  *values(): Generator<Call> {
    for (const call of this.#calls) if (call !== undefined) yield call;
  }
}
