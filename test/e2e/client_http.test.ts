// SPDX-License-Identifier: Apache-2.0
// The HTTP client of the package against the real server.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type GenerateResult, HttpClient, Tensor } from "../../client/http/index.ts";
import { SharedMemory } from "../../client/index.ts";
import { collect, failure } from "../../client/testing/calls.ts";
import { STREAMER, seenBy, TALKER, what } from "./harness/client_models.ts";
import { fetchOnce, Gate, startServer, type TestServer, until } from "./harness/index.ts";

let server: TestServer;
let client: HttpClient;

const outOf = (part: GenerateResult) => part["OUT"];

beforeAll(async () => {
  server = await startServer({
    modelControlMode: "explicit",
    loadModels: ["*"],
    models: ["identity", TALKER, STREAMER],
  });
  client = new HttpClient({ url: server.url, fetch: fetchOnce });
});
afterAll(() => client?.close());

/** Those that JSON has a form for, but for INT64 and UINT64 beyond 2^53. */
const PLAIN = [
  new Tensor("INPUT_BOOL", [true, false], [2]),
  new Tensor("INPUT_INT8", Int8Array.of(-128, 127), [2]),
  new Tensor("INPUT_INT16", Int16Array.of(-32768, 5), [2]),
  new Tensor("INPUT_INT32", Int32Array.of(-7), [1]),
  new Tensor("INPUT_UINT8", Uint8Array.of(1, 2, 255), [3]),
  new Tensor("INPUT_UINT16", Uint16Array.of(65535), [1]),
  new Tensor("INPUT_UINT32", Uint32Array.of(2 ** 32 - 1), [1]),
  new Tensor("INPUT_FP32", Float32Array.of(0.25, -1), [2]),
  new Tensor("INPUT_FP64", Float64Array.of(0.1), [1]),
];
const LONG = [
  new Tensor("INPUT_INT64", BigInt64Array.of(-(2n ** 63n)), [1]),
  new Tensor("INPUT_UINT64", BigUint64Array.of(2n ** 64n - 1n), [1]),
];
const HALF = [
  Tensor.fromFloat32("INPUT_FP16", Float32Array.of(0.5), [1], "FP16"),
  Tensor.fromFloat32("INPUT_BF16", Float32Array.of(-2), [1], "BF16"),
];
const outputOf = (input: { name: string }) => input.name.replace("INPUT", "OUTPUT");

