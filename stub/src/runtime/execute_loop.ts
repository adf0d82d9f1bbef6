// SPDX-License-Identifier: Apache-2.0
import { isDefect, TritonError } from "../api/errors.ts";
import type { StreamingModel, TritonModel } from "../api/triton_model.ts";
import type { Batch } from "../ipc/batch.ts";
import type { Connection } from "../ipc/connection.ts";
import type { RequestLife } from "../ipc/request_life.ts";
import { AbandonedSenders } from "./abandoned_senders.ts";
import type { AnswerMaker } from "./answers.ts";
import { runFor } from "./current_request.ts";
import { DecoupledExecutor } from "./decoupled_executor.ts";
import { DefaultExecutor } from "./default_executor.ts";
import { ExecuteQueue } from "./execute_queue.ts";
import type { Execution, Executor, ExecutorSettings } from "./execution.ts";
import { log } from "./logging.ts";
import { Responder } from "./responder.ts";
import { StreamExecutor } from "./stream_executor.ts";
import { describeError, ownWords } from "./thrown.ts";

/** How the model answers, as its configuration says. */
export interface ModelMode {
  /** The name of the instance, for errors. */
  readonly instance: string;
  readonly decoupled: boolean;
  /** Requests may be given back to the scheduler. */
  readonly iterative: boolean;
}

/** Gives batches to the model and its answers to the server. */
export class ExecuteLoop {
  readonly #connection: Connection;
  readonly #answers: AnswerMaker;
  readonly #giveUp: (error: unknown) => void;
  /** Batches that the server handed over while the model was busy, so that nobody sleeps between two of them. */
  readonly #queue: ExecuteQueue;
  readonly #settings: ExecutorSettings;
  readonly #executor: Executor;
  #hasWarned = false;

  /**
   * @param giveUp ends the process, because answers could not be sent
   * @param queue how many batches the model executes at once (MAX_IN_FLIGHT_BATCHES), and which
   */
  constructor(
    model: TritonModel | StreamingModel,
    connection: Connection,
    answers: AnswerMaker,
    mode: ModelMode,
    giveUp: (error: unknown) => void,
    queue = new ExecuteQueue(Number.POSITIVE_INFINITY, false),
  ) {
    this.#connection = connection;
    this.#answers = answers;
    this.#giveUp = giveUp;
    this.#queue = queue;
    this.#settings = {
      ...mode,
      connection,
      answers,
      abandoned: new AbandonedSenders(answers, mode.instance),
      onSettled: (batch) => this.#settle(batch),
      onEnded: (batch) => this.#end(batch),
      logThrown,
      giveUp,
    };
    if ("stream" in model) this.#executor = new StreamExecutor(model, this.#settings);
    else if (mode.decoupled) this.#executor = new DecoupledExecutor(model, this.#settings);
    else this.#executor = new DefaultExecutor(model, this.#settings);
  }

  /** Makes what a request needs when the model asks for its sender, or reschedules it. */
  makeResponder(life: RequestLife): Responder {
    return new Responder(this.#settings, life);
  }

  /** Executes a batch. Never throws: each of its requests is answered once, sooner or later, or the process ends. */
  run(batch: Batch): void {
    if (this.#queue.begin(batch)) {
      this.#execute(batch);
      return;
    }
    for (const life of batch.lives) {
      life.onCancel = () => this.#refuse([life]);
    }
    // It waits for its sequence, whose streams may be endless, while the model is free for others.
    if (this.#settings.decoupled) this.#connection.release(batch);
  }

  #execute(batch: Batch): void {
    const execution = this.#begin(batch);
    if (execution === undefined) {
      this.#settle(batch);
      this.#end(batch);
      return;
    }
    if (this.#queue.executing === 1) this.#connection.begin();
    runFor(execution.lives.length === 1 ? execution.lives[0] : undefined, this.#run, execution);
  }

  readonly #run = (execution: Execution): void => this.#executor.execute(execution);

  /** What the model gets of a batch: the requests that somebody waits for. Undefined when there are none. */
  #begin(batch: Batch): Execution | undefined {
    const { lives, requests } = batch;
    // The model's from now on, so that a request is garbage when the model has dropped it.
    batch.requests = [];
    let areWanted = true;
    for (let i = 0; i < lives.length; i++) {
      const life = lives[i]!;
      life.onCancel = undefined;
      if (!life.isOpen || life.isCancelled) areWanted = false;
    }
    if (areWanted) return { batch, lives, requests };
    this.#refuse(lives.filter((life) => life.isOpen && life.isCancelled));
    const open = lives.filter((life) => life.isOpen);
    return open.length === 0
      ? undefined
      : { batch, lives: open, requests: requests.filter((_, i) => lives[i]!.isOpen) };
  }

  /** Answers requests that were cancelled while they waited. */
  #refuse(lives: readonly RequestLife[]): void {
    const error = new TritonError("The request was cancelled before the model got it.", "CANCELLED");
    try {
      for (const life of lives) {
        const answer = this.#answers.failure(error);
        // Where the server was told that the batch is settled, behind that, which may wait for room.
        if (this.#settings.decoupled) this.#connection.post(life, answer, true);
        else this.#connection.respond(life, answer);
      }
      this.#connection.send();
    } catch (failure) {
      this.#giveUp(failure);
    }
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

  /** The model has executed a batch, and is free for the next one. */
  #settle(batch: Batch): void {
    batch.settled = true;
    this.#connection.release(batch);
    this.#queue.settle();
    if (this.#queue.executing === 0 && this.#connection.settle()) this.#warnOfWriting();
    this.#executeNext();
  }

  /** Requests of the same sequences may be executed. */
  #end(batch: Batch): void {
    this.#queue.end(batch);
    this.#executeNext();
  }

  #executeNext(): void {
    for (let next = this.#queue.next(); next !== undefined; next = this.#queue.next()) this.#execute(next);
  }
}

/**
 * The model's own word to the client, a TritonError that the API did not make for a mistake of the model, is no line of the
 * log, but for who looks closely. Everything else is logged where its answer is made.
 */
function logThrown(error: unknown): void {
  if (ownWords(error) !== undefined && !isDefect(error)) log("V", describeError(error));
}
