// SPDX-License-Identifier: Apache-2.0
// Reads pictures with the ensemble `ocr` of a running server; for end-to-end tests:
// `await compareAll(serverReader("http://localhost:8000"))`.

import { type BinaryTensor, KServeClient } from "../../server/kserve.ts";
import { deserializeBytes } from "../../stub/src/api/index.ts";
import type { OcrLine, ReadPicture } from "./pipeline.ts";

/** A reader for the server at `url`. Throws with the server's message when a request fails. */
export function serverReader(url: string, model = "ocr"): ReadPicture {
  const client = new KServeClient(url);
  return async (encoded) => {
    const image = { name: "IMAGE", datatype: "UINT8", shape: [encoded.length], bytes: encoded };
    return toLines((await client.infer(model, undefined, [image])).outputs);
  };
}

function toLines(outputs: readonly BinaryTensor[]): OcrLine[] {
  const find = (name: string, shape: readonly number[]): Uint8Array => {
    const found = outputs.find((output) => output.name === name);
    if (found === undefined) throw new Error(`The answer has no output ${name}.`);
    if (String(found.shape) === String(shape)) return found.bytes;
    throw new Error(`${name} has the shape [${found.shape}], but it is to be [${shape}].`);
  };
  const numbers = (bytes: Uint8Array) => new Float32Array(Uint8Array.from(bytes).buffer);
  const count = outputs.find((output) => output.name === "TEXT")?.shape[0] ?? 0;
  const texts = deserializeBytes(find("TEXT", [count])).map((bytes) => new TextDecoder().decode(bytes));
  const confidences = numbers(find("CONFIDENCE", [count]));
  const boxes = numbers(find("BOX", [count, 4, 2]));
  return texts.map((text, i) => ({
    text,
    confidence: confidences[i]!,
    box: [0, 1, 2, 3].map((corner) => [boxes[i * 8 + corner * 2]!, boxes[i * 8 + corner * 2 + 1]!] as const),
  }));
}
