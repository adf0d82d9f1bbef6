// SPDX-License-Identifier: Apache-2.0
import * as L from "../protocol/layout.gen.ts";
import type { Native } from "./native.ts";
import { type Place, readU64, writeU64 } from "./record.ts";

/** Region, offset and bytes of a block to be freed. */
const BLOCK_NUMBERS = 3;

/** The words of `Native.unsent`. */
const ENTRIES = 0;
const BLOCKS = 1;
const GOES_SOON = 2;

/** What nobody wakes: to let the server have the processor while it reads. */
const PAUSE = new Int32Array(new SharedArrayBuffer(4));
const PAUSE_MS = 0.05;

/** Whom an entry is about: a slot in one of the server's tables, as of a generation of that slot, and an item in it. */
export interface Owner {
  readonly table: number;
  readonly index: number;
  readonly generation: number;
  readonly item: number;
}

/** An entry, copied out of the memory that it came in. */
export interface Entry extends Owner {
  readonly kind: number;
  readonly flags: number;
  readonly place: Place;
  /** Of a metric. */
  readonly value: number;
}

/** What is to be done with an entry, by its kind. */
export type EntryHandlers = Readonly<Record<keyof typeof L.ENTRIES_TO_STUB, (entry: Entry) => void>>;

/** A row of entries in memory. */
export class EntryArray {
  readonly length: number;
  readonly #u32: Uint32Array;
  readonly #f64: Float64Array;

  constructor(buffer: ArrayBuffer) {
    this.length = buffer.byteLength / L.ENTRY_SIZE;
    this.#u32 = new Uint32Array(buffer);
    this.#f64 = new Float64Array(buffer);
  }

  read(index: number): Entry {
    const at = index * L.ENTRY_SIZE;
    const u32 = this.#u32;
    return {
      kind: u32[(at + L.ENTRY_KIND) / 4]!,
      flags: u32[(at + L.ENTRY_FLAGS) / 4]!,
      table: u32[(at + L.ENTRY_OWNER + L.OWNER_TABLE) / 4]!,
      index: u32[(at + L.ENTRY_OWNER + L.OWNER_INDEX) / 4]!,
      generation: u32[(at + L.ENTRY_OWNER + L.OWNER_GENERATION) / 4]!,
      item: u32[(at + L.ENTRY_OWNER + L.OWNER_ITEM) / 4]!,
      place: {
        region: u32[(at + L.ENTRY_PLACE + L.PLACE_REGION) / 4]!,
        offset: readU64(u32, at + L.ENTRY_PLACE + L.PLACE_OFFSET),
        bytes: readU64(u32, at + L.ENTRY_PLACE + L.PLACE_BYTES),
      },
      value: this.#f64[(at + L.ENTRY_VALUE) / 8]!,
    };
  }

  write(index: number, kind: number, flags: number, owner: Owner, place: Place, value = 0): void {
    const at = index * L.ENTRY_SIZE;
    const u32 = this.#u32;
    u32[(at + L.ENTRY_KIND) / 4] = kind;
    u32[(at + L.ENTRY_FLAGS) / 4] = flags;
    u32[(at + L.ENTRY_OWNER + L.OWNER_TABLE) / 4] = owner.table;
    u32[(at + L.ENTRY_OWNER + L.OWNER_INDEX) / 4] = owner.index;
    u32[(at + L.ENTRY_OWNER + L.OWNER_GENERATION) / 4] = owner.generation;
    u32[(at + L.ENTRY_OWNER + L.OWNER_ITEM) / 4] = owner.item;
    u32[(at + L.ENTRY_PLACE + L.PLACE_REGION) / 4] = place.region;
    writeU64(u32, at + L.ENTRY_PLACE + L.PLACE_OFFSET, place.offset);
    writeU64(u32, at + L.ENTRY_PLACE + L.PLACE_BYTES, place.bytes);
    this.#f64[(at + L.ENTRY_VALUE) / 8] = value;
  }
}

