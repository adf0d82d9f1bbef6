// SPDX-License-Identifier: Apache-2.0
import * as L from "../protocol/layout.gen.ts";
import type { Batch } from "./batch.ts";
import type { Outbox, Owner } from "./entries.ts";
import type { Place } from "./record.ts";
import type { RequestLife } from "./request_life.ts";
import type { ResponseMeasurer } from "./response_measurer.ts";
import { type Answer, type MeasuredResponse, writeResponse } from "./response_record.ts";
import type { SharedMemory } from "./shared_memory.ts";

/** What the server has not read yet: beyond these, who sends is asked to wait, until it is half of it. */
const HIGH_ENTRIES = L.RING_CAPACITY / 2;
const HIGH_BYTES = 16 << 20;
/** A response counts as so many bytes at least, for what it costs beside its data. */
const LEAST_BYTES = 256;
/** Entries that follow each other faster are gathered. */
const GATHER_MS = 0.1;
/** How often it is looked what the server has read, while somebody waits for that. */
const LOOK_MS = 1;

const NOWHERE: Place = { region: 0, offset: 0, bytes: 0 };

/** An entry on its way, with what it says. */
interface Parcel {
  readonly kind: number;
  readonly flags: number;
  readonly owner: Owner;
  /** The request that it ends. */
  readonly ends: RequestLife | undefined;
  /** The response, while it is not written into shared memory because there is no room. */
  response: MeasuredResponse | undefined;
  /** Where it is written. */
  block: Place | undefined;
  place: Place;
  readonly bytes: number;
}

/** What a request's end without a response says; 0 for one that stays open. */
export type ResponseFlags = 0 | typeof L.RESPONSE_FINAL | typeof L.RESPONSE_RESCHEDULE;

/**
 * Responses that are sent one at a time, of requests that may have many of them. Nothing here ever waits: what the ring or
 * the memory has no room for stays here, in its order, and whoever sends learns when to go on.
 */
export class ResponseStream {
  readonly #memory: SharedMemory;
  readonly #outbox: Outbox;
  readonly #measurer: ResponseMeasurer;
  readonly #onBroken: (error: unknown) => void;
  /** What has no room yet, from `#heldFrom` on. */
  #held: Parcel[] = [];
  #heldFrom = 0;
  /** Bytes that were posted and that the server has not read, as far as is known. */
  #bytes = 0;
  /** How many of them are read when the server is at a position of the ring, in order. */
  readonly #marks: { position: number; bytes: number }[] = [];
  #unmarkedBytes = 0;
  #flushedAt = 0;
  #isFlushDue = false;
  #isLookDue = false;
  readonly #onMicrotask = (): void => process.nextTick(this.#onTurnEnd);
  readonly #onTurnEnd = (): void => this.#guarded(() => this.#flush(performance.now()));
  #ready: { promise: Promise<void>; resolve: () => void } | undefined;

  /** @param onBroken the process cannot go on, as nothing can be sent any more */
  constructor(memory: SharedMemory, outbox: Outbox, measurer: ResponseMeasurer, onBroken: (error: unknown) => void) {
    this.#memory = memory;
    this.#outbox = outbox;
    this.#measurer = measurer;
    this.#onBroken = onBroken;
  }

