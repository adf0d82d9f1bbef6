// SPDX-License-Identifier: Apache-2.0
import { isDefect } from "../api/errors.ts";
import type { TritonModel } from "../api/triton_model.ts";
import type { Batch } from "../ipc/batch.ts";
import type { Connection } from "../ipc/connection.ts";
import type { Answer } from "../ipc/response_record.ts";
import type { AnswerMaker } from "./answers.ts";
import { ExecuteQueue } from "./execute_queue.ts";
import { log } from "./logging.ts";
import { describeError, ownWords } from "./thrown.ts";

/** Gives batches to the model and its answers to the server. */
export class ExecuteLoop {
  readonly #model: TritonModel;
  readonly #connection: Connection;
  readonly #answers: AnswerMaker;
  readonly #giveUp: (error: unknown) => void;
  /** Batches that the server handed over while the model was busy, so that nobody sleeps between two of them. */
  readonly #queue: ExecuteQueue;
  #hasWarned = false;

  /**
   * @param giveUp ends the process, because answers could not be sent
   * @param queue how many batches the model executes at once (MAX_IN_FLIGHT_BATCHES), and which
   */
  constructor(
    model: TritonModel,
    connection: Connection,
    answers: AnswerMaker,
    giveUp: (error: unknown) => void,
    queue = new ExecuteQueue(Number.POSITIVE_INFINITY, false),
  ) {
    this.#model = model;
    this.#connection = connection;
    this.#answers = answers;
    this.#giveUp = giveUp;
    this.#queue = queue;
  }

  /** Executes a batch. Never throws: each of its requests is answered once, sooner or later, or the process ends. */
  run(batch: Batch): void {
    if (this.#queue.begin(batch)) this.#execute(batch);
  }

  #execute(batch: Batch): void {
    if (this.#queue.executing === 1) this.#connection.begin();
    try {
      const result: unknown = this.#model.execute(batch.requests);
      if (isThenable(result)) {
        result.then(
          (value) => this.#answer(batch, value),
          (error: unknown) => this.#fail(batch, error),
        );
      } else {
        this.#answer(batch, result);
      }
    } catch (error) {
      this.#fail(batch, error);
    }
  }

  #answer(batch: Batch, result: unknown): void {
    if (batch.settled) return; // a thenable that calls back twice
    const { lives } = batch;
    const answers: Answer[] = [];
    try {
      // The array of requests is the model's to empty, so it does not count them.
      this.#answers.check(result, lives.length);
      // All of them before the first is measured: reading the result may run code of the model.
      for (let i = 0; i < lives.length; i++) answers.push(this.#answers.answer(lives[i]!, i, result));
    } catch (error) {
      this.#fail(batch, error);
      return;
    }
    this.#finish(batch, answers);
  }

  #fail(batch: Batch, error: unknown): void {
    if (batch.settled) return;
    const answer = this.#answers.failure(error);
    // The model's own word to the client is no line of the log, but for who looks closely.
    if (ownWords(error) !== undefined && !isDefect(error)) log("V", describeError(error));
    this.#finish(batch, new Array<Answer>(batch.lives.length).fill(answer));
  }

  #warnOfWriting(): void {
    if (this.#hasWarned) return;
    this.#hasWarned = true;
    log(
      "W",
      "The model writes into an input that lies in a client's shared memory. The client does not see it, but from now on " +
        "all inputs of this process are copied. Write into an output of allocateOutput() instead.",
    );
  }

  /** `execute` has settled: gives each request its answer, which is the final one, and goes on with the next batch. */
  #finish(batch: Batch, answers: readonly Answer[]): void {
    if (batch.settled) return; // the answers were read by code of the model, which called back meanwhile
    batch.settled = true;
    const { lives } = batch;
    try {
      for (let i = 0; i < lives.length; i++) this.#connection.respond(lives[i]!, answers[i]!, true);
      this.#connection.send();
    } catch (error) {
      this.#giveUp(error);
    }
    this.#queue.end(batch);
    if (this.#queue.executing === 0 && this.#connection.settle()) this.#warnOfWriting();
    for (let next = this.#queue.next(); next !== undefined; next = this.#queue.next()) this.#execute(next);
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as PromiseLike<unknown> | null | undefined)?.then === "function";
}
