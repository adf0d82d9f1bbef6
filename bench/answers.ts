// SPDX-License-Identifier: Apache-2.0
// A backend that answers wrongly may be fast: every answer is compared with its request before anything is timed.

import { randomFillSync } from "node:crypto";
import type { HttpServer } from "./http.ts";
import { ask } from "./wire.ts";

/** Sends `input` as FP32 to `model` and returns the output's bytes. */
async function identity(server: HttpServer, model: string, input: Buffer): Promise<Uint8Array> {
  const shape = [input.length / 4];
  const [output] = await ask(server, model, [{ name: "INPUT", datatype: "FP32", shape, data: input }], ["OUTPUT"]);
  if (output!.datatype !== "FP32" || output!.shape.join() !== shape.join()) {
    throw new Error(
      `The model ${model} must answer OUTPUT as FP32 of shape [${shape}], but answered ${output!.datatype} of [${output!.shape}].`,
    );
  }
  return output!.data;
}

/** Throws unless `model` returns exactly the bytes that it gets. */
export async function checkAnswers(server: HttpServer, model: string, bytes: number): Promise<void> {
  const input = randomFillSync(Buffer.alloc(bytes));
  const output = await identity(server, model, input);
  if (!input.equals(output)) {
    throw new Error(
      `The model ${model} must return its input of ${bytes} bytes unchanged, but returned ${output.length} bytes that differ. Its timing would mean nothing.`,
    );
  }
}
