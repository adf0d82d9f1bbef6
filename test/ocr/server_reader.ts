// SPDX-License-Identifier: Apache-2.0
// Reads pictures with the ensemble `ocr` of a running server, over plain HTTP; for end-to-end tests:
// `await compareAll(serverReader("http://localhost:8000"))`.

import type { OcrLine, ReadPicture } from "./pipeline.ts";

interface Output {
  readonly name: string;
  readonly shape: readonly number[];
  readonly data: readonly (string | number)[];
}

/** A reader for the server at `url`. Throws with the server's message when a request fails. */
export function serverReader(url: string, model = "ocr"): ReadPicture {
  return async (encoded) => {
    const image = { name: "IMAGE", datatype: "UINT8", shape: [encoded.length] };
    const header = Buffer.from(
      JSON.stringify({ inputs: [{ ...image, parameters: { binary_data_size: encoded.length } }] }),
    );
    const response = await fetch(`${url}/v2/models/${model}/infer`, {
      method: "POST",
      headers: { "Inference-Header-Content-Length": String(header.length) },
      body: Buffer.concat([header, encoded]),
    });
    const answer = (await response.json()) as { error?: string; outputs?: Output[] };
    if (!response.ok || answer.outputs === undefined) throw new Error(answer.error ?? `HTTP ${response.status}`);
    return toLines(answer.outputs);
  };
}

function toLines(outputs: readonly Output[]): OcrLine[] {
  const find = (name: string, shape: readonly number[]): Output => {
    const found = outputs.find((output) => output.name === name);
    if (found === undefined) throw new Error(`The answer has no output ${name}.`);
    if (String(found.shape) === String(shape)) return found;
    throw new Error(`${name} has the shape [${found.shape}], but it is to be [${shape}].`);
  };
  const count = outputs.find((output) => output.name === "TEXT")?.shape[0] ?? 0;
  const texts = find("TEXT", [count]).data as string[];
  const confidences = find("CONFIDENCE", [count]).data as number[];
  const boxes = find("BOX", [count, 4, 2]).data as number[];
  return texts.map((text, i) => ({
    text,
    confidence: confidences[i]!,
    box: [0, 1, 2, 3].map((corner) => [boxes[i * 8 + corner * 2]!, boxes[i * 8 + corner * 2 + 1]!] as const),
  }));
}
