// SPDX-License-Identifier: Apache-2.0
// Sends a picture to the ensemble `ocr` and prints each line of text that it finds. No package is needed:
// Triton speaks plain HTTP.
//
//   npx tsx client.ts photo.jpg [http://localhost:8000]

import { readFile } from "node:fs/promises";

const [image, url = "http://localhost:8000"] = process.argv.slice(2);
if (image === undefined) {
  console.error("Usage: npx tsx client.ts IMAGE [URL]");
  process.exit(2);
}

interface Answer {
  readonly error?: string;
  readonly outputs: { readonly name: string; readonly shape: number[]; readonly data: (string | number)[] }[];
}

// A request is a JSON header followed by the bytes of its tensors; the length of the header goes into a header field.
const encoded = await readFile(image);
const header = Buffer.from(
  JSON.stringify({
    inputs: [
      { name: "IMAGE", datatype: "UINT8", shape: [encoded.length], parameters: { binary_data_size: encoded.length } },
    ],
  }),
);
const response = await fetch(`${url}/v2/models/ocr/infer`, {
  method: "POST",
  headers: { "Inference-Header-Content-Length": String(header.length) },
  body: Buffer.concat([header, encoded]),
});
const answer = (await response.json()) as Answer;
if (!response.ok) {
  console.error(answer.error);
  process.exit(1);
}

const output = (name: string) => answer.outputs.find((tensor) => tensor.name === name)!.data;
const boxes = output("BOX") as number[];
const confidences = output("CONFIDENCE") as number[];
for (const [i, text] of output("TEXT").entries()) {
  const corners = [0, 1, 2, 3].map((p) =>
    boxes
      .slice(i * 8 + 2 * p, i * 8 + 2 * p + 2)
      .map(Math.round)
      .join(","),
  );
  console.log(`${confidences[i]!.toFixed(3)}  ${text}  [${corners.join(" ")}]`);
}
