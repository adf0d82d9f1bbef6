// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from "vitest";
import type { ModelConfig, ModelMetadata } from "../client/index.ts";
import { checkStreaming, contractOf, fitShape } from "./model_contract.ts";

const metadata: ModelMetadata = {
  name: "net",
  versions: ["1", "3"],
  platform: "",
  inputs: [{ name: "images", datatype: "UINT8", shape: [-1, -1, -1, 3] }],
  outputs: [
    { name: "output_0", datatype: "FP32", shape: [-1, 25, 4] },
    { name: "output_1", datatype: "FP16", shape: [-1, 25] },
  ],
};
const config = {
  name: "net",
  backend: "onnxruntime",
  max_batch_size: 4,
  input: [{ name: "images", optional: true }],
  output: [
    { name: "output_1", label_filename: "labels.txt" },
    { name: "output_0", label_filename: "" },
  ],
} as unknown as ModelConfig;
const none = { inputs: {}, outputs: {} };

describe("contractOf", () => {
  test("names, kinds and dimensions as Viam sees them", () => {
    const names = { inputs: { images: "image" }, outputs: { output_0: "location" } };
    expect(contractOf(metadata, config, names, "3")).toEqual({
      model: "net",
      version: "3",
      platform: "onnxruntime",
      inputs: [
        { name: "image", modelName: "images", datatype: "UINT8", kind: "uint8", dims: [-1, -1, 3], optional: true },
      ],
      outputs: [
        {
          name: "location",
          modelName: "output_0",
          datatype: "FP32",
          kind: "float32",
          dims: [25, 4],
          labelFile: undefined,
        },
        {
          name: "output_1",
          modelName: "output_1",
          datatype: "FP16",
          kind: "float32",
          dims: [25],
          labelFile: "labels.txt",
        },
      ],
      maxBatchSize: 4,
      decoupled: false,
    });
  });

  test("a tensor that is renamed must be there", () => {
    const rename = (inputs: Record<string, string>) => () => contractOf(metadata, config, { ...none, inputs }, "1");
    expect(rename({ image: "x" })).toThrow(
      /"image", which the model does not have. Its inputs are "images". Did you mean "images"\?/,
    );
  });

  test("two tensors cannot have one name", () => {
    const names = { ...none, outputs: { output_0: "output_1" } };
    expect(() => contractOf(metadata, config, names, "1")).toThrow(/two of the model's outputs are called "output_1"/);
    const swapped = { ...none, outputs: { output_0: "output_1", output_1: "output_0" } };
    expect(contractOf(metadata, config, swapped, "1").outputs.map(({ name }) => name)).toEqual([
      "output_1",
      "output_0",
    ]);
  });
});

describe("fitShape", () => {
  test.each<[string, number[], number, number[], { shape: number[]; batchAdded: boolean } | undefined]>([
    ["batches: none given", [3], 4, [3], { shape: [1, 3], batchAdded: true }],
    ["batches: one given", [3], 4, [1, 3], { shape: [1, 3], batchAdded: false }],
    ["batches: several given", [3], 4, [2, 3], { shape: [2, 3], batchAdded: false }],
    ["batches: any size", [-1], 4, [7], { shape: [1, 7], batchAdded: true }],
    ["batches: another size", [3], 4, [1, 4], undefined],
    ["batches: too many dimensions", [3], 4, [1, 1, 3], undefined],
    ["batches: of single elements", [], 4, [2], { shape: [2], batchAdded: false }],
    ["no batches: as it is", [-1, -1, 3], 0, [5, 5, 3], { shape: [5, 5, 3], batchAdded: false }],
    ["no batches: one too many", [-1, -1, 3], 0, [1, 5, 5, 3], { shape: [5, 5, 3], batchAdded: false }],
    ["no batches: two of them", [-1, -1, 3], 0, [2, 5, 5, 3], undefined],
    ["no batches: a one is missing", [1, -1, -1, 3], 0, [5, 5, 3], { shape: [1, 5, 5, 3], batchAdded: false }],
    ["no batches: another dimension is missing", [2, 5], 0, [5], undefined],
    ["no batches: nothing given", [1], 0, [], { shape: [1], batchAdded: false }],
  ])("%s", (_, dims, maxBatchSize, given, wanted) => {
    expect(fitShape(dims, maxBatchSize, given)).toEqual(wanted);
  });
});

test("a streaming model is taken or refused, as the attribute says", () => {
  const streaming = { ...contractOf(metadata, config, none, "1"), decoupled: true };
  expect(() => checkStreaming(streaming, "refuse")).toThrow(/"net" streams.*"first_response"/);
  checkStreaming(streaming, "first_response");
  checkStreaming({ ...streaming, decoupled: false }, "refuse");
});
