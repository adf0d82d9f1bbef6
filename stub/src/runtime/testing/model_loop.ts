// SPDX-License-Identifier: Apache-2.0
// A model behind an execute loop, with a host in place of the server.
import type { InferenceRequest } from "../../api/request.ts";
import type { StreamingModel, TritonModel } from "../../api/triton_model.ts";
import type { Batch } from "../../ipc/batch.ts";
import { Connection } from "../../ipc/connection.ts";
import type { HostModel } from "../../ipc/memory_calls.ts";
import { MemoryHost } from "../../ipc/memory_host.ts";
import { MemoryNative } from "../../ipc/memory_native.ts";
import { AnswerMaker } from "../answers.ts";
import { currentRequest } from "../current_request.ts";
import { ExecuteLoop } from "../execute_loop.ts";
import { ExecuteQueue } from "../execute_queue.ts";

/** How the model is configured. */
export interface ModelLoopOptions {
  readonly concurrency?: number;
  readonly ordersSequences?: boolean;
  readonly decoupled?: boolean;
  readonly iterative?: boolean;
  /** Other models of the server. */
  readonly models?: Readonly<Record<string, HostModel>>;
}

/** Of the one output that these models have. */
const CONFIG = { output: [{ name: "OUT", data_type: "TYPE_INT32" as const, dims: [1] }] };
const TABLES = { inputs: ["IN"], outputs: ["OUT"] };

export class ModelLoop {
  readonly native = new MemoryNative();
  readonly host: MemoryHost;
  readonly connection: Connection;
  /** What ended the process. */
  readonly gaveUp: unknown[] = [];

  /** @param model an `execute`, or the whole model; either may return what a model must not return */
  constructor(
    model: ((requests: InferenceRequest[]) => unknown) | { stream(request: InferenceRequest): unknown },
    options: ModelLoopOptions = {},
  ) {
    const { concurrency = Number.POSITIVE_INFINITY, ordersSequences = false } = options;
    const { decoupled = false, iterative = false } = options;
    this.host = new MemoryHost(this.native, { ...TABLES, decoupled, models: options.models ?? {} });
    const giveUp = (error: unknown) => {
      this.gaveUp.push(error);
    };
    const handlers = {
      onBatch: (batch: Batch) => loop.run(batch),
      onStep: () => {},
      onIdle: () => {},
      onBroken: giveUp,
      currentRequest,
    };
    const made = typeof model === "function" ? { execute: model } : model;
    // Most of these models answer without an output: whether all are there is the answer maker's, and tried with it.
    const answers = new AnswerMaker("m_0", CONFIG, TABLES.outputs, { checksOutputs: false });
    this.connection = new Connection(handlers, this.native);
    this.connection.configure({
      tables: TABLES,
      strictViews: false,
      makeExchange: (life) => loop.makeResponder(life),
      onUnsendable: (error) => answers.failure(error),
    });
    const queue = new ExecuteQueue(concurrency, ordersSequences);
    const mode = { instance: "m_0", decoupled, iterative };
    const loop = new ExecuteLoop(made as TritonModel | StreamingModel, this.connection, answers, mode, giveUp, queue);
  }
}
