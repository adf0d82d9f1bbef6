// SPDX-License-Identifier: Apache-2.0
import http2 from "node:http2";
import net, { type AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { GrpcClient } from "./grpc_client.ts";

const field = (number: number, value: string | Buffer) => {
  const bytes = Buffer.from(value);
  const length = bytes.length > 127 ? [(bytes.length & 127) | 128, bytes.length >> 7] : [bytes.length];
  const key = number * 8 + 2;
  return Buffer.concat([Buffer.from(key > 127 ? [(key & 127) | 128, key >> 7] : [key]), Buffer.from(length), bytes]);
};
const long = "why ".repeat(100);
const answers: Record<string, Buffer> = {
  ServerMetadata: Buffer.concat([field(1, "triton"), field(2, "9.9.9"), field(3, "x")]),
  RepositoryIndex: Buffer.concat([
    field(1, Buffer.concat([field(1, "good"), field(2, "1"), field(3, "READY")])),
    field(1, Buffer.concat([field(1, "bad"), field(3, "UNAVAILABLE"), field(4, long)])),
    field(1, field(1, "untouched")),
  ]),
  // max_batch_size (4) is a number; fields of fixed sizes are passed over, too.
  ModelConfig: field(
    1,
    Buffer.concat([
      field(1, "m"),
      Buffer.from([4 * 8, 200, 1]),
      Buffer.from([5 * 8 + 5, 0, 0, 0, 0]),
      Buffer.from([6 * 8 + 1, 0, 0, 0, 0, 0, 0, 0, 0]),
      field(17, "typescript"),
    ]),
  ),
};

describe("a gRPC client", () => {
  let fake: http2.Http2Server | undefined;
  let asked: string[] = [];
  afterEach(() => fake?.close());

  async function client(): Promise<GrpcClient> {
    asked = [];
    fake = http2.createServer();
    fake.on("stream", (stream: http2.ServerHttp2Stream, headers) => {
      const method = String(headers[":path"]).split("/").at(-1) ?? "";
      const answer = answers[method] ?? Buffer.alloc(0);
      let body = Buffer.alloc(0);
      stream.on("data", (chunk: Buffer) => {
        body = Buffer.concat([body, chunk]);
      });
      stream.on("end", () => {
        asked.push(`${headers[":path"]} ${body.subarray(5).toString()}`);
        if (body.includes("restricted")) {
          stream.respond({ ":status": 200, "grpc-status": "14", "grpc-message": "This protocol is%20restricted 100%" });
          stream.end();
          return;
        }
        stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
        stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
        const head = Buffer.alloc(5);
        head.writeUInt32BE(answer.length, 1);
        stream.end(Buffer.concat([head, answer]));
      });
    });
    await new Promise<void>((resolve) => fake?.listen(0, "127.0.0.1", resolve));
    return new GrpcClient(`127.0.0.1:${(fake.address() as AddressInfo).port}`);
  }

  it("asks for the server, its models and their configuration", async () => {
    const asking = await client();
    expect(await asking.serverMetadata()).toEqual({ version: "9.9.9" });
    expect(await asking.repositoryIndex()).toEqual([
      { name: "good", version: "1", state: "READY", reason: undefined },
      { name: "bad", version: undefined, state: "UNAVAILABLE", reason: long },
      { name: "untouched" },
    ]);
    expect(await asking.modelConfig("my model", "1")).toEqual({ platform: "", backend: "typescript" });
    expect(asked.at(-1)).toBe("/inference.GRPCInferenceService/ModelConfig \n\bmy model\u0012\u00011");
    await asking.modelConfig("m".repeat(300));
    expect(asked.at(-1)).toContain("m".repeat(300));
  });

  it("passes an error of the server on, and says when nothing answers", async () => {
    const asking = await client();
    await expect(asking.modelConfig("restricted")).rejects.toMatchObject({
      code: "ANSWER",
      message: "The server answered with an error (gRPC 14): This protocol is%20restricted 100%",
    });
    await new Promise((resolve) => fake?.close(resolve));
    await expect(asking.serverMetadata()).rejects.toMatchObject({ code: "UNREACHABLE" });
    const silent = net.createServer((socket) => socket.on("error", () => undefined).end());
    await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
    const there = new GrpcClient(`127.0.0.1:${(silent.address() as AddressInfo).port}`);
    await expect(there.serverMetadata()).rejects.toMatchObject({ code: "UNREACHABLE" });
    silent.close();
  });
});
