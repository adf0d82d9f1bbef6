// SPDX-License-Identifier: Apache-2.0
// LOGITS FP32 [classes] -> SCORES FP32 [5], INDICES INT64 [5]: softmax over the classes, and the five best of them.

import { type InferenceRequest, InferenceResponse, type TritonModel } from "triton-typescript";

const k = 5;

export default class TopClasses implements TritonModel {
  execute(requests: InferenceRequest[]): InferenceResponse[] {
    return requests.map((request) => {
      const scores = request.allocateOutput("SCORES", "FP32", [k]);
      const indices = request.allocateOutput("INDICES", "INT64", [k]);
      topClasses(request.input("LOGITS", "FP32").data, scores.data, indices.data);
      return new InferenceResponse([scores, indices]);
    });
  }
}

/**
 * Writes the best classes, best first: their probabilities into `scores` and their numbers into `indices`, as many as
 * these are long. Of equal classes the lower number comes first.
 */
export function topClasses(logits: Float32Array, scores: Float32Array, indices: BigInt64Array): void {
  const count = Math.min(scores.length, logits.length);
  const best = new Int32Array(count).fill(-1);
  for (let i = 0; i < logits.length; i++) {
    const value = logits[i]!;
    let place = count;
    while (place > 0 && (best[place - 1]! < 0 || logits[best[place - 1]!]! < value)) place--;
    if (place === count) continue;
    best.copyWithin(place + 1, place);
    best[place] = i;
  }
  const highest = logits[best[0]!]!;
  let sum = 0;
  for (let i = 0; i < logits.length; i++) sum += Math.exp(logits[i]! - highest);
  for (let place = 0; place < count; place++) {
    scores[place] = Math.exp(logits[best[place]!]! - highest) / sum;
    indices[place] = BigInt(best[place]!);
  }
}
