// SPDX-License-Identifier: Apache-2.0
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  AutoCompleteConfig,
  type DataType,
  InferenceResponse,
  type ModelConfig,
  Tensor,
  TritonError,
} from "triton-typescript";
import { afterAll, describe, expect, test } from "vitest";
import OnnxModel from "./model.ts";
import { fakeRequest } from "./testing/fake_request.ts";
import { type elementTypes, type FileTensor, onnxFile } from "./testing/onnx_file.ts";

const folder = mkdtempSync(join(tmpdir(), "onnx-backend-"));
afterAll(() => rmSync(folder, { recursive: true }));

function config(values: Partial<ModelConfig>): ModelConfig {
  return { name: "m", platform: "", backend: "onnxruntime", max_batch_size: 0, input: [], output: [], ...values };
}

/** Completes the configuration of a model file and starts an instance of it, as a server does. */
async function load(file: Uint8Array, values: Partial<ModelConfig> = {}, backendConfig: Record<string, string> = {}) {
  const modelDir = mkdtempSync(join(folder, "m-"));
  writeFileSync(join(modelDir, "model.onnx"), file);
  const auto = new AutoCompleteConfig(config(values));
  const place = {
    modelName: "m",
    modelVersion: "1",
    modelRepository: folder,
    modelDir,
    backendConfig,
    backendDirectory: folder,
  };
  await OnnxModel.autoCompleteConfig(auto, place);
  const model = new OnnxModel();
  await model.initialize({
    ...place,
    modelInstanceName: "m_0_0",
    modelInstanceKind: "CPU",
    modelInstanceDeviceId: "0",
    modelConfig: auto.config,
    modelConfigJson: JSON.stringify(auto.config),
  });
  return { model, config: auto.config };
}

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

function values(answer: unknown, name: string): unknown[] {
  expect(answer).toBeInstanceOf(InferenceResponse);
  return Array.from((answer as InferenceResponse).output(name)!.data as Float32Array);
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

const samples: Partial<Record<DataType, Tensor["data"] | string[]>> = {
  BOOL: Uint8Array.of(1, 0, 1),
  INT8: Int8Array.of(-128, 0, 127),
  INT16: Int16Array.of(-32768, 0, 32767),
  INT32: Int32Array.of(-2147483648, 0, 2147483647),
  INT64: BigInt64Array.of(-9223372036854775808n, 0n, 9223372036854775807n),
  UINT8: Uint8Array.of(0, 1, 255),
  UINT16: Uint16Array.of(0, 1, 65535),
  UINT32: Uint32Array.of(0, 1, 4294967295),
  UINT64: BigUint64Array.of(0n, 1n, 18446744073709551615n),
  FP16: Uint16Array.of(0x3c00, 0xc000, 0x7bff),
  FP32: Float32Array.of(-1.5, 0, 3.25),
  FP64: Float64Array.of(-1.5, 0, 1e300),
  BYTES: ["", "abc", "Größe 漢字"],
};

describe.each(Object.keys(samples) as (keyof typeof elementTypes)[])("type %s", (type) => {
  const file = onnxFile(
    [{ op: "Identity", inputs: ["IN"], outputs: ["OUT"] }],
    [{ name: "IN", type, shape: ["n", 3] }],
    [{ name: "OUT", type, shape: ["n", 3] }],
  );
  const tensor = (shape: number[]) => {
    const data = samples[type]!;
    const rows = Array.isArray(data) || shape[0] !== 0 ? data : data.subarray(0, 0);
    return new Tensor("IN", (shape[0] === 0 ? rows.slice(0, 0) : rows) as string[], shape, type as "BYTES");
  };

  test("passes one request, several at once, and no element at all", async () => {
    const { model } = await load(file);
    const expected = tensor([1, 3]);
    const check = (answer: unknown, shape: number[]) => {
      const out = (answer as InferenceResponse).output("OUT")!;
      expect(out.datatype).toBe(type);
      expect(out.shape).toEqual(shape);
      if (shape[0] === 0) expect(out.elementCount).toBe(0);
      else if (type === "BYTES") expect(out.strings()).toEqual(expected.strings());
      else
        expect(Array.from(out.data as unknown as Float32Array)).toEqual(
          Array.from(expected.data as unknown as Float32Array),
        );
    };
    const [single] = await model.execute([fakeRequest([tensor([1, 3])])]);
    check(single, [1, 3]);
    for (const answer of await model.execute([fakeRequest([tensor([1, 3])]), fakeRequest([tensor([1, 3])])])) {
      check(answer, [1, 3]);
    }
    const [empty] = await model.execute([fakeRequest([tensor([0, 3])])]);
    check(empty, [0, 3]);
    await model.finalize();
  });
});

describe("strings", () => {
  const file = onnxFile(
    [{ op: "Identity", inputs: ["IN"], outputs: ["OUT"] }],
    [{ name: "IN", type: "BYTES", shape: ["n", 2] }],
    [{ name: "OUT", type: "BYTES", shape: ["n", 2] }],
  );
  const request = (...elements: (string | Uint8Array)[]) => {
    const shape = [elements.length / 2, 2];
    // Serialized, as it comes from a client.
    return fakeRequest([new Tensor("IN", new Tensor("IN", elements, shape, "BYTES").data, shape, "BYTES")]);
  };

  test("arrive as the bytes that were sent", async () => {
    const { model } = await load(file);
    const odd = ["\ufeffmark", "\ufffd", "", "a\r\n", "\u{10ffff}", "é"];
    const [answer] = await model.execute([request(...odd)]);
    const bytes = (answer as InferenceResponse).output("OUT")!.bytes();
    expect(bytes.map((element) => Buffer.from(element).toString("hex"))).toEqual(
      odd.map((element) => Buffer.from(element).toString("hex")),
    );
    await model.finalize();
  });

  test.each([
    ["Latin-1", Uint8Array.of(0xe9, 0x74, 0xe9), "is not UTF-8"],
    ["half a letter", Uint8Array.of(0x61, 0xe6, 0xbc), "is not UTF-8"],
    ["a surrogate", Uint8Array.of(0xed, 0xa0, 0x80), "is not UTF-8"],
    ["a zero byte", Uint8Array.of(0x61, 0, 0x62), "holds a zero byte"],
  ])("that would not are refused, for their request alone: %s", async (_what, bytes, cause) => {
    const { model } = await load(file);
    const [good, bad] = await model.execute([request("a", "b"), request("\ufffd", bytes)]);
    expect((good as InferenceResponse).output("OUT")!.strings()).toEqual(["a", "b"]);
    expect((bad as TritonError).code).toBe("INVALID_ARG");
    expect((bad as TritonError).message).toContain(`Model 'm': element 1 of input 'IN' ${cause}`);
    await model.finalize();
  });
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
