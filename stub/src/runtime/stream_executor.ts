// SPDX-License-Identifier: Apache-2.0
import type { StreamingModel } from "../api/triton_model.ts";
import { runFor } from "./current_request.ts";
import type { Execution, Executor, ExecutorSettings } from "./execution.ts";
import { Responder } from "./responder.ts";
import { StreamPump } from "./stream_pump.ts";
import { Turns } from "./turns.ts";

/** Executes batches by `stream`, which gets each request by itself. In decoupled mode the model is free at once. */
export class StreamExecutor implements Executor {
  readonly #model: StreamingModel;
  readonly #settings: ExecutorSettings;
  readonly #turns = new Turns();

  constructor(model: StreamingModel, settings: ExecutorSettings) {
    this.#model = model;
    this.#settings = settings;
  }

  execute({ batch, lives, requests }: Execution): void {
    const { decoupled, onSettled, onEnded } = this.#settings;
    const settings = { ...this.#settings, turns: this.#turns };
    let open = lives.length;
    const onEnd = () => {
      if (--open > 0) return;
      if (!batch.settled) onSettled(batch);
      onEnded(batch);
    };
    for (let i = 0; i < lives.length; i++) {
      const pump = new StreamPump(settings, lives[i]!, Responder.of(lives[i]!), onEnd);
      runFor(lives[i]!, () => void pump.run(this.#model, requests[i]!));
    }
    if (decoupled && !batch.settled) onSettled(batch);
  }
}
