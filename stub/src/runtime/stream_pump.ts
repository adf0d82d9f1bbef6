// SPDX-License-Identifier: Apache-2.0
import { defect, TritonError } from "../api/errors.ts";
import type { InferenceRequest } from "../api/request.ts";
import { hintOfLikeness, type InferenceResponse, isResponse } from "../api/response.ts";
import type { StreamingModel } from "../api/triton_model.ts";
import { typeName } from "../api/value_words.ts";
import type { RequestLife } from "../ipc/request_life.ts";
import { closedError, type Responder, type ResponderSettings } from "./responder.ts";
import { isThenable } from "./thenable.ts";
import { cancelledError, isAbort } from "./thrown.ts";
import type { Turns } from "./turns.ts";

/** What is said about errors of streams, and to whom. */
export interface StreamSettings extends ResponderSettings {
  readonly instance: string;
  readonly turns: Turns;
  /** Logs what a model threw. */
  logThrown(error: unknown): void;
}

type AnyIterator = Iterator<unknown> | AsyncIterator<unknown>;

/** Pulls the responses to one request out of what `stream` returned, no faster than they are read. */
export class StreamPump {
  readonly #settings: StreamSettings;
  readonly #life: RequestLife;
  readonly #responder: Responder;
  readonly #streams: { noteEnd(): void };
  #iterator: AnyIterator | undefined;
  /** In default mode: the one response, which is sent when the stream has ended without a second. */
  #only: InferenceResponse | TritonError | undefined;
  /** The client has gone, and the iterator was told. */
  #isLeaving = false;
  #isOver = false;

  /** @param streams those that it is one of, told when the request is closed */
  constructor(settings: StreamSettings, life: RequestLife, responder: Responder, streams: { noteEnd(): void }) {
    this.#settings = settings;
    this.#life = life;
    this.#responder = responder;
    this.#streams = streams;
  }

  /** Begins. Never throws: the request is closed sooner or later, or the process ends. */
  async run(model: StreamingModel, request: InferenceRequest): Promise<void> {
    this.#life.onCancel = () => this.#leave();
    try {
      const result: unknown = model.stream(request);
      const source = isThenable(result) ? await result : result;
      const iterator = this.#open(source);
      this.#iterator = iterator;
      if (this.#isLeaving) this.#return(iterator);
      else await this.#pull(iterator);
    } catch (error) {
      this.#fail(error);
    }
  }

  #open(source: unknown): AnyIterator {
    const { instance } = this.#settings;
    const found = source as Partial<AsyncIterable<unknown> & Iterable<unknown>> | null | undefined;
    const open = typeof source === "string" ? undefined : (found?.[Symbol.asyncIterator] ?? found?.[Symbol.iterator]);
    if (typeof open !== "function") {
      throw defect(
        `The stream of model '${instance}' must be a generator or return something that can be iterated, but it ` +
          `returned type '${typeName(source)}'. Write *stream(request) or async *stream(request), and yield the responses.`,
      );
    }
    const iterator: unknown = (open as () => unknown).call(found);
    if (typeof (iterator as Partial<AnyIterator> | null | undefined)?.next === "function")
      return iterator as AnyIterator;
    throw defect(
      `The stream of model '${instance}' must give an iterator with a method next(), but gave type '${typeName(iterator)}'.`,
    );
  }

