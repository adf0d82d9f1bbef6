// SPDX-License-Identifier: Apache-2.0
import { setTimeout as sleep } from "node:timers/promises";
import { type InferenceRequest, InferenceResponse, type StreamingModel, Tensor, TritonError } from "triton-typescript";
import { tell } from "./tell.ts";

/** About as fast as a language model of some size. */
const PAUSE_MS = 20;

export default class Story implements StreamingModel {
  async *stream(request: InferenceRequest) {
    const [hero] = request.input("text_input", "BYTES").strings();
    const streams = request.optionalInput("stream", "BOOL")?.data[0] !== 0;
    const limit = request.optionalInput("max_words", "INT32")?.data[0] ?? Number.POSITIVE_INFINITY;
    if (!hero?.trim()) throw new TritonError("text_input is empty. Say whom the story is about.", "INVALID_ARG");

    const words: string[] = [];
    for (const word of tell(hero.trim())) {
      if (words.length >= limit) break;
      words.push(word);
      if (!streams) continue;
      // Ends at once when the client leaves.
      await sleep(PAUSE_MS, undefined, { signal: request.signal });
      yield text(words.length === 1 ? word : ` ${word}`);
    }
    if (!streams) yield text(words.join(" "));
  }
}

function text(value: string): InferenceResponse {
  return new InferenceResponse([new Tensor("text_output", [value], [1])]);
}
