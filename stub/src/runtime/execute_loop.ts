// SPDX-License-Identifier: Apache-2.0
import { isDefect } from "../api/errors.ts";
import type { TritonModel } from "../api/triton_model.ts";
import type { Batch } from "../ipc/batch_reader.ts";
import type { Connection } from "../ipc/connection.ts";
import type { Answer } from "../ipc/response_writer.ts";
import type { AnswerMaker } from "./answers.ts";
import { log } from "./logging.ts";
import { describeError, ownWords } from "./thrown.ts";

/** Gives batches to the model and its answers to the server. */
export class ExecuteLoop {
  readonly #model: TritonModel;
  readonly #connection: Pick<Connection, "answerBatch" | "begin" | "settle">;
  readonly #answers: AnswerMaker;
  readonly #giveUp: (error: unknown) => void;
  readonly #onFailure: (error: unknown) => Answer;
  readonly #concurrency: number;
  #running = 0;
  #hasWarned = false;
  /** Batches that the server handed over while the model was busy, so that nobody sleeps between two of them. */
  readonly #waiting: Batch[] = [];

  /**
   * @param giveUp ends the process, because answers could not be sent
   * @param concurrency how many batches the model executes at once (MAX_IN_FLIGHT_BATCHES)
   */
  constructor(
    model: TritonModel,
    connection: Pick<Connection, "answerBatch" | "begin" | "settle">,
    answers: AnswerMaker,
    giveUp: (error: unknown) => void,
    concurrency = Number.POSITIVE_INFINITY,
  ) {
    this.#model = model;
    this.#connection = connection;
    this.#answers = answers;
    this.#giveUp = giveUp;
    this.#onFailure = (error) => answers.failure(error);
    this.#concurrency = concurrency;
  }

  /** Executes a batch. Never throws: each of its requests is answered once, sooner or later, or the process ends. */
  run(batch: Batch): void {
    if (this.#running >= this.#concurrency) {
      this.#waiting.push(batch);
      return;
    }
    if (this.#running++ === 0) this.#connection.begin();
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
    if (batch.closed) return; // a thenable that calls back twice
    let answers: Answer[];
    try {
      // The array of requests is the model's to empty, so it does not count them.
      answers = this.#answers.all(batch, result, batch.sources.length);
    } catch (error) {
      this.#fail(batch, error);
      return;
    }
    this.#send(batch, answers);
  }

  #fail(batch: Batch, error: unknown): void {
    if (batch.closed) return;
    const answer = this.#answers.failure(error);
    // A TritonError is the model's own word to the client, unless the API made it for a mistake of the model; that and
    // anything else is a defect, for the log with its stack.
    log(ownWords(error) !== undefined && !isDefect(error) ? "V" : "E", describeError(error));
    this.#send(batch, new Array<Answer>(batch.sources.length).fill(answer));
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

  #send(batch: Batch, answers: readonly Answer[]): void {
    try {
      this.#connection.answerBatch(batch, answers, this.#onFailure);
    } catch (error) {
      this.#giveUp(error);
    }
    if (--this.#running === 0 && this.#connection.settle()) this.#warnOfWriting();
    const next = this.#waiting.shift();
    if (next !== undefined) this.run(next);
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as PromiseLike<unknown> | null | undefined)?.then === "function";
}