/** Entries from the server. */
export class Inbox {
  readonly #entries: EntryArray;
  readonly #handlers: ReadonlyMap<number, (entry: Entry) => void>;

  constructor(native: Native, handlers: EntryHandlers) {
    this.#entries = new EntryArray(native.inbox);
    this.#handlers = new Map(
      Object.entries(L.ENTRIES_TO_STUB).map(([name, kind]) => [kind, handlers[name as keyof EntryHandlers]]),
    );
  }

  /** Hands out the first `count` entries, in their order. */
  deliver(count: number): void {
    // Copied first: a handler may cause the inbox to be filled anew.
    const entries = new Array<Entry>(count);
    for (let i = 0; i < count; i++) entries[i] = this.#entries.read(i);
    for (const entry of entries) {
      const handler = this.#handlers.get(entry.kind);
      if (handler === undefined) throw new Error(`The server sent an entry of unknown kind ${entry.kind}.`);
      handler(entry);
    }
  }
}

/** Entries for the server, and blocks to be freed behind them, gathered until `flush`: one call and one wake-up at most. */
export class Outbox {
  readonly #native: Native;
  readonly #entries: EntryArray;
  readonly #blocks: Float64Array;
  /** How many entries and blocks wait to be sent, and whether that is done by itself. */
  readonly #unsent: Uint32Array;
  #written = 0;
  #consumed = 0;

  constructor(native: Native) {
    this.#native = native;
    this.#entries = new EntryArray(native.outbox);
    this.#blocks = new Float64Array(native.blocks);
    this.#unsent = new Uint32Array(native.unsent);
  }

  add(kind: number, flags: number, owner: Owner, place: Place, value = 0): void {
    if (this.#unsent[ENTRIES] === this.#entries.length) this.flush();
    this.#entries.write(this.#unsent[ENTRIES]!++, kind, flags, owner, place, value);
    this.#written++;
  }

  /** Whether what was added is sent without `flush` when JavaScript lets go of the thread. */
  get goesSoon(): boolean {
    return this.#unsent[GOES_SOON] !== 0;
  }

  /** How many entries were added, ever. */
  get written(): number {
    return this.#written;
  }

  /** How many of them the server has not read, as far as is known. */
  get unread(): number {
    return this.#written - this.#consumed;
  }

  /** Looks how many entries the server has read, ever. */
  consumed(): number {
    this.#consumed = this.#native.consumed();
    return this.#consumed;
  }

  /** Whether the ring takes one more entry now; without room `flush` waits for the server. */
  hasRoom(): boolean {
    return this.unread < L.RING_CAPACITY || this.#written - this.consumed() < L.RING_CAPACITY;
  }

  /** Frees a block once the server has read the entries that were added before. */
  freeLater(block: Place): void {
    if (this.#unsent[BLOCKS]! * BLOCK_NUMBERS === this.#blocks.length) this.flush();
    const at = this.#unsent[BLOCKS]!++ * BLOCK_NUMBERS;
    this.#blocks[at] = block.region;
    this.#blocks[at + 1] = block.offset;
    this.#blocks[at + 2] = block.bytes;
  }

  /** Sends what was added, and blocks until the server has read it. False when it does not in time. */
  untilRead(limitMs: number): boolean {
    this.flush();
    const end = performance.now() + limitMs;
    while (this.consumed() < this.#written) {
      if (performance.now() > end) return false;
      Atomics.wait(PAUSE, 0, 0, PAUSE_MS);
    }
    return true;
  }

  flush(): void {
    const entries = this.#unsent[ENTRIES]!;
    const blocks = this.#unsent[BLOCKS]!;
    if (entries === 0 && blocks === 0) return;
    this.#unsent[ENTRIES] = this.#unsent[BLOCKS] = 0;
    this.#native.send(entries, blocks);
  }
}
