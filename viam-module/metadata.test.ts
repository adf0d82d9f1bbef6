// SPDX-License-Identifier: Apache-2.0
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { DataType } from "../client/index.ts";
import { LabelType } from "../proto/gen/viam/service/mlmodel/v1/mlmodel_pb.ts";
import { type Json, readAttributes } from "./attributes.ts";
import { labelsOf } from "./labels.ts";
import { metadataOf } from "./metadata.ts";
import type { ContractOutput, ModelContract } from "./model_contract.ts";
import { kindOf } from "./tensor_kind.ts";

const tensor = (name: string, datatype: DataType, dims: number[]) => ({
  name,
  modelName: name,
  datatype,
  kind: kindOf(datatype),
  dims,
});

function contract(maxBatchSize: number, outputs: [string, string?][], datatype: DataType = "UINT8"): ModelContract {
  return {
    model: "net",
    version: "2",
    platform: "onnxruntime",
    inputs: [{ ...tensor("image", datatype, [-1, -1, 3]), optional: false }],
    outputs: outputs.map(([name, labelFile]): ContractOutput => ({ ...tensor(name, "FP32", [25]), labelFile })),
    maxBatchSize,
    decoupled: false,
  };
}

describe("metadata", () => {
  const of = (model: ModelContract, labels?: { output: string; file: string }) =>
    metadataOf(model, model.outputs, labels, "2.51.0");

  test("a picture has four dimensions, whether the model has batches or not", () => {
    for (const maxBatchSize of [0, 8]) {
      const { inputInfo, outputInfo } = of(contract(maxBatchSize, [["score"]]));
      expect(inputInfo![0]).toMatchObject({ name: "image", dataType: "uint8", shape: [1, -1, -1, 3] });
      expect(outputInfo![0]).toMatchObject({ name: "score", shape: maxBatchSize > 0 ? [1, 25] : [25] });
    }
  });

  test("what stands for another datatype says so", () => {
    expect(of(contract(0, [["x"]], "FP16")).inputInfo![0]).toMatchObject({
      dataType: "float32",
      description: "FP16 in the model, converted.",
    });
    expect(of(contract(4, [["x"]])).inputInfo![0]!.description).toMatch(/up to 4/);
  });

  test("kinds of models by what they give", () => {
    expect(of(contract(0, [["location"], ["category"], ["score"]])).type).toBe("object_detector");
    expect(of(contract(0, [["probability"]])).type).toBe("classifier");
    expect(of(contract(0, [["x"]])).type).toBe("other");
    expect(of(contract(0, [["x"]]))).toMatchObject({
      name: "net",
      description: "Version 2 of net (onnxruntime) on Triton 2.51.0.",
    });
  });

  test("the first output names the file of labels, and the one that they belong to has it", () => {
    const { outputInfo } = of(contract(0, [["location"], ["category"]]), { output: "category", file: "/l.txt" });
    expect(outputInfo![0]).toMatchObject({ extra: { labels: "/l.txt" }, associatedFiles: [] });
    expect(outputInfo![1]!.extra).toBeUndefined();
    expect(outputInfo![1]!.associatedFiles).toMatchObject([{ name: "/l.txt", labelType: LabelType.TENSOR_VALUE }]);
  });
});

describe("labels", () => {
  let folder = "";
  beforeAll(() => {
    folder = mkdtempSync(path.join(os.tmpdir(), "labels-"));
    mkdirSync(path.join(folder, "net"));
    writeFileSync(path.join(folder, "net", "names.txt"), "a\nb\n");
    writeFileSync(path.join(folder, "mine.txt"), "c\n");
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  const of = (model: ModelContract, more: { [key: string]: Json } = {}) =>
    labelsOf(readAttributes({ model_name: "net", model_repository_path: folder, ...more }), model);

  test("those of the configuration lie in the model's folder", () => {
    const labels = of(contract(0, [["x"], ["y", "names.txt"]]));
    expect(labels).toEqual({ output: "y", file: path.join(folder, "net", "names.txt") });
    expect(of(contract(0, [["y", "missing.txt"]]))).toBeUndefined();
    expect(of(contract(0, [["y"]]))).toBeUndefined();
  });

  test("a path of the attributes wins, and must be there", () => {
    const file = path.join(folder, "mine.txt");
    expect(of(contract(0, [["y", "names.txt"]]), { label_path: file })).toEqual({ output: "y", file });
    expect(() => of(contract(0, [["y"]]), { label_path: `${file}s` })).toThrow(/mine.txts, which does not exist/);
  });

  test("a list of the attributes becomes a file, one for the same list", () => {
    const labels = of(contract(0, [["x"], ["probability"]]), { labels: ["stop sign", "yield"] })!;
    expect(labels.output).toBe("probability");
    expect(readFileSync(labels.file, "utf8")).toBe("stop sign\nyield\n");
    expect(of(contract(0, [["x"]]), { labels: ["stop sign", "yield"] })!.file).toBe(labels.file);
    expect(of(contract(0, [["x"]]), { labels: ["yield"] })!.file).not.toBe(labels.file);
  });
});
