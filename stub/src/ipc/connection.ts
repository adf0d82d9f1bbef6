// SPDX-License-Identifier: Apache-2.0
import * as L from "../protocol/layout.gen.ts";
import { type Batch, type NameTables, readBatch } from "./batch_reader.ts";
import { type Entry, Inbox, Outbox } from "./entries.ts";
import { loadNative, type Native } from "./native.ts";
import { type Answer, ResponseWriter } from "./response_writer.ts";
import { SharedMemory } from "./shared_memory.ts";

/** Begins a line of output that names its own level, which comes next. */
export const LOG_MARK = String.fromCharCode(L.LOG_MARK);

/** The steps that the server asks for; the answer to each is sent by the same name. */
export type Step = "load" | "initialize" | "finalize";

const STEP_OF_KIND = new Map<number, Step>([
  [L.CONTROL_LOAD, "load"],
  [L.CONTROL_INITIALIZE, "initialize"],
  [L.CONTROL_FINALIZE, "finalize"],
]);
const ANSWER_OF_STEP: Readonly<Record<Step, number>> = {
  load: L.CONTROL_LOADED,
  initialize: L.CONTROL_INITIALIZED,
  finalize: L.CONTROL_FINALIZED,
};

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
    this.#native.start(
      (count) => inbox.deliver(count),
      (kind, payload, region) => this.#onControl(kind, payload, region),
      () => handlers.onIdle(),
    );
    this.#native.sendControl(L.CONTROL_HELLO_ACK, JSON.stringify({ node: process.version }));
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
    this.#native.sendControl(ANSWER_OF_STEP[step], JSON.stringify(payload));
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

  #onControl(kind: number, payload: string, region: number): void {
    if (kind === L.CONTROL_FORGET_REGION) {
      this.#memory.forget(region);
      return;
    }
    const step = STEP_OF_KIND.get(kind);
    if (step === undefined) throw new Error(`The server sent a control message of unknown kind ${kind}.`);
    this.#handlers.onStep(step, payload === "" ? undefined : JSON.parse(payload));
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
