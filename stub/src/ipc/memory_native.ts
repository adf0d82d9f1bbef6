// SPDX-License-Identifier: Apache-2.0
import * as L from "../protocol/layout.gen.ts";
import type { Frame } from "./control.ts";
import { type Entry, EntryArray, type Owner } from "./entries.ts";
import { MemoryArena } from "./memory_arena.ts";
import type { Native } from "./native.ts";
import type { Place } from "./record.ts";

const INBOX_ENTRIES = 64;
const OUTBOX_ENTRIES = 256;
const BLOCK_BYTES = 3 * 8;
const REGION_BYTES = 1 << 20;

/** What a server hears from the stub. */
export interface MemoryServer {
  /** An entry was sent. What it points at stays as it is until this returns. */
  onEntry(entry: Entry): void;
  /** A call of the control channel was replied to. */
  onReply?(method: number, call: number, payload: string): void;
  /** Serves a call of the control channel: the payload of its reply, which comes at once when it is no promise. */
  onCall?(method: number, payload: string): string | Promise<string>;
}

export interface MemoryNativeOptions {
  /** Bytes that the stub may allocate; without bound when left out. */
  readonly limit?: number;
}

/** A client's file that is lent, and the private mapping of it that the stub sees. */
interface Loan {
  readonly file: Uint8Array;
  readonly mapping: Uint8Array;
  isLost: boolean;
}

/**
 * The addon without a server: both ends of the connection in this process and in plain memory. The stub's end is the
 * interface `Native`; the rest is what a server does.
 */
export class MemoryNative implements Native {
  readonly inbox = new ArrayBuffer(INBOX_ENTRIES * L.ENTRY_SIZE);
  readonly outbox = new ArrayBuffer(OUTBOX_ENTRIES * L.ENTRY_SIZE);
  readonly blocks = new ArrayBuffer(OUTBOX_ENTRIES * BLOCK_BYTES);
  readonly unsent = new ArrayBuffer(12);
  readonly cell = new ArrayBuffer(16);
  readonly busy = new ArrayBuffer(4);
  readonly turnWanted = new ArrayBuffer(4);
  readonly clientFlags = new ArrayBuffer(8);
  /** Blocks of the server, and of the stub. */
  readonly inbound: MemoryArena;
  readonly outbound: MemoryArena;
  server: MemoryServer | undefined;
  /** What the server's log takes: everything, until a test changes it. */
  readonly levels = Uint32Array.of(L.LOG_LEVEL_INFO | L.LOG_LEVEL_WARN | L.LOG_LEVEL_ERROR | L.LOG_LEVEL_VERBOSE);
  readonly #regions = new Map<number, ArrayBuffer>();
  readonly #loans = new Map<number, Loan>();
  /** Buffers that `view` gave out, as long as somebody has them, and what they are views of. */
  readonly #views = new Set<{ readonly buffer: WeakRef<ArrayBuffer>; readonly place: Place }>();
  readonly #incoming = new EntryArray(this.inbox);
  readonly #outgoing = new EntryArray(this.outbox);
  readonly #sentBlocks = new Float64Array(this.blocks);
  readonly #found = new Float64Array(this.cell);
  readonly #flags = new Uint32Array(this.clientFlags);
  #onEntries: (count: number) => void = () => {};
  #onFrame: Parameters<Native["start"]>[1] = () => {};
  #onIdle: () => void = () => {};
  #onBroken: (error: Error) => void = () => {};
  #lastRegion = 0;
  #consumed = 0;
  /** What was sent while the server does not read: entries, and blocks to be freed behind them. */
  #unread: { entries: Entry[]; blocks: Pick<Place, "region" | "offset">[] }[] | undefined;

  constructor({ limit = Number.POSITIVE_INFINITY }: MemoryNativeOptions = {}) {
    const makeRegion = (owner: number) => (bytes: number) => this.#addRegion(owner, new ArrayBuffer(bytes));
    this.inbound = new MemoryArena(makeRegion(0), REGION_BYTES, Number.POSITIVE_INFINITY);
    this.outbound = new MemoryArena(makeRegion(L.REGION_OF_STUB), REGION_BYTES, limit);
  }

