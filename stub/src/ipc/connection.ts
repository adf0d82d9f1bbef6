// SPDX-License-Identifier: Apache-2.0
import * as L from "../protocol/layout.gen.ts";
import { AnswerMemory } from "./answer_memory.ts";
import { Batch, type BatchSettings } from "./batch.ts";
import { Calls } from "./calls.ts";
import { type CheckReadyReply, Control, type Step } from "./control.ts";
import { type Entry, Inbox, Outbox } from "./entries.ts";
import { LogLevels } from "./log_levels.ts";
import { Metrics } from "./metrics.ts";
import { ModelControl } from "./model_control.ts";
import { loadNative, type Native } from "./native.ts";
import { OpenBatches } from "./open_batches.ts";
import type { Place } from "./record.ts";
import type { RequestLife } from "./request_life.ts";
import { ResponseMeasurer } from "./response_measurer.ts";
import type { Answer } from "./response_record.ts";
import { ResponseStream } from "./response_stream.ts";
import { ResponseWriter } from "./response_writer.ts";
import { SharedMemory } from "./shared_memory.ts";

/** Begins a line of output that names its own level, which comes next. */
export const LOG_MARK = String.fromCharCode(L.LOG_MARK);

export interface ConnectionHandlers {
  onBatch(batch: Batch): void;
  onStep(step: Step, payload: unknown): void;
  /** The server asks whether the model is ready. */
  onCheckReady?(reply: (answer: CheckReadyReply) => void): void;
  /** No batch has come for some seconds. */
  onIdle(): void;
  /** A batch could not be read, or nothing can be sent any more: nobody can answer its requests. */
  onBroken(error: unknown): void;
  /** Answers of other models that nobody needs may take much of the memory, until garbage is collected. */
  onGarbage?(youngOnly: boolean): void;
  /** The server is to say anew which lines its log takes. */
  onLogLevelsWanted?(): void;
  /** The request that the model's code runs for, if it is known. */
  currentRequest?(): RequestLife | undefined;
}

/** How batches are read and answered, once the model is initialized. */
export interface ExecuteSettings extends BatchSettings {
  /** Makes the answer for a request whose own cannot be written, as it does not fit into memory, for instance. */
  onUnsendable(error: unknown): Answer;
}

/** Node's own: a model may replace the global one, by fake timers for instance. */
const whenFree = setImmediate;

const NOWHERE: Place = { region: 0, offset: 0, bytes: 0 };

/** What the word `busy` says of the model. */
const IDLE = 0;
const EXECUTING = 1;
const HAS_OPEN_REQUESTS = 2;

/** The connection to the server: batches come in, responses go out, steps of the model's life in between. */
export class Connection {
  readonly #native: Native;
  readonly #control: Control;
  readonly #memory: SharedMemory;
  readonly #handlers: ConnectionHandlers;
  readonly #busy: Uint32Array;
  #settings: ExecuteSettings | undefined;
  readonly #open = new OpenBatches();
  readonly #writer: ResponseWriter;
  readonly #stream: ResponseStream;
  /** Calls of other models. */
  readonly calls: Calls;
  /** What the model asks of the server about models. */
  readonly models: ModelControl;
  readonly logLevels: LogLevels;
  /** The metrics of the model. */
  readonly metrics: Metrics;
  /** Responses of requests that other models read from. */
  #borrowed: { readonly request: RequestLife; readonly answer: Answer }[] = [];
  #isHeld = true;
  /** Calls of other models, and of the server, that are open, and questions about metrics: they keep the process alive. */
  #hasCalls = false;
  #hasShimCalls = false;
  #hasQuestions = false;

