// SPDX-License-Identifier: Apache-2.0
import { type InferenceResponse, Tensor } from "triton-typescript";
import { describe, expect, test } from "vitest";
import { fakeRequest } from "./testing/fake_request.ts";
import { load, values } from "./testing/load_model.ts";
import { type FileTensor, onnxFile } from "./testing/onnx_file.ts";

describe("outputs that no operator makes", () => {
  /** X is input and output, K a constant that is an output, Y a copy of both. */
  const file = (rows: "n" | 2) => {
    const tensor = (name: string, first: "n" | 1 | 2): FileTensor => ({ name, type: "FP32", shape: [first, 2] });
    const constant = { name: "K", type: "FP32", shape: [1, 2], data: Float32Array.of(5, 6) } as const;
    return onnxFile(
      [
        { op: "Add", inputs: ["X", "K"], outputs: ["Y"] },
        { op: "Reshape", inputs: ["X", "S"], outputs: ["Z"] },
      ],
      [tensor("X", rows)],
      [tensor("X", rows), tensor("K", 1), tensor("Y", rows), tensor("Z", rows)],
      [constant, { name: "S", type: "INT64", shape: [2], data: BigInt64Array.of(-1n, 2n) }],
    );
  };
  const request = (data: number[], wanted: string[] = []) =>
    fakeRequest([new Tensor("X", Float32Array.from(data), [data.length / 2, 2])], wanted);
  const all = (answer: unknown) => Object.fromEntries(["X", "K", "Y", "Z"].map((name) => [name, values(answer, name)]));
  const expected = { X: [1, 2, 3, 4], K: [5, 6], Y: [6, 8, 8, 10], Z: [1, 2, 3, 4] };
  const unbatched = { parameters: { MAX_ROWS_PER_RUN: { string_value: "1" } }, max_batch_size: 0 };

  test.each([
    ["a fixed shape", file(2), {}],
    ["an open shape", file("n"), {}],
    ["rows in pieces", file("n"), unbatched],
  ])("hold what the network gives, and no old memory: %s", async (_what, bytes, values) => {
    const { model } = await load(bytes, values);
    const [answer] = await model.execute([request([1, 2, 3, 4])]);
    expect(all(answer)).toEqual(expected);
    const answers = await model.execute([request([7, 8, 9, 0], ["X"]), request([1, 2, 3, 4], ["Z"])]);
    expect(answers.map((one) => (one as InferenceResponse).outputs.map(({ name, data }) => [name, [...data]]))).toEqual(
      [[["X", [7, 8, 9, 0]]], [["Z", [1, 2, 3, 4]]]],
    );
    await model.finalize();
  });

  test("are split among the requests of a shared run", async () => {
    const tensor = (name: string): FileTensor => ({ name, type: "FP32", shape: ["n", 2] });
    const twice = onnxFile([{ op: "Neg", inputs: ["X"], outputs: ["Y"] }], [tensor("X")], [tensor("X"), tensor("Y")]);
    const { model } = await load(twice);
    const answers = await model.execute([request([1, 2]), request([3, 4])]);
    expect(answers.map((answer) => values(answer, "X"))).toEqual([
      [1, 2],
      [3, 4],
    ]);
    await model.finalize();
  });
});

describe.each(["__proto__", "constructor", "toString"])("a tensor called %s", (odd) => {
  const tensor = (name: string): FileTensor => ({ name, type: "FP32", shape: ["n", 2] });
  const file = (input: string, output: string) =>
    onnxFile(
      [
        { op: "Neg", inputs: [input], outputs: [output] },
        { op: "Abs", inputs: [input], outputs: ["OTHER"] },
      ],
      [tensor(input)],
      [tensor(output), tensor("OTHER")],
    );

  test.each([
    ["input", odd, "OUT"],
    ["output", "IN", odd],
  ])("is an %s like any other", async (_kind, input, output) => {
    const { model } = await load(file(input, output));
    const request = (...wanted: string[]) => fakeRequest([new Tensor(input, Float32Array.of(1, -2), [1, 2])], wanted);
    const [single] = await model.execute([request(output)]);
    expect(values(single, output)).toEqual([-1, 2]);
    const [all, other] = await model.execute([request(), request("OTHER")]);
    expect(values(all, output)).toEqual([-1, 2]);
    expect(values(all, "OTHER")).toEqual([1, 2]);
    expect((other as InferenceResponse).outputs.map(({ name }) => name)).toEqual(["OTHER"]);
    const [alone] = await model.execute([request("OTHER")]);
    expect(values(alone, "OTHER")).toEqual([1, 2]);
    await model.finalize();
  });
});
