// SPDX-License-Identifier: Apache-2.0
import type { OutputMemory } from "../api/response.ts";
import { type Tensor, trustedTensor } from "../api/tensor.ts";
import type { Owner } from "./entries.ts";
import type { ReceivedOutput } from "./response_record.ts";
import type { SharedMemory } from "./shared_memory.ts";

/** Outputs of less are copied: that is quicker than to keep track of them. */
const LEAST_VIEWED_BYTES = 64 << 10;
/**
 * V8 counts the bytes of buffers and collects them in time where there is much memory. So much more of the limit than after the
 * last collection is viewed before one is asked for.
 */
const COLLECT_PART = 1 / 4;
/**
 * Long before that the young objects are collected alone, which takes 0.1 to 2 ms in place of 4 to 11: so the server
 * writes its answers into few pages, which are in the caches. At most so many bytes are viewed before, or this part of the limit.
 * So it is on Node 26.10. Where a FinalizationRegistry hears of nothing before all is collected, memory comes back by
 * COLLECT_PART alone, and the young are collected ever more rarely.
 */
const YOUNG_BYTES = 4 << 20;
const YOUNG_PART = 1 / 16;

/** What a collection has found is told later. */
const TELLING_MS = 1;

/** An answer whose memory is the server's, and ours until we say that nobody needs it. */
interface KeptAnswer {
  readonly owner: Owner;
  /** Outputs that JavaScript can reach. */
  views: number;
  /** Calls that have an output as their input. */
  users: number;
}

/** A buffer over one output. Who has the buffer, or an array on it, has the output. */
interface View {
  readonly answer: KeptAnswer;
  readonly bytes: number;
  isGone: boolean;
}

/** What is done with the memory of answers, by others. */
export interface AnswerActions {
  /** Says that nobody needs an answer any more. */
  readonly free: (owner: Owner) => void;
  /** Collects garbage, or what of it is young. */
  readonly collect: (youngOnly: boolean) => void;
  /** Whether what is to be done in the event loop shall not wait until no entries come. */
  readonly wantTurn: (isWanted: boolean) => void;
  /** Does something when nothing waits. */
  readonly whenFree: (run: () => void) => void;
}

/** The outputs of other models' answers, in the memory that the server wrote them to, until nobody refers to them any more. */
export class AnswerMemory implements OutputMemory {
  readonly #memory: SharedMemory;
  readonly #actions: AnswerActions;
  readonly #collectBytes: number;
  readonly #leastYoungBytes: number;
  /** More where that finds little: the model keeps its answers for long, and they are old. */
  #youngBytes: number;
  readonly #views = new WeakMap<ArrayBufferLike, View>();
  readonly #registry = new FinalizationRegistry<View>((view) => this.#drop(view));
  /** Bytes of all views. */
  #bytes = 0;
  /** Bytes of all that there were. */
  #goneBytes = 0;
  /** What was left after the last collection. */
  #left = 0;
  /** The same where young objects alone were collected. */
  #leftByYoung = 0;
  #isCollecting = false;
  #isCollectingYoung = false;

  /** @param limit bytes that the server may use */
  constructor(memory: SharedMemory, limit: number, actions: AnswerActions) {
    this.#memory = memory;
    this.#actions = actions;
    this.#collectBytes = limit * COLLECT_PART;
    this.#leastYoungBytes = this.#youngBytes = Math.min(YOUNG_BYTES, limit * YOUNG_PART);
  }

  /** Makes tensors of the outputs of an answer. */
  take(owner: Owner, outputs: readonly ReceivedOutput[]): Tensor[] {
    const answer: KeptAnswer = { owner, views: 0, users: 0 };
    const tensors = outputs.map((output) => this.#tensorOf(answer, output));
    if (answer.views === 0) this.#actions.free(owner);
    else this.#collectIfDue();
    return tensors;
  }

  #tensorOf(answer: KeptAnswer, { name, dtype, shape, place }: ReceivedOutput): Tensor {
    if (place.bytes < LEAST_VIEWED_BYTES) {
      return trustedTensor(name, dtype.name, shape, this.#memory.copy(dtype, place));
    }
    const buffer = this.#memory.lastingBuffer(place);
    const view: View = { answer, bytes: place.bytes, isGone: false };
    answer.views++;
    this.#bytes += view.bytes;
    this.#views.set(buffer, view);
    this.#registry.register(buffer, view);
    return trustedTensor(name, dtype.name, shape, new dtype.array(buffer, 0, place.bytes / dtype.bytes));
  }

  #collectIfDue(): void {
    if (this.#isCollecting) return;
    if (this.#bytes - this.#left > this.#collectBytes) this.#collectAll();
    else if (this.#bytes - this.#leftByYoung > this.#youngBytes && !this.#isCollectingYoung) this.#collectYoungSoon();
  }

  #collectAll(): void {
    this.#isCollecting = true;
    this.#actions.collect(false);
    setTimeout(() => {
      this.#left = this.#leftByYoung = this.#bytes;
      this.#isCollecting = false;
    }, TELLING_MS);
  }

  /** When nothing waits: what came with this answer goes on first. */
  #collectYoungSoon(): void {
    const { collect, wantTurn, whenFree } = this.#actions;
    this.#isCollectingYoung = true;
    wantTurn(true);
    whenFree(() => {
      const before = this.#goneBytes;
      // What it has found is told before the next of these, which comes whatever becomes of it.
      whenFree(() => {
        wantTurn(false);
        const isOfUse = this.#goneBytes - before > this.#youngBytes / 2;
        this.#youngBytes = isOfUse ? this.#leastYoungBytes : this.#youngBytes * 2;
        this.#leftByYoung = this.#bytes;
        this.#isCollectingYoung = false;
      });
      collect(true);
    });
  }

  /** The outputs' buffers become empty. */
  dispose(outputs: readonly Tensor[]): void {
    for (const { data } of outputs) {
      const view = this.#views.get(data.buffer);
      if (view === undefined || view.isGone) continue;
      this.#memory.detach(data.buffer);
      this.#drop(view);
    }
  }

  /**
   * Keeps the output that a buffer is of, though it is disposed of. Returns what gives it up; undefined when the buffer is none.
   * Who keeps it must keep the buffer, too.
   */
  keep(buffer: ArrayBufferLike): (() => void) | undefined {
    const answer = this.#views.get(buffer)?.answer;
    if (answer === undefined) return undefined;
    answer.users++;
    return () => {
      answer.users--;
      this.#freeUnneeded(answer);
    };
  }

  /** Nobody can reach a view any more. */
  #drop(view: View): void {
    if (view.isGone) return;
    view.isGone = true;
    this.#bytes -= view.bytes;
    this.#goneBytes += view.bytes;
    this.#left = Math.min(this.#left, this.#bytes);
    this.#leftByYoung = Math.min(this.#leftByYoung, this.#bytes);
    view.answer.views--;
    this.#freeUnneeded(view.answer);
  }

  #freeUnneeded({ owner, views, users }: KeptAnswer): void {
    if (views === 0 && users === 0) this.#actions.free(owner);
  }
}
