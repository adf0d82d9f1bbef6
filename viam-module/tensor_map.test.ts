// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from "vitest";
import { type DataType, Tensor } from "../client/index.ts";
import type { ContractInput, ContractOutput, ModelContract } from "./model_contract.ts";
import { kindOf, type ViamTensor } from "./tensor_kind.ts";
import { carriedOutputs, toModel, toViam } from "./tensor_map.ts";

const input = (name: string, datatype: DataType, dims: number[], optional = false): ContractInput => ({
  name,
  modelName: name.toUpperCase(),
  datatype,
  kind: kindOf(datatype),
  dims,
  optional,
});
const output = (name: string, datatype: DataType): ContractOutput => ({
  ...input(name, datatype, [-1]),
  labelFile: undefined,
});

const contract = (inputs: ContractInput[], maxBatchSize = 0, outputs: ContractOutput[] = []): ModelContract => ({
  model: "net",
  version: "1",
  platform: "typescript",
  inputs,
  outputs,
  maxBatchSize,
  decoupled: false,
});

const given = (tensors: Record<string, ViamTensor>) => new Map(Object.entries(tensors));
const pixels = (shape: number[]): ViamTensor => ({
  kind: "uint8",
  shape,
  data: new Uint8Array(shape.reduce((product, size) => product * size, 1)),
});

describe("to the model", () => {
  test("datatypes that Viam lacks are made of the kinds that stand for them", () => {
    const net = contract([
      input("flag", "BOOL", [-1]),
      input("half", "FP16", [-1]),
      input("brain", "BF16", [-1]),
      input("text", "BYTES", [1]),
    ]);
    const { tensors } = toModel(
      net,
      given({
        flag: { kind: "uint8", shape: [3], data: Uint8Array.of(0, 1, 255) },
        half: { kind: "float32", shape: [2], data: Float32Array.of(1, -0.5) },
        brain: { kind: "float32", shape: [1], data: Float32Array.of(2) },
        text: { kind: "uint8", shape: [5], data: new TextEncoder().encode("hello") },
      }),
    );
    expect(tensors.map(({ name, datatype, shape }) => [name, datatype, shape])).toEqual([
      ["FLAG", "BOOL", [3]],
      ["HALF", "FP16", [2]],
      ["BRAIN", "BF16", [1]],
      ["TEXT", "BYTES", [1]],
    ]);
    expect(tensors[0]!.data).toEqual(Uint8Array.of(0, 1, 1));
    expect(tensors[1]!.data).toEqual(Uint16Array.of(0x3c00, 0xb800));
    expect(tensors[2]!.data).toEqual(Uint16Array.of(0x4000));
    expect(tensors[3]!.strings()).toEqual(["hello"]);
  });

  test("data of kinds that both have is not copied", () => {
    const image = pixels([1, 5, 5, 3]);
    const { tensors } = toModel(contract([input("image", "UINT8", [-1, -1, 3])], 2), given({ image }));
    expect(tensors[0]!.data).toBe(image.data);
  });

  test("whether batches were added holds for all inputs together", () => {
    const net = contract([input("a", "UINT8", [2]), input("b", "UINT8", [2])], 8);
    expect(toModel(net, given({ a: pixels([2]), b: pixels([2]) })).batchAdded).toBe(true);
    expect(toModel(net, given({ a: pixels([2]), b: pixels([1, 2]) })).batchAdded).toBe(false);
  });

  const net = contract([input("image", "UINT8", [-1, -1, 3]), input("scale", "FP32", [1], true)], 2);
  const wanted = 'The model "net" takes "image" (uint8 [1, -1, -1, 3]), "scale" (float32 [1, 1], optional).';
  test.each<[string, ModelContract, Record<string, ViamTensor>, string]>([
    ["a wrong name", net, { imgae: pixels([5, 5, 3]) }, `There is no input "imgae". ${wanted} Did you mean "image"?`],
    ["nothing", net, {}, `The input "image" is missing. ${wanted}`],
    [
      "another kind",
      net,
      { image: { kind: "float32", shape: [1, 1, 3], data: new Float32Array(3) } },
      'The input "image" of the model "net" must be uint8 [1, -1, -1, 3], not float32.',
    ],
    [
      "another shape",
      net,
      { image: pixels([5, 5, 4]) },
      'The input "image" of the model "net" must be uint8 [1, -1, -1, 3], not [5, 5, 4]. ',
    ],
    ["too many rows", net, { image: pixels([3, 5, 5, 3]) }, 'at most 2 rows at once, but the input "image" has 3.'],
    [
      "data that does not fill its shape",
      net,
      { image: { ...pixels([5, 5, 3]), shape: [5, 6, 3] } },
      'The shape [5, 6, 3] of the input "image" has 90 elements, but its data 75.',
    ],
    [
      "one text for several",
      contract([input("texts", "BYTES", [2])]),
      { texts: pixels([4]) },
      'The input "texts" of the model "net" holds 2 texts, and Viam\'s tensors can carry one.',
    ],
  ])("%s is told with what the model wants", (_, model, tensors, sentence) => {
    expect(() => toModel(model, given(tensors))).toThrow(sentence);
  });
});

describe("from the model", () => {
  test("floats of 16 bits come as 32-bit ones, texts as JSON, what was not asked for is left out", () => {
    const outputs = [output("half", "FP16"), output("flag", "BOOL"), output("text", "BYTES")];
    const tensors = [
      new Tensor("HALF", Uint16Array.of(0x3c00), [1, 1], "FP16"),
      new Tensor("FLAG", [true, false], [1, 2]),
      new Tensor("TEXT", ['a"b', "ü"], [1, 2]),
      new Tensor("MORE", new Uint8Array(1), [1]),
    ];
    const mapped = toViam(outputs, tensors, false);
    expect([...mapped.keys()]).toEqual(["half", "flag", "text"]);
    expect(mapped.get("half")).toEqual({ kind: "float32", shape: [1, 1], data: Float32Array.of(1) });
    expect(mapped.get("flag")).toEqual({ kind: "uint8", shape: [1, 2], data: Uint8Array.of(1, 0) });
    expect(JSON.parse(Buffer.from(mapped.get("text")!.data as Uint8Array).toString())).toEqual(['a"b', "ü"]);
  });

  test("who sends no batch gets none", () => {
    const shapes = (shape: number[], batchAdded: boolean) =>
      toViam([output("x", "UINT8")], [new Tensor("X", pixels(shape).data as Uint8Array, shape)], batchAdded).get("x")!
        .shape;
    expect(shapes([1, 4, 2], true)).toEqual([4, 2]);
    expect(shapes([1, 4, 2], false)).toEqual([1, 4, 2]);
    expect(shapes([1], true)).toEqual([1]); // of no dimension at all there is no tensor in Viam
    expect(shapes([4, 2], true)).toEqual([4, 2]);
  });

  test("which outputs are carried", () => {
    const net = contract([], 0, [output("a", "FP32"), output("b", "BYTES")]);
    expect(carriedOutputs(net, "leave_out").map(({ name }) => name)).toEqual(["a"]);
    expect(carriedOutputs(net, "json").map(({ name }) => name)).toEqual(["a", "b"]);
  });
});
