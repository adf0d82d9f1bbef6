// SPDX-License-Identifier: Apache-2.0
import http from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { canBeAddressed, decodeResponse, KServeClient } from "./kserve.ts";

describe("an answer", () => {
  it("must be complete", () => {
    const header = JSON.stringify({
      model_name: "m",
      model_version: "1",
      outputs: [{ name: "y", datatype: "UINT8", shape: [4], parameters: { binary_data_size: 4 } }],
    });
    const body = new TextEncoder().encode(`${header}abc`);
    expect(() => decodeResponse(body, header.length)).toThrow(/data of output y is missing/);
  });
});

describe("a client", () => {
  it("has an address of HTTP", () => {
    expect(new KServeClient("localhost:8000/").url).toBe("http://localhost:8000");
    expect(() => new KServeClient("grpc://localhost")).toThrow(/has an address such as .*, not "grpc:/);
  });

  let fake: http.Server | undefined;
  afterEach(() => fake?.close());

  /** A client of a fake server that tells what it was asked, with a status of its own at some places. */
  async function client(statuses: Record<string, number> = {}): Promise<KServeClient> {
    fake = http.createServer((request, response) => {
      let body = "";
      request.on("data", (chunk) => {
        body += chunk;
      });
      request.on("end", () => {
        response.statusCode = statuses[request.url ?? ""] ?? 200;
        response.end(JSON.stringify({ asked: `${request.method} ${request.url} ${body}`, error: "fake: no" }));
      });
    });
    await new Promise<void>((resolve) => fake?.listen(0, "127.0.0.1", resolve));
    return new KServeClient(`127.0.0.1:${(fake.address() as AddressInfo).port}`);
  }

  it("posts what has a body, and keeps no connection, so that a server can end at once", async () => {
    const asking = await client();
    expect(await asking.json("/place")).toMatchObject({ asked: "GET /place " });
    expect(await asking.json("/place", { a: 1 })).toMatchObject({ asked: 'POST /place {"a":1}' });
    const connections = () => new Promise((resolve) => fake?.getConnections((_, count) => resolve(count)));
    await expect.poll(connections).toBe(0);
  });

  it("writes the name of a model as the server reads it, which decodes nothing", async () => {
    const asking = await client({ "/triton/v2/health/live": 403 });
    const asked = async (model: string) => JSON.stringify(await asking.modelConfig(model));
    expect(await asked("a@b+c#100%")).toContain("GET /v2/models/a@b+c#100%/config ");
    expect(await asked("my model?")).toContain("GET /v2/models/my%20model%3F/config ");
    expect(["a@b", "grün", "my model", "a?", "a/b", ""].map(canBeAddressed)).toEqual([
      true,
      true,
      false,
      false,
      false,
      false,
    ]);
    const behind = new KServeClient(`${asking.url}/triton`);
    expect(await behind.json("/v2")).toMatchObject({ asked: "GET /triton/v2 " });
    expect(await behind.isLive()).toBe(true); // what is restricted answers, too
  });

  it("passes an error of the server on", async () => {
    const asking = await client({ "/v2/repository/models/a%2Fb/load": 400, "/v2/models/a/versions/2/ready": 400 });
    await expect(asking.loadModel("a/b")).rejects.toMatchObject({
      code: "ANSWER",
      message: "The server answered with an error (HTTP 400): fake: no",
    });
    await expect(asking.unloadModel("a/b")).resolves.toBeUndefined();
    expect([await asking.isModelReady("a"), await asking.isModelReady("a", "2")]).toEqual([true, false]);
  });

  it("says when something else answers", async () => {
    fake = http.createServer((request, response) => response.end(request.url === "/v2" ? "<html>" : ""));
    await new Promise<void>((resolve) => fake?.listen(0, "127.0.0.1", resolve));
    const asking = new KServeClient(`127.0.0.1:${(fake.address() as AddressInfo).port}`);
    const message = expect.stringContaining("is not the HTTP endpoint of a Triton server");
    await expect(asking.serverMetadata()).rejects.toMatchObject({ code: "ANSWER", message });
    await expect(asking.modelMetadata("m")).rejects.toMatchObject({ code: "ANSWER", message });
  });

  it("says when nothing answers", async () => {
    const asking = await client();
    await new Promise((resolve) => fake?.close(resolve));
    await expect(asking.serverMetadata()).rejects.toMatchObject({ code: "UNREACHABLE" });
    expect(await asking.isLive()).toBe(false);
  });
});
