// SPDX-License-Identifier: Apache-2.0
// Last step of the ensemble `ocr`: recognition scores to lines of text.

import type { InferenceRequest, InferenceResponse, InitializeArgs, TritonModel } from "triton-typescript";
import { numberParameter } from "../../ocr/1/parameters.ts";
import { loadAlphabet } from "./alphabet.ts";
import { answerWith, scoresOf } from "./answer.ts";
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
      const scores = (name: string): Scores => scoresOf(request.input(name, "FP32"), this.#alphabet);
      const batches = [scores("NARROW_SCORES"), scores("WIDE_SCORES")] as const;
      const lines = readLines(batches, request.input("ROWS", "INT32").data, this.#alphabet, this.#minConfidence);
      return answerWith(lines, request.input("BOXES", "FP32").data);
    });
  }
}
