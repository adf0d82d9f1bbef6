// SPDX-License-Identifier: Apache-2.0
import http from "node:http";
import net, { type AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { HttpClient } from "../client/http/index.ts";
import { canBeAddressed, isAnswering, plainFetch } from "./plain_fetch.ts";

describe("a server asked without fetch", () => {
  let fake: http.Server | undefined;
  afterEach(() => {
    fake?.close();
  });

  /** The address of a fake server that tells what it was asked, with a status of its own at some places. */
  async function fakeServer(statuses: Record<string, number> = {}): Promise<string> {
    fake = http.createServer((request, response) => {
      let body = "";
      request.on("data", (chunk) => {
        body += chunk;
      });
      request.on("end", () => {
        response.statusCode = statuses[request.url ?? ""] ?? 200;
        if (response.statusCode === 204) return response.end();
        const asked = `${request.method} ${Buffer.from(request.url ?? "", "latin1")} ${body}`;
        return response.end(JSON.stringify({ asked, error: "fake: no" }));
      });
    });
    await new Promise<void>((resolve) => fake?.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${(fake.address() as AddressInfo).port}`;
  }

  const clientOf = (url: string) => new HttpClient({ url, fetch: plainFetch });

  it("posts what has a body, and keeps no connection, so that a server can end at once", async () => {
    const url = await fakeServer({ "/nothing": 204 });
    const answer = await plainFetch(`${url}/place?a=%20`, {});
    expect(await answer.json()).toMatchObject({ asked: "GET /place?a=%20 " });
    const posted = await plainFetch(`${url}/place`, { method: "POST", body: "ä", headers: { "x-a": "b" } });
    expect(await posted.json()).toMatchObject({ asked: "POST /place ä" });
    expect((await plainFetch(`${url}/nothing`, {})).status).toBe(204);
    const connections = () => new Promise((resolve) => fake?.getConnections((_, count) => resolve(count)));
    await expect.poll(connections).toBe(0);
  });

  it("is told the name of a model as it reads it, which is without decoding", async () => {
    // By hand: Node's own server takes no bytes beyond ASCII in an address.
    const byHand = net.createServer((socket) =>
      socket.once("data", (asked) => {
        const [line] = asked.toString("utf8").split("\r\n", 1);
        const body = JSON.stringify({ asked: line, name: "any", input: [], output: [] });
        socket.end(`HTTP/1.1 200 OK\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
      }),
    );
    await new Promise<void>((resolve) => byHand.listen(0, "127.0.0.1", resolve));
    const url = `http://127.0.0.1:${(byHand.address() as AddressInfo).port}`;
    for (const base of [url, `${url}/behind/`]) {
      for (const model of ["a@b+c#100%", "grün", "模型", "a\\b"]) {
        const config = await clientOf(base).modelConfig(model, { modelVersion: 2 });
        const path = `${base.slice(url.length).replace(/\/$/, "")}/v2/models/${model}/versions/2/config`;
        expect(config).toMatchObject({ asked: `GET ${path} HTTP/1.1` });
      }
    }
    byHand.close();
    const names = ["a@b", "grün", "my model", "a?", "a/b", "a\n", ""];
    expect(names.map(canBeAddressed)).toEqual([true, true, false, false, false, false, false]);
    await expect(clientOf(url).modelConfig("my model")).rejects.toMatchObject({ reason: "REQUEST" });
    await expect(new HttpClient({ url }).modelConfig("grün")).rejects.toMatchObject({ reason: "REQUEST" });
  });

  it("is open when it answers, also that the question is restricted", async () => {
    const url = await fakeServer({ "/a/v2/health/live": 403, "/b/v2/health/live": 401, "/c/v2/health/live": 400 });
    const answers = await Promise.all(["", "/a", "/b", "/c"].map((path) => isAnswering(`${url}${path}`)));
    expect(answers).toEqual([true, true, true, false]);
    await new Promise((resolve) => fake?.close(resolve));
    expect(await isAnswering(url)).toBe(false);
    await expect(clientOf(url).serverMetadata()).rejects.toMatchObject({ reason: "UNREACHABLE" });
  });

  it("is given up with its question", async () => {
    fake = http.createServer(() => {}); // never answers
    await new Promise<void>((resolve) => fake?.listen(0, "127.0.0.1", resolve));
    const asking = clientOf(`127.0.0.1:${(fake.address() as AddressInfo).port}`);
    await expect(asking.serverMetadata({ deadlineMs: 50 })).rejects.toMatchObject({ reason: "DEADLINE" });
    const connections = () => new Promise((resolve) => fake?.getConnections((_, count) => resolve(count)));
    await expect.poll(connections).toBe(0);
  });

  it("may be no Triton: metrics answer everything with nothing", async () => {
    fake = http.createServer((request, response) => response.end(request.url === "/v2" ? "<html>" : ""));
    await new Promise<void>((resolve) => fake?.listen(0, "127.0.0.1", resolve));
    const asking = clientOf(`127.0.0.1:${(fake.address() as AddressInfo).port}`);
    await expect(asking.serverMetadata()).rejects.toThrow("Is this the HTTP endpoint of a Triton server?");
    await expect(asking.modelMetadata("m")).rejects.toThrow("Is this the port of the server's metrics?");
  });

  it("may hang up, as a gRPC port does", async () => {
    fake = http.createServer();
    fake.on("connection", (socket) => socket.resetAndDestroy());
    await new Promise<void>((resolve) => fake?.listen(0, "127.0.0.1", resolve));
    const asking = clientOf(`127.0.0.1:${(fake.address() as AddressInfo).port}`);
    await expect(asking.serverMetadata()).rejects.toThrow("Is this the gRPC port?");
  });
});
