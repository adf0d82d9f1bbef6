// SPDX-License-Identifier: Apache-2.0
import type { TritonModel } from "../api/triton_model.ts";
import type { RequestLife } from "../ipc/request_life.ts";
import type { Answer } from "../ipc/response_record.ts";
import { type Execution, type Executor, type ExecutorSettings, failuresOf } from "./execution.ts";
import { log } from "./logging.ts";
import { Responder } from "./responder.ts";
import { rescheduledError } from "./stream_pump.ts";
import { isThenable } from "./thenable.ts";

/** Executes batches by `execute` in default mode: what it returns is the one response to each request. */
export class DefaultExecutor implements Executor {
  readonly #model: TritonModel;
  readonly #settings: ExecutorSettings;

  constructor(model: TritonModel, settings: ExecutorSettings) {
    this.#model = model;
    this.#settings = settings;
  }

  execute(execution: Execution): void {
    try {
      const result: unknown = this.#model.execute(execution.requests);
      if (isThenable(result)) this.#await(execution, result);
      else this.#answer(execution, result);
    } catch (error) {
      this.#fail(execution, error);
    }
  }

  /** On its own, as functions are made for a batch that is awaited only. */
  #await(execution: Execution, result: PromiseLike<unknown>): void {
    result.then(
      (value) => this.#answer(execution, value),
      (error: unknown) => this.#fail(execution, error),
    );
  }

  #answer(execution: Execution, result: unknown): void {
    const { batch, lives } = execution;
    if (batch.settled) return; // a thenable that calls back twice
    const answers = new Array<Answer | undefined>(lives.length);
    try {
      const items = this.#itemsOf(lives, result);
      // All of them before the first is measured: reading the result may run code of the model.
      for (let i = 0; i < lives.length; i++) answers[i] = this.#answerOf(lives[i]!, i, items);
    } catch (error) {
      this.#fail(execution, error);
      return;
    }
    this.#finish(execution, answers);
  }

  /** What stands for each request; nothing at all is right where all of them have senders, or were rescheduled. */
  #itemsOf(lives: readonly RequestLife[], result: unknown): readonly unknown[] {
    const isNothing = result === undefined || result === null;
    if (isNothing && lives.some((life) => Responder.made(life) !== undefined)) return [];
    // The array of requests is the model's to empty, so it does not count them.
    this.#settings.answers.check(result, lives.length);
    return result;
  }

  /** The answer to a request; undefined for one whose sender answers, or that is rescheduled. */
  #answerOf(life: RequestLife, index: number, items: readonly unknown[]): Answer | undefined {
    const { answers } = this.#settings;
    const responder = Responder.made(life);
    if (responder === undefined) return answers.answer(life, index, items);
    let isNothing: boolean;
    try {
      isNothing = (items[index] ?? undefined) === undefined;
    } catch (error) {
      return answers.failure(error);
    }
    if (!life.isOpen) {
      if (!isNothing)
        log("E", `The response to request ${index} is dropped, because its sender has answered it already.`);
      return undefined;
    }
    if (responder.isRescheduled) return isNothing ? undefined : answers.failure(rescheduledError());
    return isNothing && responder.hasSender ? undefined : answers.answer(life, index, items);
  }

  #fail(execution: Execution, error: unknown): void {
    const { batch, lives } = execution;
    if (batch.settled) return;
    this.#finish(execution, failuresOf(lives, error, this.#settings));
  }

  /** `execute` is over: gives each request its answer, which is the final one. */
  #finish({ batch, lives }: Execution, answers: readonly (Answer | undefined)[]): void {
    if (batch.settled) return; // the answers were read by code of the model, which called back meanwhile
    batch.settled = true;
    const { connection, giveUp, onSettled, onEnded } = this.#settings;
    try {
      for (let i = 0; i < lives.length; i++) {
        const answer = answers[i];
        if (answer === undefined) this.#leaveOpen(lives[i]!);
        else if (lives[i]!.isOpen) connection.respond(lives[i]!, answer);
      }
      connection.send();
    } catch (error) {
      giveUp(error);
    }
    onSettled(batch);
    onEnded(batch);
  }

  #leaveOpen(life: RequestLife): void {
    const responder = Responder.made(life);
    if (responder?.isRescheduled) responder.end();
    else if (responder !== undefined) this.#settings.abandoned.watch({ life, responder });
  }
}
