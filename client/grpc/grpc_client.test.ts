// SPDX-License-Identifier: Apache-2.0
// What a real server never does: a fake one, of grpc-js, answers here; where grpc-js would not do it either, one of frames.
import http2 from "node:http2";
import type { AddressInfo } from "node:net";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { type handleUnaryCall, Server, ServerCredentials, status } from "@grpc/grpc-js";
import { afterEach, describe, expect, it } from "vitest";
import {
  GRPCInferenceService,
  type ModelInferRequest,
  type ModelInferResponseSchema,
} from "../../proto/gen/inference/grpc_service_pb.ts";
import { type GrpcHandlers, serviceDefinition } from "../../proto/service_definition.ts";
import { Tensor } from "../../stub/src/api/tensor.ts";
import { failure } from "../testing/calls.ts";
import { GrpcClient, type GrpcClientOptions } from "./grpc_client.ts";

const service = serviceDefinition(GRPCInferenceService);
type Handlers = GrpcHandlers<typeof GRPCInferenceService>;
type ResponseInit = MessageInitShape<typeof ModelInferResponseSchema>;

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

/** A client of a fake server. */
async function clientOf(handlers: Partial<Handlers>, options: Partial<GrpcClientOptions> = {}): Promise<GrpcClient> {
  const server = new Server({ "grpc.max_receive_message_length": -1 });
  server.addService(service, handlers);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  const client = new GrpcClient({ url: `127.0.0.1:${port}`, ...options });
  cleanups.push(() => {
    client.close();
    server.forceShutdown();
  });
  return client;
}