  async #pull(iterator: AnyIterator): Promise<void> {
    const { connection, turns } = this.#settings;
    for (;;) {
      if (this.#life.isCancelled) this.#leave();
      if (this.#isLeaving || this.#isOver) return;
      const step = iterator.next();
      const result = isThenable(step) ? await step : step;
      if (this.#isLeaving || this.#isOver) return; // `return` ends it
      if (result === null || typeof result !== "object") {
        throw defect(`The iterator of a stream of model '${this.#settings.instance}' gave type '${typeName(result)}'.`);
      }
      if (result.done) {
        this.#end(result.value);
        return;
      }
      const { value } = result;
      if (!this.#take(isThenable(value) ? await value : value, iterator)) return;
      const { ready } = connection;
      if (ready !== undefined) await ready;
      else if (turns.isOver()) await turns.next();
    }
  }

  /** Takes what was yielded. False when that ends the stream. */
  #take(value: unknown, iterator: AnyIterator): boolean {
    if (this.#isLeaving || this.#isOver) return false;
    const wrong = this.#wrongYield(value);
    if (wrong !== undefined) {
      this.#fail(wrong);
      this.#return(iterator);
      return false;
    }
    if (this.#settings.decoupled) void this.#responder.send(value as InferenceResponse | TritonError, false);
    else this.#only = value as InferenceResponse | TritonError;
    return true;
  }

  #wrongYield(value: unknown): TritonError | undefined {
    const { instance, decoupled } = this.#settings;
    if (!isResponse(value) && !(value instanceof TritonError)) {
      return defect(
        `Expected the stream of model '${instance}' to yield an InferenceResponse or a TritonError, but it yielded type ` +
          `'${typeName(value)}'.${hintOfLikeness(value)}`,
      );
    }
    if (this.#responder.isClosed) return closedError();
    if (decoupled) return undefined;
    if (!this.#life.isOpen) {
      return defect(`The stream of model '${instance}' yielded a response, but its sender has sent one.`);
    }
    if (this.#only === undefined) return undefined;
    return defect(
      `The stream of model '${instance}' yielded a second response, but a model in default mode gives exactly one. ` +
        "For more of them set model_transaction_policy { decoupled: true } in its config.pbtxt.",
    );
  }

  /** The iterator has ended by itself. */
  #end(returned: unknown): void {
    const { instance, decoupled } = this.#settings;
    if (isResponse(returned) || returned instanceof TritonError) {
      throw defect(`The stream of model '${instance}' returned a response. It must yield it.`);
    }
    const { isRescheduled } = this.#responder;
    if (isRescheduled && this.#only !== undefined) throw rescheduledError();
    if (!decoupled && !isRescheduled) this.#sendOnly();
    else this.#responder.end();
    this.#over();
  }

  #sendOnly(): void {
    const { instance, answers } = this.#settings;
    if (!this.#life.isOpen) return; // by its sender
    if (this.#only !== undefined) {
      this.#responder.finish(answers.answer(this.#life, 0, [this.#only]));
      return;
    }
    throw defect(
      `The stream of model '${instance}' ended without a response, but a model in default mode gives exactly one.`,
    );
  }

  /** The model threw, or did what it must not do. */
  #fail(error: unknown): void {
    if (this.#isOver) return;
    if (this.#isLeaving && isAbort(error)) {
      this.#finishLeaving();
      return;
    }
    this.#settings.logThrown(error);
    this.#responder.finish(this.#settings.answers.failure(error));
    this.#over();
  }

  /** Nobody waits for the responses any more: the iterator is to end, and the request ends with it. */
  #leave(): void {
    if (this.#isLeaving || this.#isOver) return;
    this.#isLeaving = true;
    if (this.#iterator !== undefined) this.#return(this.#iterator);
  }

  /** Has the iterator run its `finally`. */
  #return(iterator: AnyIterator): void {
    const finish = () => this.#finishLeaving();
    const fail = (error: unknown) => this.#failLeaving(error);
    try {
      const result: unknown = iterator.return?.();
      if (isThenable(result)) result.then(finish, fail);
      else finish();
    } catch (error) {
      fail(error);
    }
  }

  #finishLeaving(): void {
    if (this.#isOver) return;
    this.#responder.finish(this.#settings.answers.failure(cancelledError()));
    this.#over();
  }

  #failLeaving(error: unknown): void {
    // After a wrong yield the client has its error, and this one is for the log.
    if (!this.#isOver) {
      this.#fail(error);
      return;
    }
    this.#settings.logThrown(error);
    this.#settings.answers.failure(error);
  }

  #over(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#streams.noteEnd();
  }
}

/** For a request that was given back and has a response all the same. */
export function rescheduledError(): TritonError {
  return defect(
    // python_backend's words, which its users look for.
    "Expected a None object in the execute function return list for reschduled request: give null in its place.",
  );
}