describe("infer", () => {
  test.each([
    [
      "bytes",
      true,
      [...PLAIN, ...LONG, ...HALF, new Tensor("INPUT_BYTES", ["", "wörter", Uint8Array.of(0, 255)], [3])],
    ],
    ["JSON", false, [...PLAIN, new Tensor("INPUT_BYTES", ["", "wörter", '"\\\n'], [3])]],
  ])("sends datatypes as %s and gets them back", async (_form, binary, inputs) => {
    const requestedOutputs = inputs.map(outputOf);
    const result = await client.infer("identity", inputs as Tensor[], { binary, requestedOutputs });
    expect([result.modelName, result.modelVersion]).toEqual(["identity", "1"]);
    expect(result.outputs).toHaveLength(inputs.length);
    for (const input of inputs) {
      const output = result.output(outputOf(input), input.datatype);
      expect([output.name, output.shape, output.data]).toEqual([outputOf(input), input.shape, input.data]);
    }
  });

  test("numbers that lose digits in JSON are an error, and are sent with all of them", async () => {
    const [long] = LONG as [Tensor];
    const requestedOutputs = ["OUTPUT_INT64"];
    const error = await failure(client.infer("identity", [long], { binary: false, requestedOutputs }));
    expect(error.message).toContain("beyond 2^53");
    const exact = new Tensor("INPUT_INT64", BigInt64Array.of(-(2n ** 53n) + 1n), [1]);
    const result = await client.infer("identity", [exact], { binary: false, requestedOutputs });
    expect(result.output("OUTPUT_INT64", "INT64").data[0]).toBe(-(2n ** 53n) + 1n);
    const endless = new Tensor("INPUT_FP32", Float32Array.of(Number.NaN), [1]);
    expect((await failure(client.infer("identity", [endless], { binary: false }))).message).toContain("NaN");
  });

  test("gives all outputs when none is named, in the form that is wanted", async () => {
    for (const binary of [true, false]) {
      const inputs = [what("echo"), new Tensor("DATA", Float32Array.of(1.5), [1])];
      const result = await client.infer("talker", inputs, { binary });
      expect(result.output("DATA_OUT", "FP32").data[0]).toBe(1.5);
    }
  });

  test("carries large and empty tensors", async () => {
    const data = Float32Array.from({ length: 3 << 20 }, (_, i) => i);
    const inputs = [
      new Tensor("INPUT_INT8", Int8Array.of(1), [1]), // what lies behind it is not at a multiple of four
      new Tensor("INPUT_FP32", data, [data.length]),
      new Tensor("INPUT_FP64", new Float64Array(), [0]),
    ];
    const result = await client.infer("identity", inputs, { requestedOutputs: inputs.map(outputOf) });
    expect(result.output("OUTPUT_FP32", "FP32").data.every((value, i) => value === i)).toBe(true);
    expect(result.output("OUTPUT_FP64").shape).toEqual([0]);
  });

  test("carries ids, parameters, sequences and versions", async () => {
    const result = await client.infer("talker", [what("echo")], {
      id: "request 1",
      modelVersion: 1,
      correlationId: 2n ** 64n - 1n,
      sequenceStart: true,
      timeoutUs: 60_000_000,
      parameters: { text: "a", whole: 3, sure: false },
    });
    expect(seenBy(result)).toMatchObject({
      id: "request 1",
      parameters: { text: "a", whole: 3, sure: false },
      correlationId: "18446744073709551615",
      flags: 1,
    });
    expect(result.id).toBe("request 1");
    expect(result.parameters).toMatchObject({ text: "yes", whole: 7, sure: true });
  });

  test("classifies", async () => {
    const inputs = [new Tensor("INPUT_FP32", Float32Array.of(1, 9, 5), [3])];
    const requestedOutputs = [{ name: "OUTPUT_FP32", classification: 2 }];
    for (const binary of [true, false]) {
      const result = await client.infer("identity", inputs, { requestedOutputs, binary });
      expect(result.output("OUTPUT_FP32", "BYTES").strings()).toEqual(["9.000000:1", "5.000000:2"]);
    }
  });
});

describe("errors", () => {
  test.each([
    ["NOT_FOUND", "NOT_FOUND", 404],
    ["INVALID_ARG", "INVALID_ARG", 400],
    ["UNAVAILABLE", "UNAVAILABLE", 503],
    ["UNSUPPORTED", "UNSUPPORTED", 501],
    ["INTERNAL", "INTERNAL", 500],
    ["ALREADY_EXISTS", "INVALID_ARG", 400],
  ])("a model's %s is %s, by its status", async (thrown, code, status) => {
    const error = await failure(client.infer("talker", [what(thrown)]));
    expect(error).toMatchObject({ code, status, reason: "ANSWER", host: server.url, model: "talker" });
    expect(error.serverMessage).toContain(`The model says ${thrown}.`);
    expect(error.message).toContain(server.url);
  });

  test("options that cannot be sent, and names that no address can hold, are refused", async () => {
    expect((await failure(client.infer("", []))).message).toContain("'modelName'");
    for (const name of ["a b", "a/b", "a?b", "é", "..", "a%20b", "a\\b"]) {
      const error = await failure(client.infer(name, []));
      expect(error).toMatchObject({ code: "INVALID_ARG", reason: "REQUEST", model: name });
      expect(error.message).toContain("over gRPC");
    }
    expect((await failure(client.infer("talker", [], { deadlineMs: -1 }))).message).toContain("deadlineMs");
    expect((await failure(client.modelMetadata("talker", { modelVersion: "a" }))).message).toContain("modelVersion");
  });

  test("no server, and a port that is not of HTTP", async () => {
    const nobody = new HttpClient({ url: "127.0.0.1:1" });
    const error = await failure(nobody.infer("talker", [what("echo")]));
    expect(error).toMatchObject({ code: "UNAVAILABLE", reason: "UNREACHABLE", host: "http://127.0.0.1:1" });
    expect([await nobody.isLive(), await nobody.isReady()]).toEqual([false, false]);
    expect((await failure(nobody.isModelReady("talker"))).reason).toBe("UNREACHABLE");
    const grpc = new HttpClient({ url: `http://${server.grpcUrl}` });
    expect((await failure(grpc.serverMetadata())).message).toContain("HTTP is on 8000");
    const metrics = new HttpClient({ url: server.metricsUrl, fetch: fetchOnce });
    expect((await failure(metrics.serverMetadata())).reason).toMatch(/PROTOCOL|ANSWER/);
  });

  test("a deadline, a signal and close() end the call", async () => {
    const gate = new Gate();
    const late = await failure(client.infer("talker", [what(gate.folder)], { deadlineMs: 300 }));
    gate.open();
    expect(late).toMatchObject({ code: "UNAVAILABLE", reason: "DEADLINE" });
    expect(late.message).toMatch(/within 300 ms.*deadlineMs/);
    const controller = new AbortController();
    const call = failure(client.infer("talker", [what("nap")], { signal: controller.signal }));
    controller.abort(new Error("no more time"));
    expect(await call).toMatchObject({ reason: "CANCELLED", code: "CANCELLED" });
    expect((await call).message).toContain("no more time");
    expect((await failure(client.isLive({ signal: controller.signal }))).reason).toBe("CANCELLED");
    const own = new HttpClient({ url: server.url, fetch: fetchOnce });
    const open = failure(own.infer("talker", [what("nap")]));
    own.close();
    expect((await open).message).toContain("the client was closed");
    expect((await failure(own.isLive())).reason).toBe("CANCELLED");
  });
});

