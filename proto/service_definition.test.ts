// SPDX-License-Identifier: Apache-2.0
import { create, toBinary } from "@bufbuild/protobuf";
import { Client, credentials, Server, ServerCredentials, type ServiceError, status } from "@grpc/grpc-js";
import { afterEach, describe, expect, it } from "vitest";
import {
  GRPCInferenceService,
  ModelInferRequestSchema,
  type ModelReadyResponse,
  type ModelStreamInferResponse,
} from "./gen/inference/grpc_service_pb.ts";
import { type GrpcHandlers, serviceDefinition } from "./service_definition.ts";

const service = serviceDefinition(GRPCInferenceService);
const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

/** A server of grpc-js with some of the service's methods, and a client of it. */
async function serving(handlers: Partial<GrpcHandlers<typeof GRPCInferenceService>>): Promise<Client> {
  const server = new Server();
  server.addService(service, handlers);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
  cleanups.push(() => {
    client.close();
    server.forceShutdown();
  });
  return client;
}

describe("serviceDefinition", () => {
  it("has each method of the service, with its path and its streams", () => {
    expect(Object.keys(service)).toHaveLength(17);
    expect(service.modelReady).toMatchObject({
      path: "/inference.GRPCInferenceService/ModelReady",
      requestStream: false,
      responseStream: false,
    });
    expect(service.modelStreamInfer).toMatchObject({
      path: "/inference.GRPCInferenceService/ModelStreamInfer",
      requestStream: true,
      responseStream: true,
    });
  });

  it("writes the bytes that the protocol has", () => {
    const request = service.modelInfer.requestSerialize({
      modelName: "m",
      inputs: [{ name: "x", datatype: "UINT8", shape: [2n] }],
      rawInputContents: [new Uint8Array([7, 8])],
    });
    // Fields 1 (model_name), 5 (inputs: 1 name, 2 datatype, 3 packed shape) and 7 (raw_input_contents), written by hand.
    const tensor = [0x0a, 1, 0x78, 0x12, 5, ...Buffer.from("UINT8"), 0x1a, 1, 2];
    expect([...request]).toEqual([0x0a, 1, 0x6d, 0x2a, tensor.length, ...tensor, 0x3a, 2, 7, 8]);
  });

  it("gives bytes of a message as views on what was received", () => {
    const sent = toBinary(
      ModelInferRequestSchema,
      create(ModelInferRequestSchema, { rawInputContents: [new Uint8Array(9)] }),
    );
    const received = service.modelInfer.requestDeserialize(Buffer.from(sent.buffer, sent.byteOffset, sent.byteLength));
    expect(received.rawInputContents[0]?.buffer).toBe(sent.buffer);
  });

  it("serves and asks a unary method", async () => {
    const client = await serving({
      modelReady: (call, answer) => answer(null, { ready: call.request.name === "add_sub" }),
    });
    const { path, requestSerialize, responseDeserialize } = service.modelReady;
    const ask = (name: string) =>
      new Promise<ModelReadyResponse | undefined>((resolve, reject) => {
        client.makeUnaryRequest(path, requestSerialize, responseDeserialize, { name }, (error, answer) =>
          error ? reject(error) : resolve(answer),
        );
      });
    expect(await ask("add_sub")).toMatchObject({ ready: true });
    expect(await ask("another")).toMatchObject({ ready: false });
  });

  it("serves and asks a stream", async () => {
    const client = await serving({
      modelStreamInfer: (call) => {
        call.on("data", ({ id }) => call.write({ inferResponse: { id } }));
        call.on("end", () => call.end());
      },
    });
    const { path, requestSerialize, responseDeserialize } = service.modelStreamInfer;
    const call = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
    for (const id of ["1", "2"]) call.write({ id });
    call.end();
    const ids: (string | undefined)[] = [];
    for await (const part of call as AsyncIterable<ModelStreamInferResponse>) ids.push(part.inferResponse?.id);
    expect(ids).toEqual(["1", "2"]);
  });

  it("answers a method that the server does not have with UNIMPLEMENTED", async () => {
    const client = await serving({});
    const { path, requestSerialize, responseDeserialize } = service.serverLive;
    const error = await new Promise<ServiceError | null>((resolve) => {
      client.makeUnaryRequest(path, requestSerialize, responseDeserialize, {}, (failure) => resolve(failure));
    });
    expect(error?.code).toBe(status.UNIMPLEMENTED);
  });
});
