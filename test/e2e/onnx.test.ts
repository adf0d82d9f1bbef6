// SPDX-License-Identifier: Apache-2.0
// A stock ONNX model, as one writes it for NVIDIA's onnxruntime backend, on the embedded server.
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type FileTensor, onnxFile } from "../../backends/onnxruntime/testing/onnx_file.ts";
import {
  eventually,
  makeRepository,
  requestJson,
  startServer,
  statistics,
  type TestServer,
  TritonClient,
  tensor,
  values,
} from "./harness/index.ts";

let server: TestServer;
let client: TritonClient;
let repository: string;

/** Sum of A and B, rows of two numbers. */
function addFile(): Uint8Array {
  const rows = (name: string): FileTensor => ({ name, type: "FP32", shape: ["n", 2] });
  return onnxFile([{ op: "Add", inputs: ["A", "B"], outputs: ["SUM"] }], [rows("A"), rows("B")], [rows("SUM")]);
}

/** X is an input and an output, Y twice as much. */
function passOnFile(): Uint8Array {
  const x: FileTensor = { name: "X", type: "FP32", shape: ["n", 3] };
  return onnxFile([{ op: "Add", inputs: ["X", "X"], outputs: ["Y"] }], [x], [x, { ...x, name: "Y" }]);
}

/** The sum of X times K; K and the sum have no dimension. */
function singleValueFile(): Uint8Array {
  return onnxFile(
    [
      { op: "Mul", inputs: ["X", "K"], outputs: ["Y"] },
      { op: "ReduceSum", inputs: ["Y"], outputs: ["SUM"], attributes: { keepdims: 0 } },
    ],
    [
      { name: "X", type: "FP32", shape: ["n"] },
      { name: "K", type: "FP32", shape: [] },
    ],
    [{ name: "SUM", type: "FP32", shape: [] }],
  );
}

/** A column of X's numbers, declared as two rows of two whatever X is. */
function misdeclaredFile(): Uint8Array {
  return onnxFile(
    [{ op: "Reshape", inputs: ["X", "S"], outputs: ["Y"] }],
    [{ name: "X", type: "FP32", shape: [1, "w"] }],
    [{ name: "Y", type: "FP32", shape: [2, 2] }],
    [{ name: "S", type: "INT64", shape: [3], data: BigInt64Array.of(-1n, 1n, 1n) }],
  );
}

function stringsFile(): Uint8Array {
  const words: FileTensor = { name: "IN", type: "BYTES", shape: ["n", 2] };
  return onnxFile([{ op: "Identity", inputs: ["IN"], outputs: ["OUT"] }], [words], [{ ...words, name: "OUT" }]);
}

beforeAll(async () => {
  const accelerators = 'optimization { execution_accelerators { gpu_execution_accelerator [ { name: "tensorrt" } ] } }';
  const bare = 'backend: "onnxruntime"';
  const models = [
    { name: "bare", config: bare, file: addFile() },
    { name: "accelerated", config: `backend: "onnxruntime"\n${accelerators}`, file: addFile() },
    { name: "misdeclared", config: bare, file: misdeclaredFile() },
    { name: "broken", config: bare, file: Buffer.from("no network") },
    { name: "passes_on", config: `${bare}\ninstance_group { count: 1 kind: KIND_CPU }`, file: passOnFile() },
    { name: "single", config: bare, file: singleValueFile() },
    { name: "strings", config: bare, file: stringsFile() },
    { name: "leaves", config: `${bare}\ndefault_model_filename: "../../bare/1/model.onnx"`, file: addFile() },
  ];
  repository = makeRepository(models);
  for (const { name, file } of models) {
    mkdirSync(path.join(repository, name, "1"));
    writeFileSync(path.join(repository, name, "1", "model.onnx"), file);
  }
  server = await startServer({ repository });
  client = new TritonClient(server);
});

afterAll(() => rmSync(repository, { recursive: true, force: true }));

const rows = (name: string, data: number[]) => tensor(name, "FP32", data, [data.length / 2, 2]);

test("one line of configuration is enough: the rest is read from the file", async () => {
  const { body } = await requestJson(`${server.url}/v2/models/bare/config`);
  expect(body).toMatchObject({
    backend: "onnxruntime",
    max_batch_size: 4,
    dynamic_batching: {},
    input: [
      { name: "A", data_type: "TYPE_FP32", dims: [2] },
      { name: "B", data_type: "TYPE_FP32", dims: [2] },
    ],
    output: [{ name: "SUM", data_type: "TYPE_FP32", dims: [2] }],
  });
});

