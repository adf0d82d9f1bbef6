// SPDX-License-Identifier: Apache-2.0
import { expect, test } from "vitest";
import { floats, integers } from "./testing/tensors.ts";
import { difference } from "./work_answers.ts";

test("equal answers are alike", () => {
  expect(difference(floats([1, 2]), floats([1, 2]), {})).toBeUndefined();
  expect(difference(integers([1n, -2n]), integers([1n, -2n]), {})).toBeUndefined();
});

test("without a tolerance any difference counts", () => {
  expect(difference(floats([1, 2]), floats([1, 2.001]), {})).toMatch(/one element of OUT differs/);
  expect(difference(integers([1n]), integers([2n]), {})).toMatch(/differs by 1/);
});

test("the largest difference and the mean have limits of their own", () => {
  const [a, b] = [floats([0, 0, 0, 0]), floats([0.5, 0.25, 0.25, 0])];
  expect(difference(a, b, { largest: 0.5 })).toBeUndefined();
  expect(difference(a, b, { largest: 0.4, mean: 1 })).toMatch(/one element/);
  expect(difference(a, b, { largest: 0.5, mean: 0.25 })).toBeUndefined();
  expect(difference(a, b, { largest: 0.5, mean: 0.2 })).toMatch(/0.25 in the mean/);
});

test("shape and datatype count", () => {
  expect(difference(floats([1, 2], [2]), floats([1, 2], [1, 2]), {})).toMatch(/FP32 \[2\] in one and FP32 \[1,2\]/);
  expect(difference(floats([0, 0]), integers([0n]), {})).toMatch(/INT64 \[1\] in the other/);
});

test("what is no number is like nothing", () => {
  expect(difference(floats([Number.NaN]), floats([Number.NaN]), { largest: 1e9 })).toMatch(/no number at element 0/);
});
