// SPDX-License-Identifier: Apache-2.0
import { TritonError } from "../api/errors.ts";
import type { ExecuteResult, TritonModel } from "../api/triton_model.ts";
import type { Batch } from "../ipc/batch_reader.ts";
import type { Channel } from "../ipc/channel.ts";
import type { Answer } from "../ipc/response_writer.ts";
import type { AnswerMaker } from "./answers.ts";
import { describeError, log } from "./logging.ts";

/** Gives batches to the model and its answers to the server. */
export class ExecuteLoop {
  readonly #model: TritonModel;
  readonly #channel: Channel;
  readonly #answers: AnswerMaker;
  readonly #onFailure: (error: unknown) => Answer;

  constructor(model: TritonModel, channel: Channel, answers: AnswerMaker) {
    this.#model = model;
    this.#channel = channel;
    this.#answers = answers;
    this.#onFailure = (error) => answers.failure(error);
  }

  run(batch: Batch): void {
    let result: ExecuteResult | Promise<ExecuteResult>;
    try {
      result = this.#model.execute(batch.requests);
    } catch (error) {
      this.#fail(batch, error);
      return;
    }
    if (isThenable(result)) {
      result.then(
        (value) => this.#answer(batch, value),
        (error: unknown) => this.#fail(batch, error),
      );
    } else {
      this.#answer(batch, result);
    }
  }

  #answer(batch: Batch, result: unknown): void {
    const count = batch.requests.length;
    try {
      this.#answers.check(result, count);
    } catch (error) {
      this.#fail(batch, error);
      return;
    }
    const answers: Answer[] = [];
    for (let i = 0; i < count; i++) answers.push(this.#answers.answer(batch, i, result[i]));
    this.#channel.answerBatch(batch, answers, this.#onFailure);
  }

  #fail(batch: Batch, error: unknown): void {
    // A TritonError is the model's own word to the client; anything else is a defect, for the log with its stack.
    log(error instanceof TritonError ? "V" : "E", describeError(error));
    const answer = this.#answers.failure(error);
    this.#channel.answerBatch(batch, new Array<Answer>(batch.requests.length).fill(answer), this.#onFailure);
  }
}

function isThenable(value: unknown): value is PromiseLike<ExecuteResult> {
  return typeof (value as PromiseLike<unknown> | null | undefined)?.then === "function";
}
