// SPDX-License-Identifier: Apache-2.0
// A host and a connection in one process, and the batches that arrive.
import type { Batch } from "../batch.ts";
import { Connection } from "../connection.ts";
import { type HostBatch, type HostRequest, type HostSettings, MemoryHost } from "../memory_host.ts";
import { MemoryNative } from "../memory_native.ts";
import type { RequestLife } from "../request_life.ts";
import type { Answer } from "../response_record.ts";

/** The answer that carries an error. */
export function failure(message: string, code: NonNullable<Answer["error"]>["code"] = "INTERNAL"): Answer {
  return { error: { code, message }, outputIndices: [], outputs: [], parameters: {} };
}

/** Both ends of a connection; what arrives is kept until somebody answers it. */
export class TestConnection {
  readonly native = new MemoryNative();
  readonly host: MemoryHost;
  readonly connection: Connection;
  /** The request that the model's code runs for. */
  current: RequestLife | undefined;
  #arrived: Batch | undefined;

  constructor(tables: HostSettings, strictViews = false) {
    this.host = new MemoryHost(this.native, tables);
    const handlers = {
      onBatch: (batch: Batch) => {
        this.#arrived = batch;
      },
      onStep: () => {},
      onIdle: () => {},
      onBroken: (error: unknown) => {
        throw error;
      },
      currentRequest: () => this.current,
    };
    this.connection = new Connection(handlers, this.native);
    this.connection.configure({
      tables,
      strictViews,
      makeExchange: () => {
        throw new Error("There is no runtime.");
      },
      onUnsendable: (error) => failure((error as Error).message),
    });
  }

  /** Sends requests as one batch: how the stub got it, and what the client will get. */
  receive(requests: readonly HostRequest[]): { batch: Batch; sent: HostBatch } {
    const sent = this.host.execute(requests);
    return { batch: this.#arrived!, sent };
  }

  /** Answers all requests of a batch. */
  answer(batch: Batch, answers: readonly Answer[]): void {
    batch.lives.forEach((life, i) => {
      this.connection.respond(life, answers[i]!);
    });
    this.connection.send();
  }
}
