// SPDX-License-Identifier: Apache-2.0
import { defect, TritonError } from "../api/errors.ts";
import type { InferenceResponse } from "../api/response.ts";
import { type ResponseSender, type ResponseSenderSource, senderFromSource } from "../api/response_sender.ts";
import type { Connection } from "../ipc/connection.ts";
import type { Exchange, RequestLife } from "../ipc/request_life.ts";
import type { Answer } from "../ipc/response_record.ts";
import type { AnswerMaker } from "./answers.ts";

/** What a request may have sent without waiting for the server; a model that awaits what it sends never comes near. */
export const UNAWAITED_LIMIT = 64 << 20;

/** The promise of everything that is sent while there is room. */
const SENT = Promise.resolve();

/** What the responders of one model share. */
export interface ResponderSettings {
  readonly connection: Connection;
  readonly answers: AnswerMaker;
  /** A request may have any number of responses. */
  readonly decoupled: boolean;
  /** Requests may be given back to the scheduler. */
  readonly iterative: boolean;
}

/**
 * The responses to one request that are not returned by `execute`: what its sender sends and what its stream yields, held to
 * the rules of the model's mode.
 */
export class Responder implements Exchange, ResponseSenderSource {
  readonly #settings: ResponderSettings;
  readonly #life: RequestLife;
  /** Kept while `execute` runs: who reaches the request's sender after that keeps it. */
  #sender: ResponseSender | undefined;
  /** In default mode, the response was sent, which closes the request. */
  #hasResponded = false;
  #isClosed = false;
  #endedBySender = false;
  #isRescheduled = false;
  #isAlone = false;
  /** Bytes whose promises are not settled. */
  #unawaited = 0;

  constructor(settings: ResponderSettings, life: RequestLife) {
    this.#settings = settings;
    this.#life = life;
  }

  /** That of a request, made if need be. */
  static of(life: RequestLife): Responder {
    return life.exchange as Responder;
  }

  /** The same; undefined when the model has neither asked for its sender nor rescheduled it. */
  static made(life: RequestLife): Responder | undefined {
    return life.madeExchange as Responder | undefined;
  }

  responseSender(): ResponseSender {
    this.#sender = senderFromSource(this);
    return this.#sender;
  }

  /** `execute` is over, and the request is the model's alone. Gives up the sender, if the model has asked for it. */
  takeSender(): ResponseSender | undefined {
    this.#isAlone = true;
    const sender = this.#sender;
    this.#sender = undefined;
    return sender;
  }

  get hasSender(): boolean {
    return this.#sender !== undefined;
  }

  get isCancelled(): boolean {
    return this.#life.isCancelled;
  }

  get signal(): AbortSignal {
    return this.#life.signal;
  }

  get isClosed(): boolean {
    // In default mode the request ends with its response, but the sender is the model's to close.
    return this.#isClosed || !(this.#life.isOpen || this.#hasResponded);
  }

  get endedBySender(): boolean {
    return this.#endedBySender;
  }

  get isRescheduled(): boolean {
    return this.#isRescheduled;
  }

  send(response: InferenceResponse | TritonError, final: boolean): Promise<void> {
    const refusal = this.#refusal(final);
    if (refusal !== undefined) return Promise.reject(refusal);
    // Reading the response may run code of the model, which may close the sender.
    const answer = this.#settings.answers.answer(this.#life, 0, [response]);
    const second = this.#refusal(final);
    if (second !== undefined) return Promise.reject(second);
    const bytes = this.#post(answer, final);
    const { ready } = this.#settings.connection;
    if (ready === undefined) return SENT;
    this.#unawaited += bytes;
    return ready.then(() => {
      this.#unawaited -= bytes;
    });
  }

  #post(answer: Answer, final: boolean): number {
    const { connection, decoupled } = this.#settings;
    this.#hasResponded = true;
    this.#isClosed = final;
    this.#endedBySender = final || !decoupled;
    return connection.post(this.#life, answer, this.#endedBySender);
  }

  #refusal(final: boolean): TritonError | undefined {
    if (this.isClosed) return closedError();
    if (!this.#settings.decoupled && this.#hasResponded) {
      return defect("Non-decoupled model cannot send more than one response");
    }
    if (this.#isRescheduled && (final || !this.#settings.decoupled)) {
      return defect("The request was rescheduled: its last response comes in a later round.");
    }
    if (this.#unawaited <= UNAWAITED_LIMIT) return undefined;
    return new TritonError(
      `More than ${UNAWAITED_LIMIT >> 20} MiB of responses to one request wait for the server. ` +
        "Await the promise of each send(), which is settled when more may be sent.",
      "UNAVAILABLE",
    );
  }

  close(): Promise<void> {
    if (this.isClosed) return Promise.reject(closedError());
    if (!this.#settings.decoupled && !this.#hasResponded) {
      return Promise.reject(defect("Non-decoupled model cannot send complete final before sending a response"));
    }
    if (this.#isRescheduled) {
      return Promise.reject(defect("The request was rescheduled: it is closed in a later round."));
    }
    this.#isClosed = true;
    if (this.#life.isOpen) {
      this.#endedBySender = true;
      this.#settings.connection.end(this.#life);
    }
    return SENT;
  }

  reschedule(): void {
    if (!this.#settings.iterative) {
      throw defect(
        "request.reschedule() is for models with sequence_batching { iterative_sequence: true } in their config.pbtxt; " +
          "this model is not configured so.",
      );
    }
    if (!this.#life.isOpen) throw defect("A request was rescheduled after it was answered.");
    this.#isRescheduled = true;
    if (this.#isAlone) this.end();
  }

  // --- What the runtime does itself ---

  /** Sends the last response, unless the request is closed. */
  finish(answer: Answer): void {
    this.#isClosed = true;
    if (this.#life.isOpen) this.#settings.connection.post(this.#life, answer, true);
  }

  /** Ends the request without a last response: no more come, or none in this round. */
  end(): void {
    this.#isClosed = true;
    if (!this.#life.isOpen) return;
    const { connection } = this.#settings;
    if (this.#isRescheduled) connection.reschedule(this.#life);
    else connection.end(this.#life);
  }
}

export function closedError(): TritonError {
  return defect("Unable to send response. Response sender has been closed.");
}
