// SPDX-License-Identifier: Apache-2.0
// Last step of the ensemble `ocr`: recognition scores to lines of text.

import {
  type InferenceRequest,
  InferenceResponse,
  type InitializeArgs,
  Tensor,
  TritonError,
  type TritonModel,
} from "triton-typescript";
import { numberParameter } from "../../ocr/1/parameters.ts";
import { loadAlphabet } from "./alphabet.ts";
import { readLines, type Scores } from "./decode.ts";

/**
 * NARROW_SCORES and WIDE_SCORES FP32 [rows, steps, letters], ROWS INT32 [crops, 2] and BOXES FP32 [lines, 4, 2] ->
 * TEXT BYTES [found], CONFIDENCE FP32 [found] and BOX FP32 [found, 4, 2].
 */
export default class OcrDecode implements TritonModel {
  #alphabet: string[] = [];
  #minConfidence = 0.5;

  initialize(args: InitializeArgs): void {
    this.#minConfidence = numberParameter(args.modelConfig, "MIN_CONFIDENCE", this.#minConfidence);
    this.#alphabet = loadAlphabet();
  }

  execute(requests: InferenceRequest[]): InferenceResponse[] {
    return requests.map((request) => {
      const batches = [this.#scores(request, "NARROW_SCORES"), this.#scores(request, "WIDE_SCORES")] as const;
      const lines = readLines(batches, request.input("ROWS", "INT32").data, this.#alphabet, this.#minConfidence);
      const boxes = request.input("BOXES", "FP32").data;
      const found = new Float32Array(lines.length * 8);
      for (const [i, line] of lines.entries()) found.set(boxes.subarray(line.box * 8, line.box * 8 + 8), i * 8);
      const texts = lines.map((line) => line.text);
      const confidence = Float32Array.from(lines, (line) => line.confidence);
      return new InferenceResponse([
        new Tensor("TEXT", texts, [lines.length], "BYTES"),
        new Tensor("CONFIDENCE", confidence, [lines.length], "FP32"),
        new Tensor("BOX", found, [lines.length, 4, 2], "FP32"),
      ]);
    });
  }

  #scores(request: InferenceRequest, name: string): Scores {
    const { data, shape } = request.input(name, "FP32");
    const [, steps, letters] = shape as [number, number, number];
    if (letters !== this.#alphabet.length) {
      throw new TritonError(
        `${name} has ${letters} scores a step, but the character list of the recognition network has ` +
          `${this.#alphabet.length} letters with blank and space. Serve the network that belongs to the list.`,
        "INVALID_ARG",
      );
    }
    return { data, steps, letters };
  }
}
