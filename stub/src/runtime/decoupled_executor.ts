// SPDX-License-Identifier: Apache-2.0
import { defect } from "../api/errors.ts";
import type { TritonModel } from "../api/triton_model.ts";
import { typeName } from "../api/value_words.ts";
import { type Execution, type Executor, type ExecutorSettings, failuresOf } from "./execution.ts";
import { Responder } from "./responder.ts";
import { whenDone } from "./thenable.ts";

/** Executes batches by `execute` in decoupled mode: all responses go by senders, and the model is free when it has returned. */
export class DecoupledExecutor implements Executor {
  readonly #model: TritonModel;
  readonly #settings: ExecutorSettings;

  constructor(model: TritonModel, settings: ExecutorSettings) {
    this.#model = model;
    this.#settings = settings;
  }

  execute(execution: Execution): void {
    // Each request keeps its sender from now on, so that one is lost when the other is.
    for (const request of execution.requests) request.responseSender();
    whenDone(
      () => this.#model.execute(execution.requests),
      (value) => this.#end(execution, value),
      (error) => this.#fail(execution, error),
    );
    this.#settings.onSettled(execution.batch);
    this.#settings.onEnded(execution.batch);
  }

  /** `execute` is over. */
  #end(execution: Execution, result: unknown): void {
    if (result !== undefined && result !== null) {
      this.#fail(
        execution,
        defect(
          `Model '${this.#settings.instance}' is using the decoupled mode and the execute function must return None, ` +
            `in TypeScript nothing, but it returned type '${typeName(result)}'. Send responses by request.responseSender().`,
        ),
      );
      return;
    }
    for (const life of execution.lives) {
      const responder = Responder.of(life);
      if (responder.isRescheduled) responder.end();
      else this.#settings.abandoned.watch({ life, responder });
    }
  }

  #fail({ lives }: Execution, error: unknown): void {
    const answers = failuresOf(lives, error, this.#settings);
    lives.forEach((life, i) => {
      Responder.of(life).finish(answers[i]!);
    });
  }
}