  /**
   * Sends a response of an open request, or only what the flags say; with flags the request is closed. The data is taken
   * before this returns. Returns how much room it takes.
   */
  post(request: RequestLife, answer: Answer | undefined, flags: ResponseFlags): number {
    let bytes = 0;
    this.#guarded(() => {
      bytes = this.#post(request, answer, flags);
    });
    return bytes;
  }

  #post(request: RequestLife, answer: Answer | undefined, flags: ResponseFlags): number {
    const parcel = this.#pack(request, answer, flags);
    this.#hand(parcel);
    return parcel.bytes;
  }

  /** Takes the last response of an open request with its data. What is returned sends it, which closes the request. */
  take(request: RequestLife, answer: Answer): () => void {
    const parcel = this.#pack(request, answer, L.RESPONSE_FINAL);
    return () => this.#guarded(() => this.#hand(parcel));
  }

  #pack(request: RequestLife, answer: Answer | undefined, flags: ResponseFlags): Parcel {
    const ends = flags === 0 ? undefined : request;
    // What a borrowed request holds back must not change meanwhile, and what it refers to must not be needed.
    const copies = flags === 0 || request.isBorrowed;
    const response = answer === undefined ? undefined : this.#measurer.measure(request, answer, copies);
    const bytes = Math.max(LEAST_BYTES, response === undefined ? 0 : response.recordBytes + response.dataBytes);
    const parcel: Parcel = {
      kind: L.ENTRY_RESPONSE,
      flags,
      owner: request,
      ends,
      response,
      block: undefined,
      place: NOWHERE,
      bytes,
    };
    // Now, while the data is as it should be. Where there is no room for it in shared memory, it is kept outside.
    if (!this.#write(parcel)) parcel.response = this.#keep(request, answer!);
    return parcel;
  }

  #hand(parcel: Parcel): void {
    const { ends } = parcel;
    ends?.close();
    if (ends?.isBorrowed) ends.whenReturned(() => this.#guarded(() => this.#put(parcel)));
    else this.#put(parcel);
  }

  /** Sends an entry that is no response, in its order, and together with what else is sent in this turn. */
  pass(kind: number, owner: Owner, place = NOWHERE): void {
    const nothing = { ends: undefined, response: undefined, block: undefined, bytes: 0 };
    this.#guarded(() => this.#put({ kind, flags: 0, owner, place, ...nothing }, true));
  }

  /** Frees a block once the server has read what was sent before. */
  freeLater(block: Place): void {
    this.#outbox.freeLater(block);
    this.#flushAtTurnEnd();
  }

  /** Says that `execute` is over, though requests of the batch are open. */
  settle(batch: Batch): void {
    const { table, index, generation } = batch;
    const owner = { table, index, generation, item: 0 };
    const nothing = { ends: undefined, response: undefined, block: undefined, place: NOWHERE, bytes: 0 };
    this.#guarded(() => this.#put({ kind: L.ENTRY_SETTLED, flags: 0, owner, ...nothing }));
  }

  /** Settled when more may be sent; undefined when that is now. */
  get ready(): Promise<void> | undefined {
    if (this.#ready !== undefined) return this.#ready.promise;
    if (!this.#isFull(1)) return undefined;
    this.#note();
    if (!this.#isFull(1)) return undefined;
    let resolve = () => {};
    const promise = new Promise<void>((settle) => {
      resolve = settle;
    });
    this.#ready = { promise, resolve };
    this.#lookSoon();
    return promise;
  }

  /** Whether more than a part of what is allowed is unread, as far as is known. */
  #isFull(part: number): boolean {
    return this.#outbox.unread + this.#heldCount > HIGH_ENTRIES * part || this.#bytes > HIGH_BYTES * part;
  }

  get #heldCount(): number {
    return this.#held.length - this.#heldFrom;
  }

  #put(parcel: Parcel, isGathered = false): void {
    this.#bytes += parcel.bytes;
    if (this.#heldCount === 0 && parcel.response === undefined && this.#outbox.hasRoom()) {
      this.#add(parcel);
      if (isGathered) this.#flushAtTurnEnd();
      else this.#flushSoon();
    } else {
      this.#held.push(parcel);
      this.#lookSoon();
    }
  }

  /** Writes the response of a parcel, if it has one. False when there is no room in shared memory. */
  #write(parcel: Parcel): boolean {
    const { response } = parcel;
    if (response === undefined) return true;
    const block = this.#memory.allocateNow(response.recordBytes + response.dataBytes);
    if (block === undefined) return false;
    // Without the memory, the process ends: an error could not be written either.
    const memory = this.#memory.region(block.region);
    try {
      writeResponse(memory, block.offset, response);
    } catch (error) {
      // The model changed an output since it was measured. An error has nothing that can change.
      this.#outbox.freeLater(block);
      parcel.response = this.#measurer.failure(error);
      return this.#write(parcel);
    }
    parcel.block = block;
    parcel.place = { region: block.region, offset: block.offset, bytes: response.recordBytes };
    parcel.response = undefined;
    return true;
  }

  /** The same response with data of its own. */
  #keep(request: RequestLife, answer: Answer): MeasuredResponse {
    try {
      const outputs = answer.outputs.map((output) => output.clone());
      return this.#measurer.measure(request, { ...answer, outputs }, true);
    } catch (error) {
      return this.#measurer.failure(error);
    }
  }

  #add({ kind, flags, owner, place, block, ends, bytes }: Parcel): void {
    this.#outbox.add(kind, flags, owner, place);
    if (block !== undefined) this.#outbox.freeLater(block);
    ends?.release(this.#outbox);
    this.#unmarkedBytes += bytes;
  }

  /** At once after a pause; what follows at once goes when the model has let go of the thread, microtasks included. */
  #flushSoon(): void {
    const now = performance.now();
    if (now - this.#flushedAt > GATHER_MS) {
      this.#flush(now);
    } else {
      this.#flushAtTurnEnd();
    }
  }

  #flushAtTurnEnd(): void {
    // What has bytes is to be counted when it is sent.
    if (this.#isFlushDue || (this.#unmarkedBytes === 0 && this.#outbox.goesSoon)) return;
    this.#isFlushDue = true;
    queueMicrotask(this.#onMicrotask);
  }

  #flush(now: number): void {
    this.#flushedAt = now;
    this.#isFlushDue = false;
    this.#outbox.flush();
    if (this.#unmarkedBytes === 0) return;
    this.#marks.push({ position: this.#outbox.written, bytes: this.#unmarkedBytes });
    this.#unmarkedBytes = 0;
  }

  /** Looks what the server has read. */
  #note(): void {
    const position = this.#outbox.consumed();
    while (this.#marks.length > 0 && this.#marks[0]!.position <= position) this.#bytes -= this.#marks.shift()!.bytes;
  }

  #lookSoon(): void {
    if (this.#isLookDue) return;
    this.#isLookDue = true;
    setTimeout(() => this.#guarded(() => this.#look()), LOOK_MS);
  }

  #look(): void {
    this.#isLookDue = false;
    this.#note();
    while (this.#heldCount > 0 && this.#sendHeld(this.#held[this.#heldFrom]!)) this.#heldFrom++;
    if (this.#heldFrom * 2 > this.#held.length) {
      this.#held = this.#held.slice(this.#heldFrom);
      this.#heldFrom = 0;
    }
    this.#flush(performance.now());
    if (this.#ready !== undefined && !this.#isFull(0.5)) {
      const { resolve } = this.#ready;
      this.#ready = undefined;
      resolve();
    }
    if (this.#heldCount > 0 || this.#ready !== undefined) this.#lookSoon();
  }

  #sendHeld(parcel: Parcel): boolean {
    if (!this.#outbox.hasRoom()) return false;
    if (!this.#write(parcel)) {
      if (this.#outbox.unread > 0) return false;
      // The server has read all there is, so that there will be no more room.
      const { recordBytes, dataBytes } = parcel.response!;
      parcel.response = this.#measurer.failure(this.#memory.noRoom(recordBytes + dataBytes, "a response"));
      if (!this.#write(parcel)) throw this.#memory.noRoom(parcel.response.recordBytes, "an error");
    }
    this.#add(parcel);
    return true;
  }

  #guarded(body: () => void): void {
    try {
      body();
    } catch (error) {
      this.#onBroken(error);
    }
  }
}
