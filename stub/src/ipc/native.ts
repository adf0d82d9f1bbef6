// SPDX-License-Identifier: Apache-2.0
import { existsSync } from "node:fs";
import { createRequire } from "node:module";

/** The methods of the native addon (stub/native/addon.c). Only the modules of this folder use it. */
export interface Native {
  /** Entries from the server, 64 bytes each, valid during `onEntries`. */
  readonly inbox: ArrayBuffer;
  /** Entries for the server, 64 bytes each, taken by `send`. */
  readonly outbox: ArrayBuffer;
  /** Region, offset and bytes (three doubles each) of blocks that `send` frees once the server has read its entries. */
  readonly blocks: ArrayBuffer;
  /**
   * Three words (u32): how many entries and blocks there are that were not sent, to be written; and, to be read, not 0 while
   * they are sent by themselves, when the function that takes entries has returned and what it began has let go of the thread.
   */
  readonly unsent: ArrayBuffer;
  /** Region and offset (two doubles) of what `allocate` found last. */
  readonly cell: ArrayBuffer;
  /**
   * One word (u32), to be written: 1 while the model executes a batch, 2 while requests are open only, else 0. An idle one
   * waits for the next batch awake.
   */
  readonly busy: ArrayBuffer;
  /** One word (u32), to be written: not 0 while something else of the event loop is not to wait until no entries come. */
  readonly turnWanted: ArrayBuffer;
  /** Two words (u32): not 0, from then on, once the model wrote into a client's region; once a client cut one short. */
  readonly clientFlags: ArrayBuffer;
  /**
   * Shakes hands over the control channel. Throws when the other end is no server of the same version. Returns how many bytes
   * the memory of each side may grow to.
   */
  connect(descriptor: number, fingerprint: bigint): number;
  /**
   * Accepts the server's handshake, and begins to deliver entries (a count of them, in `inbox`) and frames of the control
   * channel; says when no entry has come for a while, and why what goes by itself (`unsent`) cannot be
   * sent any more. What a frame of the handshake or of regions asks is done already.
   */
  start(
    onEntries: (count: number) => void,
    onFrame: (method: number, call: number, isReply: boolean, region: number, payload: string) => void,
    onIdle: () => void,
    onBroken: (error: Error) => void,
  ): void;
  /** One word (u32) of the server's, to be read: LOG_LEVEL_* of the lines that its log takes, as far as it has told. Call once. */
  logLevels(): ArrayBuffer;
  /** Whether the connection keeps the event loop alive, which it does at first. */
  hold(hold: boolean): void;
  /** The memory of a region; call once for each, the buffer stays good for ever, or until `forget` for a client's. */
  region(id: number): ArrayBuffer;
  /** A buffer of its own over part of a region. */
  view(region: number, offset: number, bytes: number): ArrayBuffer;
  detach(buffer: ArrayBuffer): void;
  /** Allocates in the stub's own regions; the result stands in `cell`. Throws code ENOMEM at the limit. */
  allocate(bytes: number): void;
  /** The same, and what an earlier block has left there is zeros. */
  allocateCleared(bytes: number): void;
  /** The same, true; or false at the limit, even if the server is about to read something. */
  allocateNow(bytes: number): boolean;
  /** How many entries the server has read, of all that were sent. Blocks that were to be freed behind them are free. */
  consumed(): number;
  /** Sends the first `entries` of the outbox and frees the first `blocks` afterwards. */
  send(entries: number, blocks: number): void;
  /**
   * Takes a client's region away, whose buffer is detached, or held elsewhere: then zeros stay in its place for ever.
   */
  forget(region: number, isHeld: boolean): void;
  /** Whether the client cut its region short, so that part of it reads as zero. */
  isLost(region: number): boolean;
  /** Drops what the model wrote into clients' regions, which nobody but this process has seen. */
  restore(): void;
  /** Somebody else is about to handle SIGSEGV or SIGBUS, which are ours: regions of clients become writable, and no more come. */
  unguard(): void;
  /** From now on other processes of the same user can read neither this one's memory nor its descriptors by /proc; whether that worked. */
  hideMemory(): boolean;
  /** Makes a call of the server over the control channel; its reply comes as a frame. Throws code EPROTO when it cannot be sent. */
  call(method: number, call: number, payload: string): void;
  /** The same, and waits for the reply: its payload. Other frames that come meanwhile are delivered afterwards, in order. */
  callNow(method: number, call: number, payload: string): string;
  /** Replies to a call of the control channel with JSON text. */
  reply(method: number, call: number, payload: string): void;
}

/** Loads the addon: what was built here, else what the package brings; seen from a folder of dist/stub/src. */
export function loadNative(): Native {
  const require = createRequire(import.meta.url);
  const built = "../../../../build/lib/triton_typescript_stub.node";
  const brought = `../../../../prebuilds/linux-${process.arch}/triton_typescript_stub.node`;
  const place = existsSync(new URL(built, import.meta.url)) ? built : brought;
  return require(place) as Native;
}
