// SPDX-License-Identifier: Apache-2.0
// Softmax over the classes, and the best of them.

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
