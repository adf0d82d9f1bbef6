// SPDX-License-Identifier: Apache-2.0
import type { Batch } from "../ipc/batch.ts";

type SequenceId = number | bigint | string;

/** A batch with the sequences that its requests are of, read while they are open: the memory is the server's afterwards. */
interface Queued {
  readonly batch: Batch;
  readonly sequences: readonly SequenceId[];
}

const NO_SEQUENCES: readonly SequenceId[] = [];

/**
 * Which batches the model executes: at most so many at once, in the order in which they came, and of one sequence one after
 * the other. The direct scheduler hands a sequence's next request over as soon as the instance takes it, and a model that
 * awaits something would get it before it is done with the one before.
 */
export class ExecuteQueue {
  readonly #concurrency: number;
  readonly #ordersSequences: boolean;
  #executing = 0;
  /** Batches that were begun and that others of their sequences wait for; only where sequences are ordered. */
  readonly #begun = new Map<Batch, Queued>();
  readonly #waiting: Queued[] = [];

  /** @param ordersSequences requests are of sequences (`sequence_batching`) */
  constructor(concurrency: number, ordersSequences: boolean) {
    this.#concurrency = concurrency;
    this.#ordersSequences = ordersSequences;
  }

  /** How many batches are executed. */
  get executing(): number {
    return this.#executing;
  }

  /** Takes a batch. True: it is to be executed now; else `next` gives it. */
  begin(batch: Batch): boolean {
    const queued = { batch, sequences: this.#sequencesOf(batch) };
    const now = this.#executing < this.#concurrency && this.#isFree(queued, this.#waiting.length);
    if (now) this.#add(queued);
    else this.#waiting.push(queued);
    return now;
  }

  #add(queued: Queued): void {
    this.#executing++;
    if (this.#ordersSequences) this.#begun.set(queued.batch, queued);
  }

  /** A batch is not executed any more, though its requests may be open. */
  settle(): void {
    this.#executing--;
  }

  /** The next requests of its sequences may follow. */
  end(batch: Batch): void {
    if (this.#ordersSequences) this.#begun.delete(batch);
  }

  /** The next batch to be executed now, if any. */
  next(): Batch | undefined {
    if (this.#executing >= this.#concurrency) return undefined;
    const index = this.#waiting.findIndex((queued, i) => this.#isFree(queued, i));
    if (index < 0) return undefined;
    const [queued] = this.#waiting.splice(index, 1);
    this.#add(queued!);
    return queued!.batch;
  }

  #sequencesOf({ lives }: Batch): readonly SequenceId[] {
    if (!this.#ordersSequences) return NO_SEQUENCES;
    return lives.map(({ correlationId }) => correlationId);
  }

  /** Whether no batch that was begun, and none of the first `before` that wait, has a request of the same sequence. */
  #isFree({ sequences }: Queued, before: number): boolean {
    if (!this.#ordersSequences) return before === 0;
    const isApart = (other: Queued) => !other.sequences.some((id) => sequences.includes(id));
    return [...this.#begun.values()].every(isApart) && this.#waiting.slice(0, before).every(isApart);
  }
}
