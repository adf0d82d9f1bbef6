// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from "vitest";
import { AutoCompleteConfig, type AutoCompleteInput } from "./auto_complete.ts";
import type { ModelConfig } from "./model_config.ts";

const configured: Partial<ModelConfig> = {
  input: [{ name: "IN", data_type: "TYPE_FP32", dims: [2, -1], optional: false }],
  output: [{ name: "OUT", data_type: "TYPE_INT8", dims: [3] }],
};

function make(config: Partial<ModelConfig> = {}): AutoCompleteConfig {
  const empty: ModelConfig = { name: "m", platform: "", backend: "", max_batch_size: 0, input: [], output: [] };
  return new AutoCompleteConfig(structuredClone({ ...empty, ...config }));
}

const refused = (...texts: string[]) =>
  expect.objectContaining({
    code: "INVALID_ARG",
    message: expect.stringMatching(new RegExp(["Auto-complete of model 'm'", ...texts].join(".*"))),
  });

describe("setMaxBatchSize", () => {
  test("sets, and may raise what the configuration has", () => {
    const auto = make({ max_batch_size: 4 });
    auto.setMaxBatchSize(8);
    expect(auto.config.max_batch_size).toBe(8);
    auto.setMaxBatchSize(8);
  });

  test("does not lower what the configuration has", () => {
    expect(() => make({ max_batch_size: 4 }).setMaxBatchSize(2)).toThrow(refused("max_batch_size 4", "2"));
  });

  test.each([-1, 1.5, 2 ** 31, "4"])("refuses %o", (size) => {
    expect(() => make().setMaxBatchSize(size as number)).toThrow(refused("whole number"));
  });
});

describe("setDynamicBatching", () => {
  test("sets, and leaves what the configuration has", () => {
    const auto = make();
    auto.setDynamicBatching();
    expect(auto.config.dynamic_batching).toEqual({});
    const kept = make({ dynamic_batching: { preferred_batch_size: [2] } });
    kept.setDynamicBatching();
    expect(kept.config.dynamic_batching).toEqual({ preferred_batch_size: [2] });
  });

  test.each(["sequence_batching", "ensemble_scheduling"])("is refused beside %s", (scheduler) => {
    expect(() => make({ [scheduler]: {} }).setDynamicBatching()).toThrow(refused(scheduler, "dynamic_batching"));
  });
});