test.each(["http", "grpc"] as const)("answers over %s", async (protocol) => {
  const reply = await client.infer(protocol, "bare", {
    inputs: [rows("A", [1, 2, 3, 4]), rows("B", [10, 20, 30, 40])],
  });
  expect(values(reply.output("SUM"))).toEqual([11, 22, 33, 44]);
});

test("requests of many clients at once get their own rows back", async () => {
  const answers = await Promise.all(
    Array.from({ length: 32 }, (_, i) =>
      client.infer("grpc", "bare", { inputs: [rows("A", [i, i]), rows("B", [i, 1000])] }),
    ),
  );
  answers.forEach((answer, i) => {
    expect(values(answer.output("SUM"))).toEqual([2 * i, i + 1000]);
  });
  await eventually(async () => {
    const [stats] = await statistics(server, "bare");
    expect(stats!.inference_count).toBeGreaterThanOrEqual(32);
  });
});

test("an output that is an input is this request's, not what an earlier one left in memory", async () => {
  const x = (value: number) => ({ inputs: [tensor("X", "FP32", [value, value, value], [1, 3])] });
  for (const protocol of ["http", "grpc"] as const) {
    const first = await client.infer(protocol, "passes_on", { ...x(1234), outputs: [{ name: "Y" }] });
    expect(values(first.output("Y"))).toEqual([2468, 2468, 2468]);
    const second = await client.infer(protocol, "passes_on", { ...x(7), outputs: [{ name: "X" }] });
    expect(values(second.output("X"))).toEqual([7, 7, 7]);
  }
});

test("tensors without a dimension travel with one", async () => {
  const inputs = [tensor("X", "FP32", [1, 2, 3], [3]), tensor("K", "FP32", [10], [1])];
  const { output } = await client.infer("grpc", "single", { inputs });
  expect([output("SUM").shape, values(output("SUM"))]).toEqual([[1], [60]]);
});

test("an output has the shape that the network gives, whatever the file declares", async () => {
  const inputs = [tensor("X", "FP32", [1, 2, 3], [1, 3])];
  for (const protocol of ["http", "grpc"] as const) {
    const { output } = await client.infer(protocol, "misdeclared", { inputs });
    expect([output("Y").shape, values(output("Y"))]).toEqual([
      [3, 1, 1],
      [1, 2, 3],
    ]);
  }
});

test("strings come back as they were sent, or are refused", async () => {
  const ask = (...elements: Uint8Array[]) =>
    client.infer("grpc", "strings", { inputs: [tensor("IN", "BYTES", elements, [1, 2])] });
  const sent = [Buffer.from("\ufeffé\ufffd"), Buffer.alloc(0)];
  const { output } = await ask(...sent);
  expect((output("OUT").data as Uint8Array[]).map((bytes) => Buffer.from(bytes))).toEqual(sent);
  await expect(ask(Uint8Array.of(0xe9), sent[1]!)).rejects.toThrow(/element 0 of input 'IN' is not UTF-8/);
  await expect(ask(sent[0]!, Uint8Array.of(0x61, 0))).rejects.toThrow(/element 1 of input 'IN' holds a zero byte/);
});

test("a file name of the configuration stays in the version folder", async () => {
  const { body } = await requestJson(`${server.url}/v2/repository/index`, {});
  const leaves = body.find(({ name }: { name: string }) => name === "leaves");
  expect(leaves.reason).toMatch(
    /default_model_filename '\.\.\/\.\.\/bare\/1\/model\.onnx' leads out of the version folder/,
  );
});

test("an accelerator that this machine cannot have is ignored with a warning", async () => {
  await server.waitForLog(/^W.*accelerated.*execution_accelerators/m);
  expect(await server.isModelReady("accelerated")).toBe(true);
});

test("a file that is no network fails its own model only", async () => {
  const { body } = await requestJson(`${server.url}/v2/repository/index`, {});
  const broken = body.find(({ name }: { name: string }) => name === "broken");
  expect(broken.state).toBe("UNAVAILABLE");
  expect(broken.reason).toMatch(/ONNX Runtime could not open '.*broken\/1\/model\.onnx'/);
  expect(await server.isModelReady("bare")).toBe(true);
});
