// SPDX-License-Identifier: Apache-2.0
import { type InferenceResponse, Tensor, TritonError } from "triton-typescript";
import { describe, expect, test } from "vitest";
import { fakeRequest } from "./testing/fake_request.ts";
import { load, values } from "./testing/load_model.ts";
import { type FileTensor, onnxFile } from "./testing/onnx_file.ts";

/** Sum of A and B, both FP32. */
function addFile(shape: FileTensor["shape"]): Uint8Array {
  const tensor = (name: string): FileTensor => ({ name, type: "FP32", shape });
  const nodes = [
    { op: "Add", inputs: ["A", "B"], outputs: ["SUM"] },
    { op: "Sub", inputs: ["A", "B"], outputs: ["DIFFERENCE"] },
  ];
  return onnxFile(nodes, [tensor("A"), tensor("B")], [tensor("SUM"), tensor("DIFFERENCE")]);
}

function pair(a: number[], b: number[], shape: number[]): Tensor[] {
  return [new Tensor("A", Float32Array.from(a), shape), new Tensor("B", Float32Array.from(b), shape)];
}

describe("batching", () => {
  test("requests of equal shapes share a run and get their own rows back", async () => {
    const { model } = await load(addFile(["n", 2]));
    const answers = await model.execute([
      fakeRequest(pair([1, 2], [10, 20], [1, 2])),
      fakeRequest(pair([3, 4, 5, 6], [30, 40, 50, 60], [2, 2])),
      fakeRequest(pair([7, 8], [70, 80], [1, 2])),
    ]);
    expect(answers.map((answer) => values(answer, "SUM"))).toEqual([
      [11, 22],
      [33, 44, 55, 66],
      [77, 88],
    ]);
    expect((answers[1] as InferenceResponse).output("SUM")!.shape).toEqual([2, 2]);
    await model.finalize();
  });

  test("requests of other shapes run apart, in the order of the requests", async () => {
    const { model } = await load(addFile(["n", "w"]));
    const answers = await model.execute([
      fakeRequest(pair([1, 2], [1, 1], [1, 2])),
      fakeRequest(pair([1, 2, 3], [1, 1, 1], [1, 3])),
      fakeRequest(pair([5, 6], [1, 1], [1, 2])),
    ]);
    expect(answers.map((answer) => values(answer, "SUM"))).toEqual([
      [2, 3],
      [2, 3, 4],
      [6, 7],
    ]);
    await model.finalize();
  });

  test("a request that does not fit fails alone and is told model, tensor and shapes", async () => {
    const { model } = await load(addFile(["n", 2]));
    const answers = await model.execute([
      fakeRequest(pair([1, 2], [1, 1], [1, 2])),
      fakeRequest(pair([1, 2, 3], [1, 1, 1], [1, 3])),
    ]);
    expect(values(answers[0], "SUM")).toEqual([2, 3]);
    expect(answers[1]).toBeInstanceOf(TritonError);
    expect((answers[1] as TritonError).code).toBe("INVALID_ARG");
    expect((answers[1] as TritonError).message).toMatch(/Model 'm': input 'A' has the shape \[1,3\].*\[-1,2\]/);
    await model.finalize();
  });

  test("when a shared run fails, each request gets an answer of its own", async () => {
    const { model } = await load(addFile(["n", "w"]));
    const broken = [new Tensor("A", Float32Array.of(1, 2), [1, 2]), new Tensor("B", Float32Array.of(1, 2, 3), [1, 3])];
    const answers = await model.execute([
      fakeRequest(broken),
      fakeRequest(broken),
      fakeRequest(pair([1], [2], [1, 1])),
    ]);
    expect((answers[0] as TritonError).message).toMatch(/^Model 'm': ONNX Runtime could not run the model/);
    expect(answers[1]).toBeInstanceOf(TritonError);
    expect(values(answers[2], "SUM")).toEqual([3]);
    await model.finalize();
  });

  test("a model whose output does not follow the batch still answers each request", async () => {
    const file = onnxFile(
      [{ op: "Shape", inputs: ["A"], outputs: ["SHAPE"] }],
      [{ name: "A", type: "FP32", shape: ["n", 2] }],
      [{ name: "SHAPE", type: "INT64", shape: ["k"] }],
    );
    const { model } = await load(file);
    const one = () => fakeRequest([new Tensor("A", Float32Array.of(1, 2), [1, 2])]);
    const answers = await model.execute([one(), one(), one()]);
    expect(answers.map((answer) => values(answer, "SHAPE"))).toEqual([
      [1n, 2n],
      [1n, 2n],
      [1n, 2n],
    ]);
    await model.finalize();
  });
});

describe("MAX_ROWS_PER_RUN", () => {
  /** What a row gives depends on the rows that share its run: each element minus the greatest one. */
  const file = onnxFile(
    [
      { op: "ReduceMax", inputs: ["A"], outputs: ["MOST"] },
      { op: "Sub", inputs: ["A", "MOST"], outputs: ["OUT"] },
    ],
    [{ name: "A", type: "FP32", shape: ["n", 2] }],
    [{ name: "OUT", type: "FP32", shape: ["n", 2] }],
  );
  const request = (...rows: number[]) => fakeRequest([new Tensor("A", Float32Array.from(rows), [rows.length / 2, 2])]);
  const limited = (rows: number) => ({ parameters: { MAX_ROWS_PER_RUN: { string_value: String(rows) } } });

  test("cuts a request with more rows, and joins no more of them", async () => {
    const { model } = await load(file, limited(1));
    const answers = await model.execute([request(1, 2, 5, 6), request(7, 9)]);
    expect(answers.map((answer) => values(answer, "OUT"))).toEqual([
      [-1, 0, -1, 0],
      [-2, 0],
    ]);
    await model.finalize();
  });

  test("leaves fewer rows together", async () => {
    const { model } = await load(file, limited(2));
    const answers = await model.execute([request(1, 2), request(5, 6)]);
    expect(answers.map((answer) => values(answer, "OUT"))).toEqual([
      [-5, -4],
      [-1, 0],
    ]);
    await model.finalize();
  });
});