describe("inputs and outputs", () => {
  test("are added", () => {
    const auto = make();
    auto.addInput({ name: "A", data_type: "TYPE_FP32", dims: [-1] });
    auto.addInput({ name: "B", data_type: "TYPE_STRING", dims: [1], optional: true });
    auto.addOutput({ name: "C", data_type: "TYPE_BF16", dims: [0, 2] });
    expect(auto.config.input).toEqual([
      { name: "A", data_type: "TYPE_FP32", dims: [-1] },
      { name: "B", data_type: "TYPE_STRING", dims: [1], optional: true },
    ]);
    expect(auto.config.output).toEqual([{ name: "C", data_type: "TYPE_BF16", dims: [0, 2] }]);
  });

  test("merge with what the configuration has", () => {
    const auto = make(configured);
    auto.addInput({ name: "IN", data_type: "TYPE_FP32", dims: [2, -1] });
    auto.addOutput({ name: "OUT", data_type: "TYPE_INT8", dims: [3] });
    expect(auto.config).toMatchObject(configured);
    expect([auto.config.input.length, auto.config.output.length]).toEqual([1, 1]);
  });

  test("complete what the configuration leaves open", () => {
    const auto = make({
      input: [{ name: "IN", data_type: "TYPE_INVALID", dims: [] }],
      output: [{ name: "OUT", data_type: "TYPE_INVALID", dims: [], label_filename: "labels.txt" }],
    });
    auto.addInput({ name: "IN", data_type: "TYPE_FP32", dims: [2], optional: true });
    auto.addOutput({ name: "OUT", data_type: "TYPE_FP32", dims: [2] });
    expect(auto.config.input).toEqual([{ name: "IN", data_type: "TYPE_FP32", dims: [2], optional: true }]);
    expect(auto.config.output[0]).toMatchObject({ data_type: "TYPE_FP32", dims: [2], label_filename: "labels.txt" });
  });

  test.each([
    [{ name: "IN", data_type: "TYPE_INT8", dims: [2, -1] }, ["data_type TYPE_FP32", "input 'IN'", "TYPE_INT8"]],
    [{ name: "IN", data_type: "TYPE_FP32", dims: [2] }, ["dims \\[2, -1\\]", "input 'IN'", "\\[2\\]"]],
    [{ name: "IN", data_type: "TYPE_FP32", dims: [2, 3] }, ["dims \\[2, -1\\]", "input 'IN'", "\\[2, 3\\]"]],
    [{ name: "IN", data_type: "TYPE_FP32", dims: [2, -1], optional: true }, ["optional false", "input 'IN'", "true"]],
    [{ name: "X", data_type: "TYPE_FP32", dims: [], shape: [] }, ["input 'X' has the unknown key 'shape'"]],
    [{ data_type: "TYPE_FP32", dims: [] }, ["an input lacks the key 'name'"]],
    [{ name: "X", dims: [] }, ["input 'X' lacks the key 'data_type'"]],
    [{ name: "X", data_type: "TYPE_FP32" }, ["input 'X' lacks the key 'dims'"]],
    [{ name: "", data_type: "TYPE_FP32", dims: [] }, ["the name of an input"]],
    [{ name: "X", data_type: "FP32", dims: [] }, ["input 'X'", "'FP32' is not a datatype of a model configuration"]],
    [{ name: "X", data_type: "TYPE_FP32", dims: [-2] }, ["the dims of input 'X'"]],
    [{ name: "X", data_type: "TYPE_FP32", dims: 4 }, ["the dims of input 'X'"]],
    [
      { name: "X", data_type: "TYPE_FP32", dims: [], optional: 1 },
      ["'optional' of input 'X' must be true or false, but is 1."],
    ],
    [null, ["the input must be an object"]],
  ])("input %o is refused", (input, texts) => {
    const auto = make(configured);
    expect(() => auto.addInput(input as AutoCompleteInput)).toThrow(refused(...texts));
    expect(auto.config).toMatchObject(configured);
  });

  test.each([
    [{ name: "OUT", data_type: "TYPE_FP32", dims: [3] }, ["data_type TYPE_INT8", "output 'OUT'", "TYPE_FP32"]],
    [{ name: "OUT", data_type: "TYPE_INT8", dims: [4] }, ["dims \\[3\\]", "output 'OUT'", "\\[4\\]"]],
    [{ name: "X", data_type: "TYPE_FP32", dims: [], optional: true }, ["output 'X' has the unknown key 'optional'"]],
    [{ name: "X", data_type: "TYPE_FP32" }, ["output 'X' lacks the key 'dims'"]],
  ])("output %o is refused", (output, texts) => {
    expect(() => make(configured).addOutput(output as AutoCompleteInput)).toThrow(refused(...texts));
  });
});

describe("setModelTransactionPolicy", () => {
  test("sets", () => {
    const auto = make();
    auto.setModelTransactionPolicy({ decoupled: true });
    auto.setModelTransactionPolicy({ decoupled: true });
    expect(auto.config.model_transaction_policy).toEqual({ decoupled: true });
  });

  test("refuses a contradiction, an unknown key and a missing one", () => {
    const auto = make({ model_transaction_policy: { decoupled: false } });
    expect(() => auto.setModelTransactionPolicy({ decoupled: true })).toThrow(refused("decoupled false", "true"));
    expect(() => auto.setModelTransactionPolicy({ other: 1 } as never)).toThrow(refused("unknown key 'other'"));
    expect(() => auto.setModelTransactionPolicy({} as never)).toThrow(refused("needs the key 'decoupled'"));
  });
});
