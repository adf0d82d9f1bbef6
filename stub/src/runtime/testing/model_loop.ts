// SPDX-License-Identifier: Apache-2.0
// A model behind an execute loop, with a host in place of the server.
import type { InferenceRequest } from "../../api/request.ts";
import type { TritonModel } from "../../api/triton_model.ts";
import type { Batch } from "../../ipc/batch.ts";
import { Connection } from "../../ipc/connection.ts";
import { MemoryHost } from "../../ipc/memory_host.ts";
import { MemoryNative } from "../../ipc/memory_native.ts";
import { AnswerMaker } from "../answers.ts";
import { ExecuteLoop } from "../execute_loop.ts";
import { ExecuteQueue } from "../execute_queue.ts";

export class ModelLoop {
  readonly native = new MemoryNative();
  readonly host = new MemoryHost(this.native, { inputs: ["IN"], outputs: [] });
  readonly connection: Connection;
  /** What ended the process. */
  readonly gaveUp: unknown[] = [];

  /** @param execute may return what a model must not return */
  constructor(execute: (requests: InferenceRequest[]) => unknown, concurrency?: number, ordersSequences = false) {
    const giveUp = (error: unknown) => {
      this.gaveUp.push(error);
    };
    const handlers = {
      onBatch: (batch: Batch) => loop.run(batch),
      onStep: () => {},
      onIdle: () => {},
      onBroken: giveUp,
    };
    const model = { execute: execute as TritonModel["execute"] };
    const answers = new AnswerMaker("m_0", {}, []);
    this.connection = new Connection(handlers, this.native);
    this.connection.configure({
      tables: { inputs: ["IN"], outputs: [] },
      strictViews: false,
      onUnsendable: (error) => answers.failure(error),
    });
    const queue = new ExecuteQueue(concurrency ?? Number.POSITIVE_INFINITY, ordersSequences);
    const loop = new ExecuteLoop(model, this.connection, answers, giveUp, queue);
  }
}
