// SPDX-License-Identifier: Apache-2.0
import * as L from "../protocol/layout.gen.ts";
import { type Batch, type NameTables, readBatch } from "./batch_reader.ts";
import { Control, type Step } from "./control.ts";
import { type Entry, Inbox, Outbox } from "./entries.ts";
import { loadNative, type Native } from "./native.ts";
import { type Answer, ResponseWriter } from "./response_writer.ts";
import { SharedMemory } from "./shared_memory.ts";

/** Begins a line of output that names its own level, which comes next. */
export const LOG_MARK = String.fromCharCode(L.LOG_MARK);

export interface ConnectionHandlers {
  onBatch(batch: Batch): void;
  onStep(step: Step, payload: unknown): void;
  /** No batch has come for some seconds. */
  onIdle(): void;
  /** A batch could not be read: nothing can answer its requests. */
  onBroken(error: unknown): void;
}

/** The connection to the server: batches come in, answers go out, steps of the model's life in between. */
export class Connection {
  readonly #native: Native;
  readonly #control: Control;
  readonly #memory: SharedMemory;
  readonly #writer: ResponseWriter;
  readonly #handlers: ConnectionHandlers;
  #tables: NameTables = { inputs: [], outputs: [] };
  #strictViews = false;
  readonly #busy: Uint32Array;

  /** Connects; throws when there is no server of the same version at the other end. */
  constructor(handlers: ConnectionHandlers) {
    this.#native = loadNative();
    this.#native.connect(L.STUB_CHANNEL, L.FINGERPRINT);
    this.#memory = new SharedMemory(this.#native);
    this.#writer = new ResponseWriter(this.#memory, new Outbox(this.#native));
    const inbox = new Inbox(this.#native, { execute: (entry) => this.#onExecute(entry) });
    this.#busy = new Uint32Array(this.#native.busy);
    this.#handlers = handlers;
    this.#control = new Control(this.#native, {
      onStep: (step, payload) => handlers.onStep(step, payload),
      onForgetRegion: (region) => this.#memory.forget(region),
    });
    this.#native.start(
      (count) => inbox.deliver(count),
      (method, call, isReply, region, payload) => this.#control.onFrame({ method, call, isReply, region, payload }),
      () => handlers.onIdle(),
    );
  }

  /** Sets how batches are read from now on. */
  configure(tables: NameTables, strictViews: boolean): void {
    this.#tables = tables;
    this.#strictViews = strictViews;
  }

  /** Whether the connection alone keeps the process alive. */
  hold(hold: boolean): void {
    this.#native.hold(hold);
  }

  answerStep(step: Step, payload: object): void {
    this.#control.reply(step, payload);
  }

  /** Answers a batch; `onError` makes the answer for one that does not fit into memory. */
  answerBatch(batch: Batch, answers: readonly Answer[], onError: (error: unknown) => Answer): void {
    this.#writer.send(batch, answers, onError);
    batch.close();
  }

  /** The model is about to handle the signals by which writes into clients' memory are noticed. */
  unguard(): void {
    this.#native.unguard();
  }

  /** The model begins to execute a batch. */
  begin(): void {
    this.#busy[0] = 1;
  }

  /** The model executes no batch any more. Returns whether it wrote into inputs that lie in clients' memory. */
  settle(): boolean {
    this.#busy[0] = 0;
    return this.#memory.restoreInputs();
  }

  #onExecute(entry: Entry): void {
    let batch: Batch;
    try {
      batch = readBatch(this.#memory, this.#tables, entry, this.#strictViews);
    } catch (error) {
      this.#handlers.onBroken(error);
      return;
    }
    this.#handlers.onBatch(batch);
  }
}