  /** Connects; throws when there is no server of the same version at the other end. */
  constructor(handlers: ConnectionHandlers, native: Native = loadNative()) {
    this.#native = native;
    const limit = this.#native.connect(L.STUB_CHANNEL, L.FINGERPRINT);
    this.logLevels = new LogLevels(new Uint32Array(native.logLevels()), () => handlers.onLogLevelsWanted?.());
    this.#memory = new SharedMemory(this.#native);
    const outbox = new Outbox(this.#native);
    const measurer = new ResponseMeasurer(this.#memory, (error) => this.#settings!.onUnsendable(error));
    this.#writer = new ResponseWriter(this.#memory, outbox, measurer);
    this.#stream = new ResponseStream(this.#memory, outbox, measurer, handlers.onBroken);
    this.calls = this.#makeCalls(handlers, limit);
    const inbox = new Inbox(this.#native, {
      execute: (entry) => this.#onExecute(entry),
      cancel: (entry) => this.#onCancel(entry),
      call_response: (entry) => this.#onCallResponse(entry),
      metric_value: (entry) => this.#onMetricValue(entry),
    });
    this.#busy = new Uint32Array(this.#native.busy);
    this.#handlers = handlers;
    this.#control = new Control(this.#native, {
      onStep: (step, payload) => handlers.onStep(step, payload),
      onCheckReady: (reply) => handlers.onCheckReady?.(reply),
      onForgetRegion: (region) => this.#memory.forget(region),
      onUse: (isInUse) => {
        this.#hasShimCalls = isInUse;
        this.hold(this.#isHeld);
      },
    });
    this.models = new ModelControl(this.#control.calls, this.#memory, (block) => {
      outbox.freeLater(block);
      outbox.flush();
    });
    this.metrics = this.#makeMetrics(outbox, handlers);
    this.#native.start(
      (count) => inbox.deliver(count),
      (method, call, isReply, region, payload) => this.#control.onFrame({ method, call, isReply, region, payload }),
      () => handlers.onIdle(),
      (error) => handlers.onBroken(error),
    );
  }

  /** Sets how batches are read and answered from now on. */
  configure(settings: ExecuteSettings): void {
    this.#settings = settings;
  }

  #makeCalls(handlers: ConnectionHandlers, limit: number): Calls {
    const memory = this.#memory;
    const turnWanted = new Uint32Array(this.#native.turnWanted);
    const answers = new AnswerMemory(memory, limit, {
      free: (owner) => this.#stream.pass(L.ENTRY_FREE, owner),
      collect: (youngOnly) => handlers.onGarbage?.(youngOnly),
      wantTurn: (isWanted) => {
        turnWanted[0] = isWanted ? 1 : 0;
      },
      whenFree: (run) => void whenFree(run),
    });
    return new Calls({
      memory,
      answers,
      post: (kind, owner, place) => this.#stream.pass(kind, owner, place),
      freeLater: (block) => this.#stream.freeLater(block),
      onUse: (isInUse) => {
        this.#hasCalls = isInUse;
        this.hold(this.#isHeld);
      },
      parent: () => handlers.currentRequest?.(),
      ownerOf: (place) => this.#open.ownerOf(place),
    });
  }

  #makeMetrics(outbox: Outbox, handlers: ConnectionHandlers): Metrics {
    return new Metrics({
      calls: this.#control.calls,
      add: (flags, owner, value) => outbox.add(L.ENTRY_METRIC, flags, owner, NOWHERE, value),
      send: () => outbox.flush(),
      untilRead: (limitMs) => void outbox.untilRead(limitMs),
      onBroken: (error) => handlers.onBroken(error),
      onUse: (isInUse) => {
        this.#hasQuestions = isInUse;
        this.hold(this.#isHeld);
      },
    });
  }

  /** Whether the connection alone keeps the process alive, even when no call of another model is open. */
  hold(hold: boolean): void {
    this.#isHeld = hold;
    this.#native.hold(hold || this.#hasCalls || this.#hasShimCalls || this.#hasQuestions);
  }

  answerStep(step: Step, payload: object): void {
    this.metrics.send();
    this.#control.reply(step, payload);
  }

  /** Takes the last response of an open request, for `send`, which closes the request. */
  respond(request: RequestLife, answer: Answer): void {
    if (request.isBorrowed) this.#borrowed.push({ request, answer });
    else this.#writer.add(request, answer);
  }

  /** Sends the responses that were given to `respond`, all at once. */
  send(): void {
    this.metrics.flush();
    if (this.#borrowed.length === 0) {
      this.#writer.send();
      return;
    }
    const borrowed = this.#borrowed;
    this.#borrowed = [];
    // All are written before the first is closed: what lies in one request may stand in the response to another.
    const taken = borrowed.map(({ request, answer }) => this.#stream.take(request, answer));
    this.#writer.send();
    for (const send of taken) send();
  }

  /**
   * Sends one response of an open request soon, before those that are posted later; a final one closes the request. The data is
   * taken at once. Returns how much room it takes.
   */
  post(request: RequestLife, answer: Answer, final: boolean): number {
    this.metrics.flush();
    return this.#stream.post(request, answer, final ? L.RESPONSE_FINAL : 0);
  }

  /** Closes a request without a response. */
  end(request: RequestLife): void {
    this.metrics.flush();
    this.#stream.post(request, undefined, L.RESPONSE_FINAL);
  }

  /** Gives a request back to the scheduler, which closes it here. */
  reschedule(request: RequestLife): void {
    this.metrics.flush();
    this.#stream.post(request, undefined, L.RESPONSE_RESCHEDULE);
  }

  /** Settled when more responses may be posted; undefined when that is now. */
  get ready(): Promise<void> | undefined {
    return this.#stream.ready;
  }

  /** The model begins to execute a batch. */
  begin(): void {
    this.#busy[0] = EXECUTING;
  }

  /**
   * The server may hand over the next batch in place of this one, once. It need not be told if all requests of this one are
   * answered.
   */
  release(batch: Batch): void {
    if (batch.isReleased) return;
    // One that other models read from is answered, but the server does not know yet.
    if (!batch.isOpen && !batch.isBorrowed) return;
    this.metrics.flush();
    batch.isReleased = true;
    this.#stream.settle(batch);
  }

  /** The model executes no batch any more. Returns whether it wrote into inputs that lie in clients' memory. */
  settle(): boolean {
    this.#busy[0] = this.#open.size > 0 ? HAS_OPEN_REQUESTS : IDLE;
    return this.#memory.clients.restore(this.#open);
  }

  /** How many batches have requests that are not answered. */
  get openBatches(): number {
    return this.#open.size;
  }

  /** The model is about to handle the signals by which writes into clients' memory are noticed. */
  unguard(): void {
    this.#memory.clients.unguard();
  }

  /** Other processes of the same user shall not read this one's memory. */
  hideMemory(): void {
    if (this.#native.hideMemory()) return;
    console.warn("The option 'protect-memory' has no effect: other processes of this user can read this one's memory.");
  }

  #onExecute(entry: Entry): void {
    let batch: Batch;
    try {
      if (this.#settings === undefined) throw new Error("The server sent a batch before the model was initialized.");
      batch = new Batch(this.#memory, this.#settings, entry, this.#onClosed);
    } catch (error) {
      this.#handlers.onBroken(error);
      return;
    }
    this.#open.add(batch);
    this.#handlers.onBatch(batch);
  }

  #onCancel(entry: Entry): void {
    // A request that was answered meanwhile has nothing to cancel, but for calls that hold its answer back.
    this.#open.find(entry)?.cancel();
    this.calls.cancelOf(entry);
  }

  #onCallResponse(entry: Entry): void {
    try {
      this.calls.onResponse(entry);
    } catch (error) {
      this.#handlers.onBroken(error);
    }
  }

  #onMetricValue(entry: Entry): void {
    try {
      this.metrics.onValue(entry);
    } catch (error) {
      this.#handlers.onBroken(error);
    }
  }

  readonly #onClosed = (batch: Batch): void => {
    this.#open.delete(batch);
    if (!batch.settled) return; // `settle` comes
    if (this.#open.size === 0 && this.#busy[0] === HAS_OPEN_REQUESTS) this.#busy[0] = IDLE;
    this.#memory.clients.restore(this.#open);
  };
}
