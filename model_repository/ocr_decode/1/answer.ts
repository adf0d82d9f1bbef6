// SPDX-License-Identifier: Apache-2.0
// From the recognition network's tensors to lines, and from lines to the tensors of the answer.

import { InferenceResponse, Tensor, TritonError } from "triton-typescript";
import type { FoundLine, Scores } from "./decode.ts";

/**
 * The scores in a tensor, FP32 [rows, steps, letters].
 *
 * @throws TritonError INVALID_ARG when they are for another number of letters than the alphabet has
 */
export function scoresOf({ name, data, shape }: Tensor<"FP32">, alphabet: readonly string[]): Scores {
  const [, steps, letters] = shape as [number, number, number];
  if (letters !== alphabet.length) {
    throw new TritonError(
      `${name} has ${letters} scores a step, but the character list of the recognition network has ` +
        `${alphabet.length} letters with blank and space. Serve the network that belongs to the list.`,
      "INVALID_ARG",
    );
  }
  return { data, steps, letters };
}

/**
 * TEXT BYTES [found], CONFIDENCE FP32 [found] and BOX FP32 [found, 4, 2].
 *
 * @param boxes corners of all boxes, [boxes, 4, 2]
 */
export function answerWith(lines: readonly FoundLine[], boxes: Float32Array): InferenceResponse {
  const found = new Float32Array(lines.length * 8);
  for (const [i, line] of lines.entries()) found.set(boxes.subarray(line.box * 8, line.box * 8 + 8), i * 8);
  const texts = lines.map((line) => line.text);
  const confidence = Float32Array.from(lines, (line) => line.confidence);
  return new InferenceResponse([
    new Tensor("TEXT", texts, [lines.length], "BYTES"),
    new Tensor("CONFIDENCE", confidence, [lines.length], "FP32"),
    new Tensor("BOX", found, [lines.length, 4, 2], "FP32"),
  ]);
}
