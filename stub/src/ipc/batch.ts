// SPDX-License-Identifier: Apache-2.0
import { type InferenceRequest, requestFromSource } from "../api/request.ts";
import * as L from "../protocol/layout.gen.ts";
import type { Entry } from "./entries.ts";
import { readU64 } from "./record.ts";
import { type Arrival, type Exchange, RequestLife } from "./request_life.ts";
import type { NameTables } from "./request_record.ts";
import type { SharedMemory } from "./shared_memory.ts";

/** How batches are read. */
export interface BatchSettings {
  readonly tables: NameTables;
  readonly strictViews: boolean;
  /** Makes what the runtime keeps for a request, when the model asks for more than to read it. */
  makeExchange(request: RequestLife): Exchange;
}

/** How far the clock of the protocol, CLOCK_MONOTONIC, is ahead of `performance.now()`: both count evenly. */
const CLOCK_OFFSET_MS = Number(process.hrtime.bigint()) / 1e6 - performance.now();

/** Requests that came together and that `execute` gets together. Each of them ends by itself. */
export class Batch implements Arrival {
  readonly memory: SharedMemory;
  readonly tables: NameTables;
  readonly strictViews: boolean;
  readonly table: number;
  readonly index: number;
  readonly generation: number;
  readonly takenMs: number;
  readonly makeExchange: (request: RequestLife) => Exchange;
  /** As the runtime knows the requests. */
  readonly lives: readonly RequestLife[];
  /** As the model knows them; the array is the model's to empty. */
  requests: InferenceRequest[];
  /** `execute` is over: the batch is not being executed any more, though its requests may be open still. */
  settled = false;
  /** The server was told so, perhaps before: one that waits for its sequence shall not hold up others. */
  isReleased = false;
  /**
   * What is done when its last request is answered: one function for all batches. A closure for each would chain them, so
   * that those that have become old kept later ones from being collected.
   */
  readonly #onClosed: (batch: Batch) => void;
  #open: number;

  /** Reads the batch that an EXECUTE entry points at. */
  constructor(memory: SharedMemory, settings: BatchSettings, entry: Entry, onClosed: (batch: Batch) => void) {
    this.#onClosed = onClosed;
    this.memory = memory;
    this.tables = settings.tables;
    this.strictViews = settings.strictViews;
    this.makeExchange = settings.makeExchange;
    this.table = entry.table;
    this.index = entry.index;
    this.generation = entry.generation;
    const { offset, bytes } = entry.place;
    const region = memory.region(entry.place.region);
    const limit = offset + bytes;
    const count = region.u32[(offset + L.BATCH_REQUEST_COUNT) / 4]!;
    if (!(count * L.REQUEST_SIZE < bytes))
      throw new Error(`The server sent a batch of ${count} requests in ${bytes} bytes.`);
    this.takenMs = readU64(region.u32, offset + L.BATCH_TAKEN_NS) / 1e6 - CLOCK_OFFSET_MS;
    const lives = new Array<RequestLife>(count);
    const requests = new Array<InferenceRequest>(count);
    let at = offset + L.BATCH_SIZE;
    for (let i = 0; i < count; i++) {
      const life = new RequestLife(this, i, region, at, limit);
      lives[i] = life;
      requests[i] = requestFromSource(life);
      at = life.end;
    }
    this.lives = lives;
    this.requests = requests;
    this.#open = count;
  }

  /** Whether a request of it is not answered. */
  get isOpen(): boolean {
    return this.#open > 0;
  }

  /** Whether other models read from a request of it. */
  get isBorrowed(): boolean {
    for (let i = 0; i < this.lives.length; i++) if (this.lives[i]!.isBorrowed) return true;
    return false;
  }

  noteAnswered(): void {
    if (--this.#open === 0) this.#onClosed(this);
  }
}