/** A client of a fake server that sends these bytes, whatever it is asked, and ends with this status. */
async function clientOfFrames(bytes: readonly number[], grpcStatus: string): Promise<GrpcClient> {
  const server = http2.createServer();
  server.on("stream", (stream: http2.ServerHttp2Stream) => {
    stream.on("error", () => {});
    stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": grpcStatus }));
    stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
    stream.resume();
    stream.end(Buffer.from(bytes));
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const client = new GrpcClient({ url: `127.0.0.1:${(server.address() as AddressInfo).port}` });
  cleanups.push(() => {
    client.close();
    server.close();
  });
  return client;
}

const answering = (response: ResponseInit): Pick<Handlers, "modelInfer"> => ({
  modelInfer: (_call, callback) => callback(null, response),
});

const output = (datatype: string, shape: bigint[], more: object = {}) => ({ name: "o", datatype, shape, ...more });

describe("answers", () => {
  it.each<[string, ResponseInit, RegExp]>([
    ["too few bytes", { outputs: [output("FP32", [2n])], rawOutputContents: [new Uint8Array(7)] }, /7 bytes came/],
    ["no bytes", { outputs: [output("FP32", [2n])] }, /data of output 'o' is missing/],
    ["an unknown datatype", { outputs: [output("FP4", [1n])], rawOutputContents: [new Uint8Array(1)] }, /'FP4'/],
    ["a negative dimension", { outputs: [output("INT8", [-1n])], rawOutputContents: [new Uint8Array(1)] }, /-1/],
    [
      "broken BYTES",
      { outputs: [output("BYTES", [1n])], rawOutputContents: [Uint8Array.of(9, 0, 0, 0, 1)] },
      /claims 9 bytes/,
    ],
    [
      "another number of BYTES",
      { outputs: [output("BYTES", [2n])], rawOutputContents: [Uint8Array.of(0, 0, 0, 0)] },
      /holds 1 elements/,
    ],
    [
      "another number of elements",
      { outputs: [output("INT32", [3n], { contents: { intContents: [1] } })] },
      /1 elements/,
    ],
  ])("with %s cannot be read, which says why", async (_name, response, why) => {
    const client = await clientOf(answering(response));
    const error = await failure(client.infer("m", []));
    expect(error).toMatchObject({ code: "INTERNAL", reason: "PROTOCOL", model: "m", host: client.host });
    expect(error.message).toMatch(why);
  });

  it("may list their elements one by one", async () => {
    const outputs = [
      { name: "a", datatype: "INT64", shape: [2n], contents: { int64Contents: [1n, -1n] } },
      { name: "b", datatype: "BOOL", shape: [2n], contents: { boolContents: [true, false] } },
      { name: "c", datatype: "BYTES", shape: [1n], contents: { bytesContents: [Uint8Array.of(65)] } },
      { name: "d", datatype: "FP32", shape: [0n], contents: {} },
    ];
    const result = await (await clientOf(answering({ outputs }))).infer("m", []);
    expect(result.outputs.map(({ data }) => [...data])).toEqual([[1n, -1n], [1, 0], [1, 0, 0, 0, 65], []]);
    expect(result.output("c", "BYTES").strings()).toEqual(["A"]);
  });

  it("that are no messages of Triton's say what to look at", async () => {
    const garbage: handleUnaryCall<ModelInferRequest, unknown> = (_call, callback) => callback(null, {});
    const server = new Server();
    const asBytes = () => Buffer.from([0xff, 0xff]);
    server.addService({ modelInfer: { ...service.modelInfer, responseSerialize: asBytes } }, { modelInfer: garbage });
    const port = await new Promise<number>((resolve) => {
      server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (_error, bound) => resolve(bound));
    });
    const client = new GrpcClient({ url: `127.0.0.1:${port}` });
    cleanups.push(() => {
      client.close();
      server.forceShutdown();
    });
    const error = await failure(client.infer("m", []));
    expect(error.reason).toBe("PROTOCOL");
    expect(error.message).toContain("Is this the gRPC endpoint of a Triton server?");
  });

  it("from servers that are no Triton keep their status", async () => {
    const client = await clientOf({
      modelInfer: (_call, callback) => callback({ code: status.PERMISSION_DENIED, details: "no token" }),
    });
    const error = await failure(client.infer("m", []));
    expect(error).toMatchObject({ code: "UNKNOWN", status: "PERMISSION_DENIED", serverMessage: "no token" });
  });
});

describe("answers that break gRPC's own rules", () => {
  const waysToAsk: [string, (client: GrpcClient) => Promise<unknown>][] = [
    ["isLive", (client) => client.isLive()],
    ["infer", (client) => client.infer("m", [])],
    ["stream", (client) => client.stream("m", [])[Symbol.asyncIterator]().next()],
  ];

  it.each(waysToAsk)("that are compressed in no way that is named cannot be read: %s", async (_name, ask) => {
    const error = await failure(ask(await clientOfFrames([1, 0, 0, 0, 2, 1, 2], "0")));
    expect(error).toMatchObject({ code: "INTERNAL", reason: "PROTOCOL" });
    expect(error.message).toContain("cannot be read: gRPC cannot take a message out of it: one is compressed");
  });

  it.each(waysToAsk)("with a status that gRPC does not know name its number: %s", async (_name, ask) => {
    const error = await failure(ask(await clientOfFrames([], "99")));
    expect(error).toMatchObject({ code: "UNKNOWN", reason: "ANSWER", status: 99 });
    expect(error.message).toContain("but answered 99: no reason given.");
  });
});

describe("requests", () => {
  const asked: { message: ModelInferRequest; metadata: unknown; deadline: unknown }[] = [];
  const recording: Pick<Handlers, "modelInfer"> = {
    modelInfer: (call, callback) => {
      const { request, metadata } = call;
      asked.push({ message: request, metadata: metadata.getMap(), deadline: call.getDeadline() });
      callback(null, {});
    },
  };

  it("have headers and limits of the call, and behind them those of the client", async () => {
    const client = await clientOf(recording, { headers: { a: "1", b: "1" }, deadlineMs: 60_000 });
    await client.infer("m", [], { headers: { b: "2", c: "3" } });
    await client.infer("m", [], { deadlineMs: Number.POSITIVE_INFINITY });
    const [first, second] = asked.splice(0);
    expect(first!.metadata).toMatchObject({ a: "1", b: "2", c: "3" });
    expect(Number.isFinite(Number(first!.deadline))).toBe(true);
    expect(Number.isFinite(Number(second!.deadline))).toBe(false);
    expect((await failure(client.infer("m", [], { headers: { "a b": "1" } }))).message).toContain("header 'a b'");
  });

  it("place memory that was registered, at its offset", async () => {
    const client = await clientOf({
      ...recording,
      systemSharedMemoryRegister: (_call, callback) => callback(null, {}),
      systemSharedMemoryUnregister: (_call, callback) => callback(null, {}),
    });
    const { SharedMemory } = await import("../shared_memory.ts");
    using memory = SharedMemory.create({ byteSize: 64, name: "here" });
    await client.registerSystemSharedMemory(memory);
    const inputs = [memory.place(new Tensor("a", Int8Array.of(1, 2), [2]), 8), new Tensor("b", Int8Array.of(3), [1])];
    const requestedOutputs = [{ name: "o", memory: memory.range(32, 4) }];
    await client.infer("m", inputs, { requestedOutputs });
    await client.unregisterSystemSharedMemory("here");
    await client.infer("m", inputs);
    const [placed, sent] = asked.splice(0).map(({ message }) => message as ModelInferRequest);
    const valuesOf = (parameters: ModelInferRequest["parameters"]) =>
      Object.fromEntries(Object.entries(parameters).map(([key, { parameterChoice }]) => [key, parameterChoice.value]));
    expect(placed!.inputs.map(({ parameters }) => valuesOf(parameters))).toEqual([
      { shared_memory_region: "here", shared_memory_byte_size: 2n, shared_memory_offset: 8n },
      {},
    ]);
    expect(valuesOf(placed!.outputs[0]!.parameters)).toMatchObject({
      shared_memory_region: "here",
      shared_memory_byte_size: 4n,
      shared_memory_offset: 32n,
    });
    expect(placed!.rawInputContents.map((bytes) => [...bytes])).toEqual([[3]]);
    expect(sent!.rawInputContents.map((bytes) => [...bytes])).toEqual([[1, 2], [3]]);
  });

  it("whose memory is closed while they are open fail by their caller's mistake, not by the server's", async () => {
    const { SharedMemory } = await import("../shared_memory.ts");
    for (const datatype of ["INT8", "BYTES"]) {
      const memory = SharedMemory.create({ byteSize: 64, name: "here" });
      const client = await clientOf({
        systemSharedMemoryRegister: (_call, callback) => callback(null, {}),
        modelInfer: (_call, callback) => {
          memory.close();
          callback(null, { outputs: [output(datatype, [4n])] });
        },
      });
      await client.registerSystemSharedMemory(memory);
      const error = await failure(client.infer("m", [], { requestedOutputs: [{ name: "o", memory: memory.range() }] }));
      expect(error).toMatchObject({ code: "INVALID_ARG", reason: "REQUEST" });
      expect(error.message).toMatch(
        /'here' was closed while the call was open, and output 'o' lies in it\. Close it when/,
      );
    }
  });

  it("that take memory away which is in use are not told to register it", async () => {
    const details = "Cannot unregister shared memory region 'here', it is currently in use.";
    const client = await clientOf({
      systemSharedMemoryUnregister: (_call, callback) => callback({ code: status.INTERNAL, details }),
    });
    const { message } = await failure(client.unregisterSystemSharedMemory("here"));
    expect(message).toMatch(
      /currently in use\. A call that is open uses it: unregister it when that call has ended\.$/,
    );
  });

  it("are not sent once the client is closed, and close() may be called again", async () => {
    const client = await clientOf(recording);
    client.close();
    client.close();
    expect((await failure(client.infer("m", []))).message).toContain("the client was closed");
    expect(() => client.stream("m", [])).not.toThrow();
    await expect(client.stream("m", [])[Symbol.asyncIterator]().next()).rejects.toThrow(/the client was closed/);
    expect(asked).toEqual([]);
  });
});

describe("streams", () => {
  it("tell how the server ended them, after what came before", async () => {
    const client = await clientOf({
      modelStreamInfer: (call) => {
        call.on("data", () => {
          call.write({ inferResponse: { id: "1" } });
          call.emit("error", { code: status.RESOURCE_EXHAUSTED, details: "enough" });
        });
      },
    });
    const seen: string[] = [];
    const read = async () => {
      for await (const part of client.stream("m", [])) seen.push(part.id);
    };
    expect(await failure(read())).toMatchObject({ code: "UNAVAILABLE", status: "RESOURCE_EXHAUSTED" });
    expect(seen).toEqual(["1"]);
  });

  it("are overdue after their deadline", async () => {
    const client = await clientOf({ modelStreamInfer: () => {} });
    const read = client.stream("m", [], { deadlineMs: 50 })[Symbol.asyncIterator]().next();
    expect(await failure(read)).toMatchObject({ reason: "DEADLINE", code: "UNAVAILABLE" });
  });

  it("with an empty part cannot be read", async () => {
    const client = await clientOf({
      modelStreamInfer: (call) => {
        call.on("data", () => call.write({}));
      },
    });
    const read = client.stream("m", [])[Symbol.asyncIterator]().next();
    expect((await failure(read)).message).toContain("a part of the stream is empty");
  });
});