describe("generate", () => {
  test("gives the one response as JSON", async () => {
    const result = await client.generate(
      "talker",
      { WHAT: "echo", DATA: [0.5, 1] },
      {
        id: "g",
        parameters: { whole: 3, big: 2n ** 60n },
      },
    );
    expect(result).toMatchObject({ model_name: "talker", model_version: "1", DATA_OUT: [0.5, 1] });
    expect(JSON.parse(result["SEEN"] as string).parameters).toMatchObject({ whole: 3, big: `${2n ** 60n}n` });
    const error = await failure(client.generate("talker", { WHAT: "NOT_FOUND" }));
    expect(error.serverMessage).toContain("The model says NOT_FOUND.");
    expect((await failure(client.generate("streamer", { WHAT: "1 2" }))).reason).toBe("ANSWER");
  });

  test("streams the responses as they come, none too", async () => {
    expect((await collect(client.generateStream("streamer", { WHAT: "1 2 3" }))).map(outOf)).toEqual([1, 2, 3]);
    expect(await collect(client.generateStream("streamer", { WHAT: "" }))).toEqual([]);
  });

  test("streams errors as such, or as items when asked to", async () => {
    const seen: unknown[] = [];
    const read = async () => {
      for await (const part of client.generateStream("streamer", { WHAT: "1 error 3" })) seen.push(outOf(part));
    };
    expect((await failure(read())).serverMessage).toContain("half way");
    expect(seen).toEqual([1]);
    const all = await collect(client.generateStream("streamer", { WHAT: "1 error 3" }, { throwOnError: false }));
    expect(all.map((part) => part.error?.includes("half way") ?? outOf(part))).toEqual([1, true, 3]);
    const unknown = await failure(collect(client.generateStream("nobody", { WHAT: "1" })));
    expect(unknown).toMatchObject({ reason: "ANSWER", model: "nobody" });
  });

  test("leaving the loop, and a signal, end the stream", async () => {
    const over = "stream of 'for-ever' is over, cancelled: true";
    const isOverAgain = async (before: number) =>
      until(() => server.logLines(over).length > before, "the stream to be over", 60_000, server);
    let before = server.logLines(over).length;
    for await (const part of client.generateStream("streamer", { WHAT: "for-ever" }))
      if (Number(outOf(part)) > 3) break;
    await isOverAgain(before);
    before = server.logLines(over).length;
    const controller = new AbortController();
    const { signal } = controller;
    const read = async () => {
      for await (const part of client.generateStream("streamer", { WHAT: "for-ever" }, { signal })) {
        if (outOf(part) === 3) controller.abort();
      }
    };
    expect(await failure(read())).toMatchObject({ code: "CANCELLED", reason: "CANCELLED" });
    await isOverAgain(before);
  });
});

