// SPDX-License-Identifier: Apache-2.0
// The HTTP client in a real browser: a headless Chromium runs a page that imports the package's files as they are. What
// serves the page hands questions on to the Triton server, as a proxy in front of it would.
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import http from "node:http";
import type { AddressInfo } from "node:net";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { STREAMER, TALKER } from "./harness/client_models.ts";
import { Gate, startServer, type TestServer } from "./harness/index.ts";

const dist = fileURLToPath(new URL("../../dist/", import.meta.url));

/** The browser that CHROMIUM names, or one on PATH. */
function findChromium(): string | undefined {
  const folders = (process.env["PATH"] ?? "").split(path.delimiter);
  const names = ["chromium", "chromium-browser", "google-chrome"];
  const files = names.flatMap((name) => folders.map((folder) => path.join(folder, name)));
  return [process.env["CHROMIUM"] ?? "", ...files].find((file) => file !== "" && existsSync(file));
}

/** Keeps a request longer than the page's deadline. */
const gate = new Gate();

/** What the page does; it reports what it saw, or what it died of. */
const SCRIPT = `
import { ClientError, HttpClient, Tensor } from "/dist/client/http/index.js";
const report = (result) => fetch("/report", { method: "POST", body: JSON.stringify(result) });
const failure = async (promise) => {
  try { await promise; return "it did not fail"; } catch (error) {
    return { isClientError: error instanceof ClientError, code: error.code, reason: error.reason, message: error.message };
  }
};
try {
  const client = new HttpClient({ url: "/triton" });
  const result = { hasBuffer: typeof globalThis.Buffer, isLive: await client.isLive() };
  const inputs = [
    new Tensor("INPUT_BYTES", ["wörter", new Uint8Array([0, 255])], [2]),
    new Tensor("INPUT_FP32", Float32Array.of(1.5, -2), [2]),
    new Tensor("INPUT_INT64", BigInt64Array.of(-(2n ** 63n)), [1]),
  ];
  const requestedOutputs = ["OUTPUT_BYTES", "OUTPUT_FP32", "OUTPUT_INT64"];
  const bytes = await client.infer("identity", inputs, { requestedOutputs });
  result.bytes = [
    bytes.output("OUTPUT_BYTES", "BYTES").bytes().map((element) => [...element]),
    [...bytes.output("OUTPUT_FP32", "FP32").data],
    String(bytes.output("OUTPUT_INT64", "INT64").data[0]),
  ];
  const json = await client.infer("identity", inputs.slice(1, 2), { requestedOutputs: ["OUTPUT_FP32"], binary: false });
  result.json = [...json.output("OUTPUT_FP32", "FP32").data];
  result.words = (await client.infer("talker", [new Tensor("WHAT", ["echo"], [1])])).output("SEEN", "BYTES").strings().length;
  result.streamed = [];
  for await (const part of client.generateStream("streamer", { WHAT: "1 2 3" })) result.streamed.push(part.OUT);
  let count = 0;
  for await (const part of client.generateStream("streamer", { WHAT: "for-ever" })) if (++count > 3) break;
  result.count = count;
  result.unknown = await failure(client.infer("nobody", []));
  result.late = await failure(client.infer("talker", [new Tensor("WHAT", ["${gate.folder}"], [1])], { deadlineMs: 200 }));
  result.nobody = await failure(new HttpClient({ url: "http://127.0.0.1:1" }).serverMetadata());
  await report(result);
} catch (error) {
  await report({ died: String(error?.stack ?? error) });
}
`;

const chromium = findChromium();
let server: TestServer;
let site: http.Server;
let profile: string;
let browser: ChildProcess | undefined;
let reported: Promise<Record<string, unknown>>;

/** Hands a question on, with a connection of its own. */
function handOn(request: http.IncomingMessage, response: http.ServerResponse): void {
  const url = `${server.url}${request.url!.slice("/triton".length)}`;
  const headers = { ...request.headers, connection: "close" };
  const sent = http.request(url, { method: request.method, headers, agent: false }, (answer) => {
    response.writeHead(answer.statusCode!, answer.headers);
    answer.pipe(response);
  });
  sent.on("error", () => response.destroy());
  response.on("close", () => sent.destroy());
  request.pipe(sent);
}

function serve(request: http.IncomingMessage, response: http.ServerResponse, report: (text: string) => void): void {
  const url = request.url ?? "/";
  if (url.startsWith("/triton/")) {
    handOn(request, response);
    return;
  }
  if (url === "/report") {
    let text = "";
    request.on("data", (part) => {
      text += part;
    });
    request.on("end", () => {
      response.end();
      report(text);
    });
    return;
  }
  const file = path.join(dist, path.normalize(url).replace(/^\/dist/, ""));
  if (url === "/")
    response.setHeader("content-type", "text/html; charset=utf-8").end(`<script type="module">${SCRIPT}</script>`);
  else if (url.startsWith("/dist/") && existsSync(file)) {
    response.setHeader("content-type", "text/javascript").end(readFileSync(file));
  } else response.writeHead(404).end();
}

beforeAll(async () => {
  if (chromium === undefined) return;
  server = await startServer({ models: ["identity", TALKER, STREAMER] });
  reported = new Promise((resolve) => {
    site = http.createServer((request, response) =>
      serve(request, response, (text) => resolve(JSON.parse(text) as Record<string, unknown>)),
    );
  });
  await new Promise<void>((resolve) => site.listen(0, "127.0.0.1", resolve));
  profile = mkdtempSync(path.join(os.tmpdir(), "triton-typescript-browser-"));
});

afterAll(async () => {
  if (browser !== undefined) {
    const ended = new Promise((resolve) => browser!.once("exit", resolve));
    if (browser.exitCode === null && browser.signalCode === null) {
      browser.kill();
      await ended;
    }
  }
  site?.closeAllConnections();
  site?.close();
  if (profile !== undefined) rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
});

test("the client runs in a browser", async (context) => {
  if (chromium === undefined) context.skip("There is no Chromium on PATH (package chromium on Debian): set CHROMIUM.");
  const { port } = site.address() as AddressInfo;
  const args = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", `--user-data-dir=${profile}`];
  let told = "";
  browser = spawn(chromium!, [...args, `http://127.0.0.1:${port}/`], { stdio: ["ignore", "ignore", "pipe"] });
  browser.stderr!.on("data", (part) => {
    told += part;
  });
  const died = new Promise<never>((_resolve, reject) => {
    browser!.once("error", reject);
    browser!.once("exit", (code) => reject(new Error(`The browser ended with ${code}: ${told.slice(-2000)}`)));
  });
  const result = await Promise.race([reported, died]);
  died.catch(() => {});
  expect(result["died"]).toBeUndefined();
  expect(result).toMatchObject({
    hasBuffer: "undefined",
    isLive: true,
    bytes: [[[...new TextEncoder().encode("wörter")], [0, 255]], [1.5, -2], "-9223372036854775808"],
    json: [1.5, -2],
    words: 1,
    streamed: [1, 2, 3],
    count: 4,
    unknown: { isClientError: true, code: "NOT_FOUND", reason: "ANSWER" },
    late: { isClientError: true, reason: "DEADLINE" },
    nobody: { isClientError: true, reason: "UNREACHABLE" },
  });
});
