// SPDX-License-Identifier: Apache-2.0
// The gRPC client of the package against the real server.
import { existsSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { GrpcClient, type InferenceResult, SharedMemory, Tensor } from "../../client/index.ts";
import { collect, failure } from "../../client/testing/calls.ts";
import { STREAMER, seenBy, TALKER, what } from "./harness/client_models.ts";
import { eventually, startServer, type TestServer, until } from "./harness/index.ts";

let server: TestServer;
let client: GrpcClient;

const numberOf = (result: InferenceResult) => result.output("OUT", "INT32").data[0];

beforeAll(async () => {
  server = await startServer({
    modelControlMode: "explicit",
    loadModels: ["*"],
    models: ["identity", TALKER, STREAMER],
  });
  client = new GrpcClient({ url: server.grpcUrl });
  server.closeAtStop(client);
});
afterAll(() => client?.close());

describe("infer", () => {
  test("sends every datatype and gets it back", async () => {
    const inputs = [
      new Tensor("INPUT_BOOL", [true, false], [2]),
      new Tensor("INPUT_INT8", Int8Array.of(-128, 127), [2]),
      new Tensor("INPUT_INT16", Int16Array.of(-32768, 5), [2]),
      new Tensor("INPUT_INT32", Int32Array.of(-7), [1]),
      new Tensor("INPUT_INT64", BigInt64Array.of(-(2n ** 63n)), [1]),
      new Tensor("INPUT_UINT8", Uint8Array.of(1, 2, 255), [3]),
      new Tensor("INPUT_UINT16", Uint16Array.of(65535), [1]),
      new Tensor("INPUT_UINT32", Uint32Array.of(2 ** 32 - 1), [1]),
      new Tensor("INPUT_UINT64", BigUint64Array.of(2n ** 64n - 1n), [1]),
      Tensor.fromFloat32("INPUT_FP16", Float32Array.of(0.5), [1], "FP16"),
      Tensor.fromFloat32("INPUT_BF16", Float32Array.of(-2), [1], "BF16"),
      new Tensor("INPUT_FP32", Float32Array.of(0.25, -1), [2]),
      new Tensor("INPUT_FP64", Float64Array.of(0.1), [1]),
      new Tensor("INPUT_BYTES", ["", "wörter", Uint8Array.of(0, 255)], [3]),
    ];
    const result = await client.infer("identity", inputs);
    expect(result.modelName).toBe("identity");
    expect(result.modelVersion).toBe("1");
    expect(result.outputs).toHaveLength(inputs.length);
    for (const input of inputs) {
      const output = result.output(input.name.replace("INPUT", "OUTPUT"), input.datatype);
      expect([output.name, output.shape, output.data]).toEqual([
        input.name.replace("INPUT", "OUTPUT"),
        input.shape,
        input.data,
      ]);
    }
    expect(result.output("OUTPUT_BYTES", "BYTES").strings().slice(0, 2)).toEqual(["", "wörter"]);
    expect(() => result.output("OUTPUT_FP32", "FP64")).toThrow(/FP32/);
    expect(() => result.output("NONE")).toThrow(/no output 'NONE'.*OUTPUT_BOOL/);
    expect(result.optionalOutput("NONE")).toBeUndefined();
  });

  test("carries messages above 4 MiB both ways", async () => {
    const data = Float32Array.from({ length: 3 << 20 }, (_, i) => i);
    const result = await client.infer("identity", [new Tensor("INPUT_FP32", data, [data.length])], {
      requestedOutputs: ["OUTPUT_FP32"],
    });
    expect(result.output("OUTPUT_FP32", "FP32").data.every((value, i) => value === i)).toBe(true);
  });

  test("carries empty tensors, and gives only the outputs that are requested", async () => {
    const inputs = [
      new Tensor("INPUT_FP32", new Float32Array(), [0]),
      new Tensor("INPUT_INT8", Int8Array.of(3), [1]),
      new Tensor("INPUT_BYTES", [], [0]),
    ];
    const result = await client.infer("identity", inputs, {
      requestedOutputs: ["OUTPUT_INT8", { name: "OUTPUT_FP32" }],
    });
    expect(result.outputs.map(({ name }) => name).sort()).toEqual(["OUTPUT_FP32", "OUTPUT_INT8"]);
    expect(result.output("OUTPUT_FP32").shape).toEqual([0]);
  });

  test("carries ids, parameters, sequences and versions", async () => {
    const result = await client.infer("talker", [what("echo")], {
      id: "request 1",
      modelVersion: 1,
      correlationId: 2n ** 64n - 1n,
      sequenceStart: true,
      sequenceEnd: true,
      priority: 0,
      timeoutUs: 60_000_000,
      parameters: { text: "a", whole: 3, half: 1.5, sure: false },
    });
    expect(result.id).toBe("request 1");
    expect(seenBy(result)).toMatchObject({
      id: "request 1",
      parameters: { text: "a", whole: 3, half: 1.5, sure: false },
      correlationId: "18446744073709551615",
      flags: 3,
    });
    expect(result.parameters).toEqual({ text: "yes", whole: 7, half: 0.5, sure: true, big: 9007199254740993n });
    const named = await client.infer("talker", [what("echo")], { correlationId: "camera 1", sequenceStart: true });
    expect(seenBy(named)).toMatchObject({ correlationId: "camera 1", flags: 1 });
  });

  test("classifies", async () => {
    const inputs = [new Tensor("INPUT_FP32", Float32Array.of(1, 9, 5), [3])];
    const requestedOutputs = [{ name: "OUTPUT_FP32", classification: 2 }];
    const result = await client.infer("identity", inputs, { requestedOutputs });
    expect(result.output("OUTPUT_FP32", "BYTES").strings()).toEqual(["9.000000:1", "5.000000:2"]);
  });

  test("takes a hundred calls at once", async () => {
    const calls = Array.from({ length: 100 }, (_, i) =>
      client.infer("identity", [new Tensor("INPUT_INT32", Int32Array.of(i), [1])], {
        id: String(i),
        requestedOutputs: ["OUTPUT_INT32"],
      }),
    );
    const results = await Promise.all(calls);
    expect(results.map((result) => [result.id, result.output("OUTPUT_INT32", "INT32").data[0]])).toEqual(
      results.map((_, i) => [String(i), i]),
    );
  });
});

describe("errors", () => {
  test.each([
    ["NOT_FOUND", "NOT_FOUND"],
    ["INVALID_ARG", "INVALID_ARGUMENT"],
    ["UNAVAILABLE", "UNAVAILABLE"],
    ["UNSUPPORTED", "UNIMPLEMENTED"],
    ["ALREADY_EXISTS", "ALREADY_EXISTS"],
    ["CANCELLED", "CANCELLED"],
    ["INTERNAL", "INTERNAL"],
    ["UNKNOWN", "UNKNOWN"],
  ])("a model's %s keeps its code", async (code, status) => {
    const error = await failure(client.infer("talker", [what(code)]));
    expect(error).toMatchObject({ code, status, reason: "ANSWER", host: server.grpcUrl, model: "talker" });
    expect(error.serverMessage).toContain(`The model says ${code}.`);
    expect(error.message).toContain(server.grpcUrl);
    expect(error.message).toContain("model 'talker'");
  });

  test("an unknown model and wrong inputs say what to look at", async () => {
    const unknown = await failure(client.infer("nobody", [what("echo")]));
    expect(unknown).toMatchObject({ code: "NOT_FOUND", model: "nobody" });
    expect(unknown.message).toMatch(/run model 'nobody'.*repositoryIndex\(\)/s);
    const wrong = await failure(client.infer("talker", [new Tensor("WHO", ["x"], [1])]));
    expect(wrong).toMatchObject({ code: "INVALID_ARG" });
    expect(wrong.message).toContain("modelMetadata('talker')");
  });

  test("a decoupled model names stream()", async () => {
    const error = await failure(client.infer("streamer", [what("1")]));
    expect(error.code).toBe("UNSUPPORTED");
    expect(error.message).toContain("stream()");
  });

  test("options that cannot be sent are refused by name", async () => {
    const input = what("echo");
    expect((await failure(client.infer("", [input]))).message).toContain("'modelName'");
    expect((await failure(client.infer("talker", [input, input]))).message).toContain("two inputs are named 'WHAT'");
    expect((await failure(client.infer("talker", [input], { sequenceStart: true }))).message).toContain(
      "correlationId",
    );
    expect((await failure(client.infer("talker", [input], { deadlineMs: 0 }))).message).toContain("deadlineMs");
    const reserved = await failure(client.infer("talker", [input], { parameters: { priority: 1 } }));
    expect(reserved).toMatchObject({ code: "INVALID_ARG", reason: "REQUEST" });
    expect(reserved.message).toContain("option 'priority'");
    expect(() => client.stream("talker", [], { modelVersion: "one" })).toThrow(/modelVersion/);
  });

  test("no server, and a port that is not of gRPC", async () => {
    const nobody = new GrpcClient({ url: "127.0.0.1:1" });
    const error = await failure(nobody.infer("talker", [what("echo")]));
    expect(error).toMatchObject({ code: "UNAVAILABLE", reason: "UNREACHABLE", host: "127.0.0.1:1" });
    expect(error.message).toContain("127.0.0.1:1");
    expect(await nobody.isLive()).toBe(false);
    expect(await nobody.isReady()).toBe(false);
    expect((await failure(nobody.isModelReady("talker"))).reason).toBe("UNREACHABLE");
    nobody.close();
    const http = new GrpcClient({ url: server.url });
    expect((await failure(http.serverMetadata())).message).toContain("gRPC is on 8001");
    http.close();
  });

  test("a deadline ends the call, and the model hears of it", async () => {
    // On a busy machine a request may need longer than this to reach the model.
    for (let deadlineMs = 500; !server.log().includes("asleep"); deadlineMs *= 2) {
      const error = await failure(client.infer("talker", [what("sleep")], { deadlineMs }));
      expect(error).toMatchObject({ code: "UNAVAILABLE", reason: "DEADLINE" });
      expect(error.message).toMatch(new RegExp(`within ${deadlineMs} ms.*deadlineMs`));
    }
    await server.waitForLog("woken, cancelled: true");
  });
});

describe("cancellation", () => {
  test("an aborted signal ends the call, and the model hears of it", async () => {
    const before = server.logLines("woken").length;
    const asleep = server.logLines("asleep").length;
    const controller = new AbortController();
    const call = failure(client.infer("talker", [what("sleep")], { signal: controller.signal }));
    await until(() => server.logLines("asleep").length > asleep, "the model to sleep", 60_000, server);
    controller.abort(new Error("no more time"));
    const error = await call;
    expect(error).toMatchObject({ code: "CANCELLED", reason: "CANCELLED" });
    expect(error.message).toContain("no more time");
    await until(() => server.logLines("woken").length > before, "the model to wake", 60_000, server);
    const late = await failure(client.infer("talker", [what("echo")], { signal: controller.signal }));
    expect(late.reason).toBe("CANCELLED");
  });

  test("closing the client cancels what is open, and refuses what comes", async () => {
    const asleep = server.logLines("asleep").length;
    const own = new GrpcClient({ url: `grpc://${server.grpcUrl}` });
    const call = failure(own.infer("talker", [what("sleep")]));
    await until(() => server.logLines("asleep").length > asleep, "the model to sleep", 60_000, server);
    own.close();
    expect((await call).message).toContain("the client was closed");
    expect((await failure(own.isLive())).reason).toBe("CANCELLED");
  });
});

describe("stream", () => {
  test("gives the responses as they come, none too", async () => {
    expect((await collect(client.stream("streamer", [what("1 2 3")], { id: "s" }))).map(numberOf)).toEqual([1, 2, 3]);
    expect(await collect(client.stream("streamer", [what("")]))).toEqual([]);
    const [only, ...more] = await collect(client.stream("talker", [what("echo")], { id: "one" }));
    expect(only!.id).toBe("one");
    expect(more).toEqual([]);
  });

  test("throws an error after what came before it", async () => {
    const seen: unknown[] = [];
    const read = async () => {
      for await (const part of client.stream("streamer", [what("1 2 error 3")])) seen.push(numberOf(part));
    };
    const error = await failure(read());
    expect(seen).toEqual([1, 2]);
    expect(error.serverMessage).toContain("half way");
    expect(error).toMatchObject({ reason: "ANSWER", model: "streamer" });
  });

  test("gives errors as items when asked to", async () => {
    const parts = await collect(client.stream("streamer", [what("1 error 3")], { throwOnError: false }));
    expect(parts.map((part) => part.error?.message.includes("half way") ?? numberOf(part))).toEqual([1, true, 3]);
    expect(() => parts[1]!.output("OUT")).toThrow(/half way/);
  });

  test("an unknown model is an error, too", async () => {
    const error = await failure(collect(client.stream("nobody", [what("1")])));
    expect(error.serverMessage).toContain("nobody");
  });

  test("leaving the loop cancels it", async () => {
    const over = "stream of 'for-ever' is over, cancelled: true";
    const before = server.logLines(over).length;
    for await (const part of client.stream("streamer", [what("for-ever")])) if (numberOf(part)! > 3) break;
    await until(() => server.logLines(over).length > before, "the stream to be over", 60_000, server);
  });

  test("a signal and cancel() end it with an error", async () => {
    const over = "stream of 'for-ever' is over, cancelled: true";
    for (const how of ["signal", "cancel"]) {
      const before = server.logLines(over).length;
      const controller = new AbortController();
      const stream = client.stream("streamer", [what("for-ever")], { signal: controller.signal });
      const read = async () => {
        for await (const part of stream) {
          if (numberOf(part) !== 3) continue;
          if (how === "signal") controller.abort();
          else stream.cancel();
        }
      };
      expect(await failure(read())).toMatchObject({ code: "CANCELLED", reason: "CANCELLED" });
      await until(() => server.logLines(over).length > before, "the stream to be over", 60_000, server);
    }
  });

  test("can be iterated once", async () => {
    const stream = client.stream("streamer", [what("1")]);
    await collect(stream);
    await expect(collect(stream)).rejects.toThrow(/once/);
  });
});

describe("the server and its models", () => {
  test("are described as over HTTP", async () => {
    expect(await client.isLive()).toBe(true);
    expect(await client.isReady()).toBe(true);
    const json = async (path: string) => (await fetch(`${server.url}${path}`)).json();
    expect(await client.serverMetadata()).toEqual(await json("/v2"));
    expect(await client.modelMetadata("identity")).toEqual(await json("/v2/models/identity"));
    expect(await client.modelMetadata("identity", { modelVersion: 1 })).toMatchObject({ versions: ["1"] });
    const config = await client.modelConfig("streamer");
    expect(config).toMatchObject((await json("/v2/models/streamer/config")) as object);
    expect(config.input[0]).toMatchObject({ name: "WHAT", data_type: "TYPE_STRING", dims: [1] });
    const models = await client.repositoryIndex();
    expect(models.map(({ name, state }) => [name, state])).toContainEqual(["identity", "READY"]);
  });

  test("statistics count", async () => {
    const [before] = await client.statistics("identity");
    const input = new Tensor("INPUT_INT8", Int8Array.of(1), [1]);
    await client.infer("identity", [input], { requestedOutputs: ["OUTPUT_INT8"] });
    await eventually(async () => {
      const [after] = await client.statistics("identity", { modelVersion: 1 });
      expect(after!.inference_count).toBe(before!.inference_count + 1);
      expect(after!.inference_stats.success!.count).toBe(before!.inference_stats.success!.count + 1);
    });
    expect((await client.statistics()).map(({ name }) => name)).toEqual(
      expect.arrayContaining(["identity", "talker", "streamer"]),
    );
  });

  test("models are unloaded, and loaded with a configuration and files of the caller", async () => {
    await client.unloadModel("identity");
    await until(async () => !(await client.isModelReady("identity")), "the model to be gone", 60_000, server);
    await client.loadModel("identity");
    expect(await client.isModelReady("identity")).toBe(true);
    expect(await client.isModelReady("identity", { modelVersion: 7 })).toBe(false);
    expect(await client.isModelReady("nobody")).toBe(false);
    const config = {
      backend: "typescript",
      input: [{ name: "IN", data_type: "TYPE_INT32", dims: [1] }],
      output: [{ name: "OUT", data_type: "TYPE_INT32", dims: [1] }],
    };
    const source = `import { InferenceResponse, Tensor } from "triton-typescript";
export default class { execute(requests) {
  return requests.map((request) => new InferenceResponse([new Tensor("OUT", request.input("IN", "INT32").data.map((x) => 2 * x), [1])]));
} }`;
    await client.loadModel("made_here", { config, files: { "1/model.ts": source } });
    const result = await client.infer("made_here", [new Tensor("IN", Int32Array.of(21), [1])]);
    expect(numberOf(result)).toBe(42);
    await client.unloadModel("made_here", { unloadDependents: true });
    const error = await failure(client.loadModel("nobody"));
    expect(error).toMatchObject({ model: "nobody", reason: "ANSWER" });
    expect(error.message).toContain("load model 'nobody'");
  });

  test("log and trace settings are read and changed", async () => {
    const { log_verbose_level: level } = await client.logSettings();
    expect(level).toBe(0);
    expect(await client.logSettings({ log_verbose_level: 1 })).toMatchObject({ log_verbose_level: 1 });
    await client.logSettings({ log_verbose_level: 0 });
    expect(await client.traceSettings({ trace_rate: "5" })).toMatchObject({ trace_rate: "5" });
    expect(await client.traceSettings({ trace_rate: null })).toMatchObject({ trace_rate: "1000" });
  });
});

describe.skipIf(process.platform !== "linux")("shared memory", () => {
  test("inputs and outputs in it are not sent", async () => {
    const memory = SharedMemory.create({ byteSize: 1 << 20 });
    try {
      await client.registerSystemSharedMemory(memory);
      expect(await client.systemSharedMemoryStatus()).toContainEqual({
        name: memory.name,
        key: memory.key,
        offset: 0,
        byte_size: 1 << 20,
      });
      const input = memory.tensor("INPUT_FP32", "FP32", [4], 64);
      input.data.set([1, 2, 3, 4]);
      const words = memory.place(new Tensor("INPUT_BYTES", ["a", "bc"], [2]), 1024);
      const result = await client.infer("identity", [input, words, new Tensor("INPUT_INT8", Int8Array.of(9), [1])], {
        requestedOutputs: [
          { name: "OUTPUT_FP32", memory: memory.range(4096, 16) },
          { name: "OUTPUT_BYTES", memory: memory.range(8192, 100) },
          "OUTPUT_INT8",
        ],
      });
      expect([...result.output("OUTPUT_FP32", "FP32").data]).toEqual([1, 2, 3, 4]);
      expect(result.output("OUTPUT_FP32", "FP32").data.byteOffset).toBe(4096);
      expect([...new Float32Array(memory.buffer.buffer, 4096, 4)]).toEqual([1, 2, 3, 4]);
      expect(result.output("OUTPUT_BYTES", "BYTES").strings()).toEqual(["a", "bc"]);
      expect(result.output("OUTPUT_INT8", "INT8").data[0]).toBe(9);
      // The server reads what lies there now, which shows that nothing is sent.
      input.data[0] = 100;
      const again = await client.infer("identity", [input], { requestedOutputs: ["OUTPUT_FP32"] });
      expect(again.output("OUTPUT_FP32", "FP32").data[0]).toBe(100);
    } finally {
      await client.unregisterSystemSharedMemory(memory);
      memory.close();
    }
    expect((await client.systemSharedMemoryStatus()).map(({ name }) => name)).not.toContain(memory.name);
  });

  test("a tensor in memory that is not registered is sent", async () => {
    using memory = SharedMemory.create({ byteSize: 64 });
    const input = memory.place(new Tensor("INPUT_INT32", Int32Array.of(5, 6), [2]));
    const result = await client.infer("identity", [input], { requestedOutputs: ["OUTPUT_INT32"] });
    expect([...result.output("OUTPUT_INT32", "INT32").data]).toEqual([5, 6]);
  });

  test("an output in memory that the server does not have says what to do", async () => {
    using memory = SharedMemory.create({ byteSize: 64 });
    const requestedOutputs = [{ name: "OUTPUT_INT32", memory: memory.range() }];
    const input = new Tensor("INPUT_INT32", Int32Array.of(5), [1]);
    const error = await failure(client.infer("identity", [input], { requestedOutputs }));
    expect(error.message).toContain("registerSystemSharedMemory()");
    expect(error.code).toBe("NOT_FOUND");
  });

  test("streams use it, too, and memory that was closed is gone from the machine", async () => {
    const memory = SharedMemory.create({ byteSize: 4096 });
    await client.registerSystemSharedMemory(memory);
    const asked = memory.place(what("4 5"));
    expect((await collect(client.stream("streamer", [asked]))).map(numberOf)).toEqual([4, 5]);
    await client.unregisterSystemSharedMemory();
    expect(existsSync(`/dev/shm${memory.key}`)).toBe(true);
    memory.close();
    expect(existsSync(`/dev/shm${memory.key}`)).toBe(false);
  });
});
