// SPDX-License-Identifier: Apache-2.0
import { expect, test } from "vitest";
import { inputConfig, isDecoupled, modelParameter, outputConfig, parseModelConfig } from "./model_config.ts";

const config = parseModelConfig(
  JSON.stringify({
    name: "m",
    max_batch_size: 4,
    input: [{ name: "IN", data_type: "TYPE_FP32", dims: [-1] }],
    output: [{ name: "OUT", data_type: "TYPE_STRING", dims: [1] }],
    parameters: { THREADS: { string_value: "2" } },
    model_transaction_policy: { decoupled: true },
  }),
);

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
  const empty = parseModelConfig("{}");
  expect(empty).toEqual({ name: "", platform: "", backend: "", max_batch_size: 0, input: [], output: [] });
  expect(isDecoupled(empty)).toBe(false);
  expect(modelParameter(empty, "THREADS")).toBeUndefined();
});

test("what is no configuration", () => {
  expect(() => parseModelConfig("{")).toThrow("The model configuration is not JSON");
  for (const text of ["[]", "5", "null"]) expect(() => parseModelConfig(text)).toThrow("must be a JSON object");
});
