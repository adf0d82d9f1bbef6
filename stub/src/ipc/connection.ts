// SPDX-License-Identifier: Apache-2.0
import * as L from "../protocol/layout.gen.ts";
import { Batch, type BatchSettings } from "./batch.ts";
import { Control, type Step } from "./control.ts";
import { type Entry, Inbox, Outbox } from "./entries.ts";
import { loadNative, type Native } from "./native.ts";
import type { RequestLife } from "./request_life.ts";
import type { Answer } from "./response_record.ts";
import { ResponseWriter } from "./response_writer.ts";
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

/** How batches are read and answered, once the model is initialized. */
export interface ExecuteSettings extends BatchSettings {
  /** Makes the answer for a request whose own cannot be written, as it does not fit into memory, for instance. */
  onUnsendable(error: unknown): Answer;
}

/** The connection to the server: batches come in, responses go out, steps of the model's life in between. */
export class Connection {
  readonly #native: Native;
  readonly #control: Control;
  readonly #memory: SharedMemory;
  readonly #handlers: ConnectionHandlers;
  readonly #busy: Uint32Array;
  #settings: BatchSettings | undefined;
  #writer: ResponseWriter | undefined;

  /** Connects; throws when there is no server of the same version at the other end. */
  constructor(handlers: ConnectionHandlers, native: Native = loadNative()) {
    this.#native = native;
    this.#native.connect(L.STUB_CHANNEL, L.FINGERPRINT);
    this.#memory = new SharedMemory(this.#native);
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

  /** Sets how batches are read and answered from now on. */
  configure(settings: ExecuteSettings): void {
    this.#settings = settings;
    this.#writer = new ResponseWriter(this.#memory, new Outbox(this.#native), settings.onUnsendable);
  }

  /** Whether the connection alone keeps the process alive. */
  hold(hold: boolean): void {
    this.#native.hold(hold);
  }

  answerStep(step: Step, payload: object): void {
    this.#control.reply(step, payload);
  }

  /** Takes one response of an open request, for `send`. The request has no more of them after a final one. */
  respond(request: RequestLife, answer: Answer, final: boolean): void {
    this.#writer!.add(request, answer, final);
  }

  /** Sends the responses that were given to `respond`, all at once. */
  send(): void {
    this.#writer!.send();
  }

  /** The model begins to execute a batch. */
  begin(): void {
    this.#busy[0] = 1;
  }

  /** The model executes no batch any more. Returns whether it wrote into inputs that lie in clients' memory. */
  settle(): boolean {
    this.#busy[0] = 0;
    return this.#memory.clients.restore();
  }

  /** The model is about to handle the signals by which writes into clients' memory are noticed. */
  unguard(): void {
    this.#memory.clients.unguard();
  }

  /** Other processes of the same user shall not read this one's memory. */
  hideMemory(): void {
    this.#native.hideMemory();
  }

  #onExecute(entry: Entry): void {
    let batch: Batch;
    try {
      if (this.#settings === undefined) throw new Error("The server sent a batch before the model was initialized.");
      batch = new Batch(this.#memory, this.#settings, entry);
    } catch (error) {
      this.#handlers.onBroken(error);
      return;
    }
    this.#handlers.onBatch(batch);
  }
}
