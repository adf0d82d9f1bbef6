// SPDX-License-Identifier: Apache-2.0
import { expect, test } from "vitest";
import { topClasses } from "./topk.ts";

function top(k: number, logits: number[]) {
  const [scores, indices] = [new Float32Array(k), new BigInt64Array(k)];
  topClasses(Float32Array.from(logits), scores, indices);
  return { scores: [...scores], indices: [...indices].map(Number) };
}

test("the best come first, with their share of the whole", () => {
  const { scores, indices } = top(2, [Math.log(1), Math.log(5), Math.log(2), Math.log(2.5)]);
  expect(indices).toEqual([1, 3]);
  expect(scores[0]).toBeCloseTo(5 / 10.5, 6);
  expect(scores[1]).toBeCloseTo(2.5 / 10.5, 6);
});

test("of equal classes the lower number comes first", () => {
  expect(top(3, [1, 4, 4, 0, 4]).indices).toEqual([1, 2, 4]);
});

test("large logits do not overflow", () => {
  const { scores, indices } = top(2, [1000, -1000, 1000]);
  expect(indices).toEqual([0, 2]);
  expect(scores).toEqual([0.5, 0.5]);
});

test.each([1, 5, 40])("the best %i are those of a sorted list", (k) => {
  const logits = Array.from({ length: 40 }, (_, i) => Math.sin(i * 12.9898) * 10);
  const sorted = logits.map((_, i) => i).sort((a, b) => logits[b]! - logits[a]!);
  expect(top(k, logits).indices).toEqual(sorted.slice(0, k));
});
