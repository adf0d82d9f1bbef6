// SPDX-License-Identifier: Apache-2.0
import * as L from "../protocol/layout.gen.ts";
import type { Native, Place } from "./native.ts";

/** Whom an entry is about: a slot in one of the server's tables, as of a generation of that slot, and an item in it. */
export interface Owner {
  readonly table: number;
  readonly index: number;
  readonly generation: number;
  readonly item: number;
}

/** An entry from the server. */
export interface Entry extends Owner {
  readonly kind: number;
  readonly flags: number;
  readonly place: Place;
}

/** What is to be done with an entry, by its kind. */
export type EntryHandlers = Readonly<Record<keyof typeof L.ENTRIES_TO_STUB, (entry: Entry) => void>>;

/** Entries from the server. */
export class Inbox {
  readonly #u32: Uint32Array;
  readonly #u64: BigUint64Array;
  readonly #handlers: ReadonlyMap<number, (entry: Entry) => void>;

  constructor(native: Pick<Native, "inbox">, handlers: EntryHandlers) {
    this.#u32 = new Uint32Array(native.inbox);
    this.#u64 = new BigUint64Array(native.inbox);
    this.#handlers = new Map(
      Object.entries(L.ENTRIES_TO_STUB).map(([name, kind]) => [kind, handlers[name as keyof EntryHandlers]]),
    );
  }

  /** Hands out the first `count` entries, in their order. */
  deliver(count: number): void {
    // Copied first: a handler may cause the inbox to be filled anew.
    const entries: Entry[] = [];
    for (let i = 0; i < count; i++) entries.push(this.#read(i * L.ENTRY_SIZE));
    for (const entry of entries) {
      const handler = this.#handlers.get(entry.kind);
      if (handler === undefined) throw new Error(`The server sent an entry of unknown kind ${entry.kind}.`);
      handler(entry);
    }
  }

  #read(at: number): Entry {
    const u32 = this.#u32;
    const u64 = this.#u64;
    return {
      kind: u32[(at + L.ENTRY_KIND) / 4]!,
      flags: u32[(at + L.ENTRY_FLAGS) / 4]!,
      table: u32[(at + L.ENTRY_OWNER + L.OWNER_TABLE) / 4]!,
      index: u32[(at + L.ENTRY_OWNER + L.OWNER_INDEX) / 4]!,
      generation: u32[(at + L.ENTRY_OWNER + L.OWNER_GENERATION) / 4]!,
      item: u32[(at + L.ENTRY_OWNER + L.OWNER_ITEM) / 4]!,
      place: {
        region: u32[(at + L.ENTRY_PLACE + L.PLACE_REGION) / 4]!,
        offset: Number(u64[(at + L.ENTRY_PLACE + L.PLACE_OFFSET) / 8]!),
        bytes: Number(u64[(at + L.ENTRY_PLACE + L.PLACE_BYTES) / 8]!),
      },
    };
  }
}

/** Entries for the server, and blocks to be freed behind them, gathered until `flush`: one call and one wake-up at most. */
export class Outbox {
  readonly #native: Native;
  readonly #u32: Uint32Array;
  readonly #u64: BigUint64Array;
  readonly #blocks: Float64Array;
  /** Entries, and blocks, that one call of the addon takes. */
  readonly #capacity: number;
  #entryCount = 0;
  #blockCount = 0;

  constructor(native: Native) {
    this.#native = native;
    this.#u32 = new Uint32Array(native.outbox);
    this.#u64 = new BigUint64Array(native.outbox);
    this.#blocks = new Float64Array(native.blocks);
    this.#capacity = native.outbox.byteLength / L.ENTRY_SIZE;
  }

  add(kind: number, flags: number, owner: Owner, place: Place): void {
    if (this.#entryCount === this.#capacity) this.flush();
    const at = this.#entryCount++ * L.ENTRY_SIZE;
    const u32 = this.#u32;
    const u64 = this.#u64;
    u32[(at + L.ENTRY_KIND) / 4] = kind;
    u32[(at + L.ENTRY_FLAGS) / 4] = flags;
    u32[(at + L.ENTRY_OWNER + L.OWNER_TABLE) / 4] = owner.table;
    u32[(at + L.ENTRY_OWNER + L.OWNER_INDEX) / 4] = owner.index;
    u32[(at + L.ENTRY_OWNER + L.OWNER_GENERATION) / 4] = owner.generation;
    u32[(at + L.ENTRY_OWNER + L.OWNER_ITEM) / 4] = owner.item;
    u32[(at + L.ENTRY_PLACE + L.PLACE_REGION) / 4] = place.region;
    u64[(at + L.ENTRY_PLACE + L.PLACE_OFFSET) / 8] = BigInt(place.offset);
    u64[(at + L.ENTRY_PLACE + L.PLACE_BYTES) / 8] = BigInt(place.bytes);
  }

  /** Frees a block once the server has read the entries that were added before. */
  freeLater(block: Place): void {
    if (this.#blockCount === this.#capacity) this.flush();
    const at = this.#blockCount++ * 3;
    this.#blocks[at] = block.region;
    this.#blocks[at + 1] = block.offset;
    this.#blocks[at + 2] = block.bytes;
  }

  flush(): void {
    if (this.#entryCount === 0 && this.#blockCount === 0) return;
    this.#native.send(this.#entryCount, this.#blockCount);
    this.#entryCount = 0;
    this.#blockCount = 0;
  }
}
