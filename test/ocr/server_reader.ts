// SPDX-License-Identifier: Apache-2.0
// Reads pictures with the ensemble `ocr` of a running server; for end-to-end tests:
// `await compareAll(serverReader("http://localhost:8000"))`.

import { HttpClient, type InferenceResult, Tensor } from "../../client/http/index.ts";
import type { OcrLine, ReadPicture } from "./pipeline.ts";

/** A reader for the server at `url`. Throws with the server's message when a request fails. */
export function serverReader(url: string, model = "ocr"): ReadPicture {
  const client = new HttpClient({ url });
  return async (encoded) => {
    return toLines(await client.infer(model, [new Tensor("IMAGE", encoded, [encoded.length], "UINT8")]));
  };
}

function toLines(result: InferenceResult): OcrLine[] {
  const texts = result.output("TEXT", "BYTES").strings();
  const count = texts.length;
  const numbers = (name: string, shape: readonly number[]): Float32Array => {
    const found = result.output(name, "FP32");
    if (String(found.shape) === String(shape)) return found.data;
    throw new Error(`${name} has the shape [${found.shape}], but it is to be [${shape}].`);
  };
  const confidences = numbers("CONFIDENCE", [count]);
  const boxes = numbers("BOX", [count, 4, 2]);
  return texts.map((text, i) => ({
    text,
    confidence: confidences[i]!,
    box: [0, 1, 2, 3].map((corner) => [boxes[i * 8 + corner * 2]!, boxes[i * 8 + corner * 2 + 1]!] as const),
  }));
}
