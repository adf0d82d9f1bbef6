// SPDX-License-Identifier: Apache-2.0
// What the ways to execute a batch have in common.
import type { InferenceRequest } from "../api/request.ts";
import type { Batch } from "../ipc/batch.ts";
import type { RequestLife } from "../ipc/request_life.ts";
import type { Answer } from "../ipc/response_record.ts";
import type { AbandonedSenders } from "./abandoned_senders.ts";
import type { ResponderSettings } from "./responder.ts";
import { cancelledError, isAbort } from "./thrown.ts";

/** A batch that the model is to execute now. */
export interface Execution {
  readonly batch: Batch;
  /** The requests that somebody waits for, as the runtime knows them. */
  readonly lives: readonly RequestLife[];
  /** The same as the model knows them; the array is the model's to empty. */
  readonly requests: InferenceRequest[];
}

/** A way in which models execute batches: by `execute` in default mode, or decoupled, or by `stream`. */
export interface Executor {
  /** Begins. Never throws, and calls `onSettled` and then `onEnded` once for each batch, perhaps before this returns. */
  execute(execution: Execution): void;
}

/** What executors know and ask. */
export interface ExecutorSettings extends ResponderSettings {
  readonly instance: string;
  readonly abandoned: AbandonedSenders;
  /** The model is free for the next batch. Requests of this one may be open still. */
  onSettled(batch: Batch): void;
  /** The next requests of the sequences of this batch may follow. */
  onEnded(batch: Batch): void;
  /** Logs what the model threw. */
  logThrown(error: unknown): void;
  /** Ends the process, because answers could not be sent. */
  giveUp(error: unknown): void;
}

/** Logs what the model threw, and makes the answer to each request: who has cancelled gets what a signal leads to. */
export function failuresOf(lives: readonly RequestLife[], error: unknown, settings: ExecutorSettings): Answer[] {
  const { answers, logThrown } = settings;
  const isOfClients = isAbort(error) && lives.some(({ isCancelled }) => isCancelled);
  if (isOfClients && lives.every(({ isCancelled }) => isCancelled)) {
    return lives.map(() => answers.failure(cancelledError()));
  }
  logThrown(error);
  const failure = answers.failure(error);
  if (!isOfClients) return lives.map(() => failure);
  return lives.map(({ isCancelled }) => (isCancelled ? answers.failure(cancelledError()) : failure));
}
