// SPDX-License-Identifier: Apache-2.0
// A fake batch: requests without shared memory, and what becomes of their answers.
import { type InferenceRequest, requestFromSource } from "../../api/request.ts";
import type { Tensor } from "../../api/tensor.ts";
import type { Batch, ShmRequest } from "../../ipc/batch_reader.ts";
import type { Answer } from "../../ipc/response_writer.ts";

export interface FakeRequest {
  /** Indices of the outputs that the client wants. Default: 0. */
  readonly wants?: readonly number[];
  readonly requestedOutputs?: readonly string[];
  /** The shape of the first input; left out, the request has no inputs. */
  readonly inputShape?: readonly number[];
}

export function fakeBatch(requests: readonly FakeRequest[]): Batch {
  const sources = requests.map(({ wants = [0], requestedOutputs = ["OUT"], inputShape }) => ({
    id: "",
    correlationId: 0,
    flags: 0,
    timeoutUs: 0,
    parameters: {},
    requestedOutputs,
    inputCount: inputShape === undefined ? 0 : 1,
    inputName: () => "IN",
    inputDatatype: () => "FP32" as const,
    inputShape: () => [...(inputShape ?? [])],
    inputData: () => new Float32Array(inputShape?.reduce((product, side) => product * side, 1) ?? 0),
    allocateOutput: (): Tensor => {
      throw new Error("the fake has no shared memory");
    },
    wants: (output: number) => wants.includes(output),
  }));
  const made: InferenceRequest[] = sources.map((source) => requestFromSource(source));
  return { requests: made, sources: sources as unknown as ShmRequest[], closed: false } as unknown as Batch;
}

/** A fake connection: keeps what was answered. */
export class FakeConnection {
  readonly answered: { batch: Batch; answers: readonly Answer[] }[] = [];
  /** How often the first batch was begun, and none was left to execute. */
  settled = 0;
  /** Whether the model writes into inputs that lie in clients' memory. */
  writes = false;
  begun = 0;
  /** What `answerBatch` throws, if anything. */
  failure: unknown;

  answerBatch(batch: Batch, answers: readonly Answer[]): void {
    if (this.failure !== undefined) throw this.failure;
    batch.closed = true;
    this.answered.push({ batch, answers });
  }

  begin(): void {
    this.begun++;
  }

  settle(): boolean {
    this.settled++;
    return this.writes;
  }
}