  #addRegion(owner: number, buffer: ArrayBuffer): number {
    const id = owner + ++this.#lastRegion;
    this.#regions.set(id, buffer);
    return id;
  }

  // --- The stub's end ---

  connect(): number {
    return this.outbound.limit;
  }

  start(...handlers: Parameters<Native["start"]>): void {
    [this.#onEntries, this.#onFrame, this.#onIdle, this.#onBroken] = handlers;
  }

  logLevels(): ArrayBuffer {
    return this.levels.buffer;
  }

  hold(): void {}

  region(id: number): ArrayBuffer {
    const buffer = this.#regions.get(id);
    if (buffer === undefined) throw new Error("The server named a region that it never announced.");
    return buffer;
  }

  /** JavaScript has no two buffers over the same memory: this one is a copy, which is written back. */
  view(region: number, offset: number, bytes: number): ArrayBuffer {
    const source = this.region(region);
    if (!(offset + bytes <= source.byteLength)) throw new Error("view is out of range.");
    const buffer = source.slice(offset, offset + bytes);
    this.#views.add({ buffer: new WeakRef(buffer), place: { region, offset, bytes } });
    return buffer;
  }

  #writeBack(buffer: ArrayBuffer, { region, offset }: Place): void {
    new Uint8Array(this.region(region)).set(new Uint8Array(buffer), offset);
  }

  detach(buffer: ArrayBuffer): void {
    if (buffer.byteLength === 0) return; // the model did it
    for (const view of this.#views) {
      if (view.buffer.deref() !== buffer) continue;
      this.#writeBack(buffer, view.place);
      this.#views.delete(view);
    }
    structuredClone(buffer, { transfer: [buffer] });
  }

  allocate(bytes: number): void {
    if (this.allocateNow(bytes)) return;
    throw Object.assign(new Error("Failed to increase the shared memory pool size"), { code: "ENOMEM" });
  }

  allocateCleared(bytes: number): void {
    this.allocate(bytes);
    new Uint8Array(this.region(this.#found[0]!), this.#found[1]!, bytes).fill(0);
  }

  allocateNow(bytes: number): boolean {
    const block = this.outbound.allocate(bytes);
    if (block === undefined) return false;
    this.#found[0] = block.region;
    this.#found[1] = block.offset;
    return true;
  }

  consumed(): number {
    return this.#consumed;
  }

  send(entryCount: number, blockCount: number): void {
    for (const view of this.#views) {
      const buffer = view.buffer.deref();
      if (buffer === undefined || buffer.byteLength === 0) this.#views.delete(view);
      else this.#writeBack(buffer, view.place);
    }
    const entries = Array.from({ length: entryCount }, (_, i) => this.#outgoing.read(i));
    const blocks = Array.from({ length: blockCount }, (_, i) => ({
      region: this.#sentBlocks[i * 3]!,
      offset: this.#sentBlocks[i * 3 + 1]!,
    }));
    if (this.#unread === undefined) {
      this.#read(entries, blocks);
      return;
    }
    this.#unread.push({ entries, blocks });
    if (this.unreadCount > L.RING_CAPACITY) throw new Error("The stub would wait for room in the ring.");
  }

  #read(entries: Entry[], blocks: readonly Pick<Place, "region" | "offset">[]): void {
    for (const entry of entries) {
      this.server?.onEntry(entry);
      this.#consumed++;
    }
    for (const block of blocks) this.outbound.free(block);
  }

  /** Held or not: nothing of ordinary memory need stay in its place. */
  forget(region: number): void {
    this.#regions.delete(region);
    this.#loans.delete(region);
  }

  isLost(region: number): boolean {
    return this.#loans.get(region)?.isLost === true;
  }

  restore(): void {
    for (const { file, mapping, isLost } of this.#loans.values()) if (!isLost) mapping.set(file);
  }

  hideMemory(): boolean {
    return true;
  }

  unguard(): void {
    this.#flags[0] = 1;
  }

  call(method: number, call: number, payload: string): void {
    void Promise.resolve(this.#serve(method, payload)).then((text) =>
      this.deliverFrame({ method, call, isReply: true, region: 0, payload: text }),
    );
  }

  callNow(method: number, _call: number, payload: string): string {
    const reply = this.#serve(method, payload);
    if (typeof reply === "string") return reply;
    throw new Error("Without a server, a call that is waited for must be replied to at once.");
  }

  #serve(method: number, payload: string): string | Promise<string> {
    if (this.server?.onCall === undefined) throw new Error("There is no server that could be called.");
    return this.server.onCall(method, payload);
  }

  reply(method: number, call: number, payload: string): void {
    this.server?.onReply?.(method, call, payload);
  }

  // --- The server's end ---

  /** How many entries the server has not read. */
  get unreadCount(): number {
    return (this.#unread ?? []).reduce((sum, { entries }) => sum + entries.length, 0);
  }

  /** The server stops reading what the stub sends, or begins again with what has come meanwhile. */
  pause(pauses: boolean): void {
    const unread = this.#unread ?? [];
    this.#unread = pauses ? unread : undefined;
    if (!pauses) for (const { entries, blocks } of unread) this.#read(entries, blocks);
  }

  deliver(kind: number, flags: number, owner: Owner, place: Place, value = 0): void {
    this.#incoming.write(0, kind, flags, owner, place, value);
    this.#onEntries(1);
  }

  deliverFrame({ method, call, isReply, region, payload }: Frame): void {
    this.#onFrame(method, call, isReply, region, payload);
  }

  /** What was to be sent by itself cannot be. */
  noteBroken(error: Error): void {
    this.#onBroken(error);
  }

  /** No batch has come for some seconds. */
  noteIdle(): void {
    this.#onIdle();
  }

  /** Lends a client's file to the stub, and gives the id of the region that it is. */
  lend(file: Uint8Array): number {
    const mapping = file.slice();
    const region = this.#addRegion(L.REGION_OF_CLIENT, mapping.buffer);
    this.#loans.set(region, { file, mapping, isLost: false });
    return region;
  }

  /** The client cuts its file short: what the stub sees of it is zeros. */
  cutShort(region: number): void {
    const loan = this.#loans.get(region)!;
    loan.mapping.fill(0);
    loan.isLost = true;
    this.#flags[1] = 1;
  }

  /** The model wrote into a client's region, which the addon learns from a signal. */
  noteWrite(): void {
    this.#flags[0] = 1;
  }
}
