// SPDX-License-Identifier: Apache-2.0
// A stock ONNX model, as one writes it for NVIDIA's onnxruntime backend, on the embedded server.
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type FileTensor, onnxFile } from "../../backends/onnxruntime/testing/onnx_file.ts";
import {
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

beforeAll(async () => {
  const accelerators = 'optimization { execution_accelerators { gpu_execution_accelerator [ { name: "tensorrt" } ] } }';
  const models = [
    { name: "bare", config: 'backend: "onnxruntime"' },
    { name: "accelerated", config: `backend: "onnxruntime"\n${accelerators}` },
    { name: "broken", config: 'backend: "onnxruntime"' },
  ];
  repository = makeRepository(models);
  for (const { name } of models) {
    mkdirSync(path.join(repository, name, "1"));
    writeFileSync(path.join(repository, name, "1", "model.onnx"), name === "broken" ? "no network" : addFile());
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
  const [stats] = await statistics(server, "bare");
  expect(stats!.inference_count).toBeGreaterThanOrEqual(32);
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
