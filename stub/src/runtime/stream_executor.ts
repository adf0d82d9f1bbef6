// SPDX-License-Identifier: Apache-2.0
import type { StreamingModel } from "../api/triton_model.ts";
import type { Batch } from "../ipc/batch.ts";
import { runFor } from "./current_request.ts";
import type { Execution, Executor, ExecutorSettings } from "./execution.ts";
import { Responder } from "./responder.ts";
import { StreamPump, type StreamSettings } from "./stream_pump.ts";
import { Turns } from "./turns.ts";

/** The streams of one batch: an object, as closures would chain batches (see `Batch`). */
class OpenStreams {
  readonly #settings: ExecutorSettings;
  readonly #batch: Batch;
  #count: number;

  constructor(settings: ExecutorSettings, batch: Batch, count: number) {
    this.#settings = settings;
    this.#batch = batch;
    this.#count = count;
  }

  /** One has ended. */
  noteEnd(): void {
    if (--this.#count > 0) return;
    if (!this.#batch.settled) this.#settings.onSettled(this.#batch);
    this.#settings.onEnded(this.#batch);
  }
}

/** Executes batches by `stream`, which gets each request by itself. In decoupled mode the model is free at once. */
export class StreamExecutor implements Executor {
  readonly #model: StreamingModel;
  readonly #settings: ExecutorSettings & StreamSettings;

  constructor(model: StreamingModel, settings: ExecutorSettings) {
    this.#model = model;
    this.#settings = { ...settings, turns: new Turns() };
  }

  execute({ batch, lives, requests }: Execution): void {
    const { decoupled, onSettled } = this.#settings;
    const streams = new OpenStreams(this.#settings, batch, lives.length);
    for (let i = 0; i < lives.length; i++) {
      const pump = new StreamPump(this.#settings, lives[i]!, Responder.of(lives[i]!), streams);
      runFor(lives[i]!, () => void pump.run(this.#model, requests[i]!));
    }
    if (decoupled && !batch.settled) onSettled(batch);
  }
}
