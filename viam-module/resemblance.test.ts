// SPDX-License-Identifier: Apache-2.0
import { expect, test } from "vitest";
import { didYouMean, distance, nearest } from "./resemblance.ts";

test("distances", () => {
  expect(distance("", "abc")).toBe(3);
  expect(distance("model", "model")).toBe(0);
  expect(distance("modle", "model")).toBe(1);
  expect(distance("modal", "model")).toBe(1);
  expect(distance("odel", "model")).toBe(1);
  expect(distance("kitten", "sitting")).toBe(3);
});

test("the nearest name", () => {
  const names = ["model_name", "model_version", "labels"];
  expect(nearest("ModelName", names)).toBe("model_name");
  expect(nearest("label", names)).toBe("labels");
  expect(nearest("weather", names)).toBeUndefined();
  expect(nearest("x", [])).toBeUndefined();
  expect(nearest("m".repeat(1000), names)).toBeUndefined();
});

test("the sentence", () => {
  expect(didYouMean("lables", ["labels"])).toBe(' Did you mean "labels"?');
  expect(didYouMean("x", ["labels"])).toBe("");
});
