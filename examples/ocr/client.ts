// SPDX-License-Identifier: Apache-2.0
// Sends a picture to the ensemble `ocr` and prints each line of text that it finds.
//
//   npx tsx client.ts photo.jpg [http://localhost:8000]

import { readFile } from "node:fs/promises";
import { HttpClient, Tensor } from "triton-typescript/client/http";

const [image, url = "http://localhost:8000"] = process.argv.slice(2);
if (image === undefined) {
  console.error("Usage: npx tsx client.ts IMAGE [URL]");
  process.exit(2);
}

const encoded = new Uint8Array(await readFile(image));
const answer = await new HttpClient({ url }).infer("ocr", [new Tensor("IMAGE", encoded, [encoded.length])]);

const boxes = answer.output("BOX", "FP32").data;
const confidences = answer.output("CONFIDENCE", "FP32").data;
for (const [i, text] of answer.output("TEXT", "BYTES").strings().entries()) {
  const corners = [0, 1, 2, 3].map((p) => [...boxes.slice(i * 8 + 2 * p, i * 8 + 2 * p + 2)].map(Math.round).join(","));
  console.log(`${confidences[i]!.toFixed(3)}  ${text}  [${corners.join(" ")}]`);
}
