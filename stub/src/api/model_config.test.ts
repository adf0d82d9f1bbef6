// SPDX-License-Identifier: Apache-2.0
import { expect, test } from "vitest";
import { inputConfig, isDecoupled, type ModelConfig, modelParameter, outputConfig } from "./model_config.ts";

const empty: ModelConfig = { name: "m", platform: "", backend: "typescript", max_batch_size: 4, input: [], output: [] };
const config: ModelConfig = {
  ...empty,
  input: [{ name: "IN", data_type: "TYPE_FP32", dims: [-1] }],
  output: [{ name: "OUT", data_type: "TYPE_STRING", dims: [1] }],
  parameters: { THREADS: { string_value: "2" } },
  model_transaction_policy: { decoupled: true },
};

test("helpers find what is there", () => {
  expect(inputConfig(config, "IN")?.dims).toEqual([-1]);
  expect(inputConfig(config, "OUT")).toBeUndefined();
  expect(outputConfig(config, "OUT")?.data_type).toBe("TYPE_STRING");
  expect(outputConfig(config, "IN")).toBeUndefined();
  expect(modelParameter(config, "THREADS")).toBe("2");
  expect(modelParameter(config, "toString")).toBeUndefined();
  expect(isDecoupled(config)).toBe(true);
});

test("what a configuration may leave out", () => {
  expect(isDecoupled(empty)).toBe(false);
  expect(modelParameter(empty, "THREADS")).toBeUndefined();
});
