// SPDX-License-Identifier: Apache-2.0
// A backend that answers wrongly may be fast: every answer is compared with its request before anything is timed.

import { randomFillSync } from "node:crypto";
import type { Server } from "./server.ts";

export type HttpServer = Pick<Server, "httpUrl">;

const HEADER_LENGTH = "Inference-Header-Content-Length";

interface InferReply {
  outputs: { name: string; datatype: string; shape: number[] }[];
}

/** Sends `bytes` random bytes as FP32 to `model` and returns the output's bytes. */
async function identity(server: HttpServer, model: string, input: Buffer<ArrayBuffer>): Promise<Buffer> {
  const shape = [input.length / 4];
  const header = Buffer.from(
    JSON.stringify({
      inputs: [{ name: "INPUT", datatype: "FP32", shape, parameters: { binary_data_size: input.length } }],
      outputs: [{ name: "OUTPUT", parameters: { binary_data: true } }],
    }),
  );
  const reply = await fetch(`${server.httpUrl}/v2/models/${model}/infer`, {
    method: "POST",
    headers: { [HEADER_LENGTH]: String(header.length) },
    body: Buffer.concat([header, input]),
  });
  const body = Buffer.from(await reply.arrayBuffer());
  if (!reply.ok) throw new Error(`The model ${model} answered with status ${reply.status}: ${body.toString()}`);
  const headerBytes = Number(reply.headers.get(HEADER_LENGTH) ?? body.length);
  const output = (JSON.parse(body.subarray(0, headerBytes).toString()) as InferReply).outputs[0];
  if (output?.name !== "OUTPUT" || output.datatype !== "FP32" || output.shape.join() !== shape.join()) {
    throw new Error(
      `The model ${model} must answer OUTPUT as FP32 of shape [${shape}], but answered ${JSON.stringify(output)}.`,
    );
  }
  return body.subarray(headerBytes);
}

/** Throws unless `model` returns exactly the bytes that it gets. */
export async function checkAnswers(server: HttpServer, model: string, bytes: number): Promise<void> {
  const input = randomFillSync(Buffer.alloc(bytes));
  const output = await identity(server, model, input);
  if (!output.equals(input)) {
    throw new Error(
      `The model ${model} must return its input of ${bytes} bytes unchanged, but returned ${output.length} bytes that differ. Its timing would mean nothing.`,
    );
  }
}
