// SPDX-License-Identifier: Apache-2.0
import { expect, test } from "vitest";
import { differences, mustBe, type Tolerance, tensor } from "./answers.ts";

const floats = (values: number[], shape?: number[]) => [tensor("OUT", "FP32", Float32Array.from(values), shape)];
const integers = (...values: bigint[]) => [tensor("OUT", "INT64", BigInt64Array.from(values))];
const within = (tolerance: Tolerance | undefined, ...answers: ReturnType<typeof floats>[]) =>
  differences(answers[0]!, answers[1]!, tolerance ? { OUT: tolerance } : {}).join();

test("without a tolerance every bit counts, with an empty one every number", () => {
  expect(within(undefined, floats([Number.NaN]), floats([Number.NaN]))).toBe("");
  expect(within(undefined, floats([0]), floats([-0]))).toBe("OUT has other values");
  expect(within({}, floats([0, 2]), floats([-0, 2]))).toBe("");
  expect(within({}, floats([1, 2]), floats([1, 2.001]))).toMatch(/one element of OUT differs/);
  expect(within({}, integers(1n, -2n), integers(1n, -2n))).toBe("");
  expect(within({}, integers(1n), integers(2n))).toMatch(/differs by 1/);
});

test("the largest difference and the mean have limits of their own", () => {
  const [a, b] = [floats([0, 0, 0, 0]), floats([0.5, 0.25, 0.25, 0])];
  expect(within({ largest: 0.5 }, a, b)).toBe("");
  expect(within({ largest: 0.4, mean: 1 }, a, b)).toMatch(/one element/);
  expect(within({ largest: 0.5, mean: 0.25 }, a, b)).toBe("");
  expect(within({ largest: 0.5, mean: 0.2 }, a, b)).toMatch(/0.25 in the mean/);
});

test("name, shape and datatype count, and with a tolerance what is no number is like nothing", () => {
  expect(within({}, [], floats([1]))).toBe("OUT is missing");
  expect(within({}, floats([1, 2], [2]), floats([1, 2], [1, 2]))).toBe("OUT is FP32 of [2] instead of FP32 of [1,2]");
  expect(within({}, floats([0, 0]), integers(0n))).toMatch(/instead of INT64 of \[1\]/);
  expect(within({ largest: 1e9 }, floats([Number.NaN]), floats([Number.NaN]))).toMatch(/no number/);
  expect(() => mustBe("The model m", floats([1]), floats([2]))).toThrow(
    /The model m must answer as expected, but OUT has/,
  );
});