describe("the server and its models", () => {
  test("are described", async () => {
    expect([await client.isLive(), await client.isReady()]).toEqual([true, true]);
    expect(await client.serverMetadata()).toMatchObject({ name: "triton" });
    expect(await client.modelMetadata("identity", { modelVersion: 1 })).toMatchObject({ name: "identity" });
    expect((await client.modelConfig("streamer")).input[0]).toMatchObject({ name: "WHAT", data_type: "TYPE_STRING" });
    const models = await client.repositoryIndex({ ready: true });
    expect(models.map(({ name, state }) => [name, state])).toContainEqual(["identity", "READY"]);
    const [one] = await client.statistics("talker", { modelVersion: "1" });
    expect(one).toMatchObject({ name: "talker", version: "1" });
    expect((await client.statistics()).length).toBeGreaterThan(2);
  });

  test("are loaded with a configuration and files of the caller, and unloaded", async () => {
    const config = {
      backend: "typescript",
      input: [{ name: "IN", data_type: "TYPE_INT32", dims: [1] }],
      output: [{ name: "OUT", data_type: "TYPE_INT32", dims: [1] }],
    };
    const source = `import { InferenceResponse, Tensor } from "triton-typescript";
export default class { execute(requests) { // größer
  return requests.map((request) => new InferenceResponse([new Tensor("OUT", request.input("IN", "INT32").data.map((x) => 2 * x), [1])]));
} }`;
    await client.loadModel("made_here", { config, files: { "1/model.ts": source } });
    expect(await client.isModelReady("made_here")).toBe(true);
    const result = await client.infer("made_here", [new Tensor("IN", Int32Array.of(21), [1])]);
    expect(result.output("OUT", "INT32").data[0]).toBe(42);
    await client.unloadModel("made_here", { unloadDependents: true });
    await until(async () => !(await client.isModelReady("made_here")), "the model to be gone", 60_000, server);
    expect(await client.isModelReady("nobody")).toBe(false);
    expect((await failure(client.loadModel("nobody"))).message).toContain("load model 'nobody'");
  });

  test("have settings of log and traces that are read and changed", async () => {
    expect(await client.logSettings({ log_verbose_level: 1 })).toMatchObject({ log_verbose_level: 1 });
    expect(await client.logSettings({ log_verbose_level: 0 })).toMatchObject({ log_verbose_level: 0 });
    expect(await client.logSettings()).toMatchObject({ log_verbose_level: 0 });
    expect(await client.traceSettings({ trace_rate: "5" })).toMatchObject({ trace_rate: "5" });
    expect(await client.traceSettings({ trace_rate: null })).toMatchObject({ trace_rate: "1000" });
    expect(await client.traceSettings({}, { modelName: "talker" })).toMatchObject({ trace_rate: "1000" });
  });
});

test.skipIf(process.platform !== "linux")("inputs and outputs in shared memory are not sent", async () => {
  using memory = SharedMemory.create({ byteSize: 4096 });
  await client.registerSystemSharedMemory(memory);
  expect(await client.systemSharedMemoryStatus()).toMatchObject([{ name: memory.name, byte_size: 4096 }]);
  const input = memory.place(new Tensor("INPUT_FP32", Float32Array.of(1, 2), [2]), 64);
  const requestedOutputs = [{ name: "OUTPUT_FP32", memory: memory.range(128, 8) }];
  input.data[0] = 100;
  const result = await client.infer("identity", [input], { requestedOutputs });
  expect([...result.output("OUTPUT_FP32", "FP32").data]).toEqual([100, 2]);
  expect([...new Float32Array(memory.buffer.buffer, 128, 2)]).toEqual([100, 2]);
  await client.unregisterSystemSharedMemory(memory);
  expect(await client.systemSharedMemoryStatus()).toEqual([]);
});
