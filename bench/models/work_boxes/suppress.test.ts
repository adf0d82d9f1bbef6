// SPDX-License-Identifier: Apache-2.0
import { expect, test } from "vitest";
import { suppress } from "./suppress.ts";

const run = (boxes: number[][], scores: number[]) => [
  ...suppress(Float32Array.from(boxes.flat()), Float32Array.from(scores)),
];

test("of two that overlap by more than half the better one stays", () => {
  expect(
    run(
      [
        [0, 0, 10, 10],
        [1, 0, 11, 10],
      ],
      [0.5, 0.9],
    ),
  ).toEqual([1]);
});

test("an overlap of just half is allowed", () => {
  // 30 x 10 and 30 x 10, shared 20 x 10: 200 of 400.
  expect(
    run(
      [
        [0, 0, 30, 10],
        [10, 0, 40, 10],
      ],
      [0.9, 0.8],
    ),
  ).toEqual([0, 1]);
});

test("boxes that are apart in one direction all stay, best first", () => {
  const boxes = [
    [0, 0, 10, 10],
    [20, 0, 30, 10],
    [0, 20, 10, 30],
    [-20, 0, -10, 10],
    [0, -20, 10, -10],
  ];
  expect(run(boxes, [0.5, 0.6, 0.7, 0.8, 0.9])).toEqual([4, 3, 2, 1, 0]);
});

test("a box that was suppressed suppresses nothing", () => {
  // Each overlaps its neighbours by 8 of 12, but the first and the last only by 6 of 14.
  const boxes = [
    [0, 0, 10, 1],
    [2, 0, 12, 1],
    [4, 0, 14, 1],
  ];
  expect(run(boxes, [0.9, 0.8, 0.7])).toEqual([0, 2]);
});

test("a score below 0.25 counts for nothing, 0.25 does", () => {
  expect(
    run(
      [
        [0, 0, 1, 1],
        [5, 5, 6, 6],
      ],
      [0.24, 0.25],
    ),
  ).toEqual([1]);
  expect(run([], [])).toEqual([]);
});