describe("outputs", () => {
  test("only requested outputs are made", async () => {
    const { model } = await load(addFile(["n", 2]));
    const [answer] = await model.execute([fakeRequest(pair([1, 2], [1, 1], [1, 2]), ["DIFFERENCE"])]);
    expect((answer as InferenceResponse).outputs.map((tensor) => tensor.name)).toEqual(["DIFFERENCE"]);
    expect(values(answer, "DIFFERENCE")).toEqual([0, 1]);
    await model.finalize();
  });

  test("in a shared run, each request gets what it asked for", async () => {
    const { model } = await load(addFile(["n", 2]));
    const answers = await model.execute([
      fakeRequest(pair([1, 2], [1, 1], [1, 2]), ["DIFFERENCE"]),
      fakeRequest(pair([1, 2], [1, 1], [1, 2]), ["SUM"]),
    ]);
    const names = answers.map((answer) => (answer as InferenceResponse).outputs.map((tensor) => tensor.name));
    expect(names).toEqual([["DIFFERENCE"], ["SUM"]]);
    await model.finalize();
  });

  test("a model without a batch dimension answers requests one by one", async () => {
    const { model, config: completed } = await load(addFile([2]));
    expect(completed.max_batch_size).toBe(0);
    const answers = await model.execute([
      fakeRequest(pair([1, 2], [1, 1], [2])),
      fakeRequest(pair([3, 4], [1, 1], [2])),
    ]);
    expect(answers.map((answer) => values(answer, "SUM"))).toEqual([
      [2, 3],
      [4, 5],
    ]);
    await model.finalize();
  });
});

describe("a single value", () => {
  /** Y is X times K, S the sum of Y; K and S are single values. */
  const file = onnxFile(
    [
      { op: "Mul", inputs: ["X", "K"], outputs: ["Y"] },
      { op: "ReduceSum", inputs: ["Y"], outputs: ["S"], attributes: { keepdims: 0 } },
    ],
    [
      { name: "X", type: "FP32", shape: ["n"] },
      { name: "K", type: "FP32", shape: [] },
    ],
    [
      { name: "Y", type: "FP32", shape: ["n"] },
      { name: "S", type: "FP32", shape: [] },
    ],
  );
  const request = (shape: number[], k: number[]) =>
    fakeRequest([new Tensor("X", Float32Array.of(1, 2, 3), [3]), new Tensor("K", Float32Array.from(k), shape)]);

  test("travels with the dimension that Triton wants", async () => {
    const { model, config: completed } = await load(file);
    expect(completed.max_batch_size).toBe(0);
    expect(completed.input[1]!.dims).toEqual([1]);
    const answers = await model.execute([request([1], [10]), request([2], [10, 20]), request([], [1])]);
    expect(values(answers[0], "Y")).toEqual([10, 20, 30]);
    expect(values(answers[0], "S")).toEqual([60]);
    expect((answers[0] as InferenceResponse).output("S")!.shape).toEqual([1]);
    expect((answers[1] as TritonError).message).toMatch(/input 'K' has the shape \[2\]/);
    expect(values(answers[2], "S")).toEqual([6]);
    await model.finalize();
  });

  test("travels with as many dimensions as the configuration says", async () => {
    const fp32 = { data_type: "TYPE_FP32" } as const;
    const { model } = await load(file, {
      input: [
        { name: "X", ...fp32, dims: [-1] },
        { name: "K", ...fp32, dims: [1, 1] },
      ],
      output: [{ name: "S", ...fp32, dims: [1, 1, 1] }],
    });
    const [answer] = await model.execute([request([1, 1], [10])]);
    expect((answer as InferenceResponse).output("S")!.shape).toEqual([1, 1, 1]);
    await model.finalize();
  });
});

test("an output of another shape than the file declares is answered as the network gives it", async () => {
  const file = onnxFile(
    [{ op: "Reshape", inputs: ["X", "S"], outputs: ["Y"] }],
    [{ name: "X", type: "FP32", shape: [1, "w"] }],
    [{ name: "Y", type: "FP32", shape: [2, 1] }],
    [{ name: "S", type: "INT64", shape: [3], data: BigInt64Array.of(-1n, 1n, 1n) }],
  );
  const { model } = await load(file);
  const [answer] = await model.execute([fakeRequest([new Tensor("X", Float32Array.of(1, 2, 3), [1, 3])])]);
  expect(values(answer, "Y")).toEqual([1, 2, 3]);
  expect((answer as InferenceResponse).output("Y")!.shape).toEqual([3, 1, 1]);
  await model.finalize();
});

describe("model files that cannot be served", () => {
  test("bytes that are no ONNX file", async () => {
    await expect(load(Buffer.from("not an ONNX file"))).rejects.toThrow(
      /^Model 'm': ONNX Runtime could not open '.*model.onnx'/,
    );
  });

  test("a tensor type that Triton or the library does not have", async () => {
    const tensor = (name: string): FileTensor => ({ name, type: "BF16", shape: ["n"] });
    const file = onnxFile([{ op: "Identity", inputs: ["IN"], outputs: ["OUT"] }], [tensor("IN")], [tensor("OUT")]);
    await expect(load(file)).rejects.toThrow(/^Model 'm'/);
  });
});
