// SPDX-License-Identifier: Apache-2.0
import net, { type AddressInfo } from "node:net";
import { Server, ServerCredentials, status } from "@grpc/grpc-js";
import { afterEach, describe, expect, it } from "vitest";
import { GRPCInferenceService } from "../proto/gen/inference/grpc_service_pb.ts";
import { type GrpcHandlers, serviceDefinition } from "../proto/service_definition.ts";
import { GrpcSource } from "./grpc_source.ts";

const handlers: Partial<GrpcHandlers<typeof GRPCInferenceService>> = {
  serverMetadata: (_call, callback) => callback(null, { name: "triton", version: "9.9.9", extensions: ["x"] }),
  repositoryIndex: (_call, callback) =>
    callback(null, {
      models: [
        { name: "good", version: "1", state: "READY" },
        { name: "bad", state: "UNAVAILABLE", reason: "why" },
        { name: "untouched" },
      ],
    }),
  modelConfig: ({ request: { name, version } }, callback) => {
    if (name === "restricted") callback({ code: status.UNAVAILABLE, details: "This protocol is restricted" });
    else callback(null, { config: { name: `${name} ${version}`, maxBatchSize: 200, backend: "typescript" } });
  },
};

describe("a server, asked over gRPC", () => {
  let fake: Server | undefined;
  afterEach(() => fake?.forceShutdown());

  async function source(): Promise<GrpcSource> {
    fake = new Server();
    fake.addService(serviceDefinition(GRPCInferenceService), handlers);
    const port = await new Promise<number>((resolve) => {
      fake!.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (_error, bound) => resolve(bound));
    });
    return new GrpcSource(`127.0.0.1:${port}`);
  }

  it("tells of itself, its models and their configuration", async () => {
    const asking = await source();
    expect(await asking.serverMetadata()).toMatchObject({ version: "9.9.9" });
    expect(await asking.repositoryIndex()).toEqual([
      { name: "good", version: "1", state: "READY" },
      { name: "bad", state: "UNAVAILABLE", reason: "why" },
      { name: "untouched" },
    ]);
    expect(await asking.modelConfig("my model", { modelVersion: "1" })).toMatchObject({
      name: "my model 1",
      platform: "",
      backend: "typescript",
    });
    expect(await asking.modelConfig("m")).toMatchObject({ name: "m " });
  });

  it("passes errors on, and says when nothing answers", async () => {
    const asking = await source();
    await expect(asking.modelConfig("restricted")).rejects.toMatchObject({
      reason: "ANSWER",
      serverMessage: "This protocol is restricted",
    });
    fake?.forceShutdown();
    await expect(asking.serverMetadata()).rejects.toMatchObject({ reason: "UNREACHABLE" });
    const silent = net.createServer((socket) => socket.on("error", () => undefined).end());
    await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
    const there = new GrpcSource(`127.0.0.1:${(silent.address() as AddressInfo).port}`);
    await expect(there.serverMetadata()).rejects.toMatchObject({ reason: "UNREACHABLE" });
    silent.close();
  });
});
