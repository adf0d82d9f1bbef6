// SPDX-License-Identifier: Apache-2.0
import { expect, test } from "vitest";
import { disagreements } from "./accuracy.ts";
import type { OcrLine } from "./pipeline.ts";

const line = (text: string, x = 0): OcrLine => {
  const corners = [x, x + 50, x + 50, x].map((at, i) => [at, i < 2 ? 0 : 10] as const);
  return { text, confidence: 0.9, box: corners };
};

test("the same lines agree, and so do small differences", () => {
  expect(disagreements([], [])).toEqual([]);
  expect(disagreements([line("STOP", 3), line("open 7 to 19")], [line("ST0P"), line("open 7 to 1")])).toEqual([]);
});

test("a missing line, another text and another place are each named", () => {
  expect(disagreements([line("STOP")], [])).toEqual(["1 lines were read, but 0 are there"]);
  expect(disagreements([line("SHOP A")], [line("STOP")])).toEqual(['line 1 was read as "SHOP A", but it says "STOP"']);
  expect(disagreements([line("a"), line("STOP", 4)], [line("a"), line("STOP")])).toEqual([
    "line 2 is 4.0 pixels away from its place",
  ]);
});
