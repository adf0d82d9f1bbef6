// SPDX-License-Identifier: Apache-2.0
// The fixture "mirror": a model that answers with what it saw of its request.

import type { Gate } from "./gate.ts";
import { tensor, texts } from "./tensors.ts";
import type { ClientInput, InferOptions, InferReply, Protocol, TritonClient } from "./triton_client.ts";

/** What the model saw; a bigint reads "12n". */
export interface Seen {
  /** The number of the execute call, the place in its batch, the requests of its batch. */
  call: number;
  index: number;
  batch: number;
  /** When the execute call began and ended, in milliseconds. */
  from: number;
  to: number;
  /** The how manieth request of the instance this is. */
  order: number;
  /** The most execute calls that were in flight at once so far. */
  mostInFlight: number;
  id: string;
  correlationId: number | string;
  flags: number;
  sequenceStart: boolean;
  sequenceEnd: boolean;
  timeoutUs: number;
  parameters: Record<string, unknown>;
  requestedOutputs: string[];
  hasExtra: boolean;
  inputs: Record<string, { datatype: string; shape: number[]; data: unknown[] }>;
  model: { name: string; version: string; instance: string; kind: string; device: string; pid: number };
}

/** What the model saw, out of its answer. */
export function seenIn(reply: InferReply): Seen {
  return JSON.parse(texts(reply.output("SEEN"))[0]!);
}

export interface MirrorOptions extends Omit<InferOptions, "inputs"> {
  inputs?: readonly ClientInput[];
  /** Milliseconds that the model waits before it answers. */
  delayMs?: number;
  /** Where the model waits before that; it looks at the first request of a batch. */
  gate?: Gate;
  /** Rows of the input of a model that batches. */
  rows?: number;
  protocol?: Protocol;
}

/** Sends a request to a mirror and gives what the model saw. */
export async function look(client: TritonClient, model: string, options: MirrorOptions = {}): Promise<Seen> {
  const { delayMs, gate, rows, protocol = "grpc", parameters, inputs, ...rest } = options;
  const shape = rows === undefined ? [2] : [rows, 2];
  const reply = await client.infer(protocol, model, {
    inputs: inputs ?? [tensor("INPUT", "FP32", new Array(2 * (rows ?? 1)).fill(1), shape)],
    parameters: {
      ...parameters,
      ...(delayMs !== undefined && { delay_ms: delayMs }),
      ...(gate !== undefined && { gate: gate.folder }),
    },
    ...rest,
  });
  return seenIn(reply);
}

/** The configuration of a mirror with more of it, such as `max_batch_size: 8`. */
export function mirrorConfig(more = "", maxBatchSize = 0): string {
  return `
backend: "typescript"
max_batch_size: ${maxBatchSize}
input [
  { name: "INPUT", data_type: TYPE_FP32, dims: [ -1 ] },
  { name: "EXTRA", data_type: TYPE_STRING, dims: [ -1 ], optional: true }
]
output [
  { name: "SEEN", data_type: TYPE_STRING, dims: [ 1 ] },
  { name: "SUM", data_type: TYPE_FP32, dims: [ 1 ] }
]
${more}`;
}
