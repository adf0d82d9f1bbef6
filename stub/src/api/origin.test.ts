// SPDX-License-Identifier: Apache-2.0
import { expect, test } from "vitest";
import { noteOrigins, originOf } from "./origin.ts";
import { lazyTensor, Tensor } from "./tensor.ts";

test("tensors that the runtime makes take no place from those of the model", () => {
  const source = { inputData: () => new Int32Array(1) };
  noteOrigins();
  const inputs = Array.from({ length: 2000 }, () => lazyTensor("IN", "INT32", [1], source, 0));
  const made = new Tensor("OUT", new Int32Array(1), [1]);
  expect(originOf(inputs[0]!)).toBeUndefined();
  expect(originOf(made)).toBeDefined();
});

test("a copy is made by the model, whatever it is a copy of", () => {
  noteOrigins();
  const input = lazyTensor("IN", "INT32", [1], { inputData: () => new Int32Array(1) }, 0);
  expect(originOf(input.clone())).toBeDefined();
});
