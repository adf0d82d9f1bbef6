// SPDX-License-Identifier: Apache-2.0
// Calls of models that die, are unloaded or are not healthy, and models that die while they call and are called.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { control, stubOf } from "./faults/bad_models.ts";
import { inferJson, startServer, type TestServer, until } from "./harness/index.ts";

const folder = mkdtempSync(path.join(os.tmpdir(), "triton-typescript-calls-"));
const mark = path.join(folder, "does-not-start");
/** Answers like `callee`, and does not start while there is a file. */
const FRAGILE = `
import { existsSync } from "node:fs";
import { InferenceResponse, Tensor } from "triton-typescript";
export default class {
  initialize() {
    if (existsSync(${JSON.stringify(mark)})) throw new Error("not now");
  }
  execute(requests) {
    return requests.map((request) => new InferenceResponse([request.input("IN").renamed("OUT")]));
  }
}`;
const CONFIG = `
backend: "typescript"
input [ { name: "IN", data_type: TYPE_FP32, dims: [ -1 ] } ]
output [ { name: "OUT", data_type: TYPE_FP32, dims: [ -1 ] } ]`;

let server: TestServer;

beforeAll(async () => {
  const models = [
    "caller",
    { name: "relay", fixture: "caller" },
    "callee",
    "counter",
    { name: "leaving", fixture: "counter" },
    { name: "fragile", config: CONFIG, files: { "1/model.ts": FRAGILE } },
  ];
  server = await startServer({
    models,
    modelControlMode: "explicit",
    loadModels: models.map((model) => (typeof model === "string" ? model : model.name)),
    backendConfig: ["typescript,restart-backoff-ms=300"],
  });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Has the caller do something, and gives what it says. */
async function act(name: string, model: string, more: Record<string, unknown> = {}): Promise<Record<string, unknown>> {
  const inputs = [{ name: "IN", datatype: "FP32", shape: [1], data: [0] }];
  const parameters = { case: name, model, ...more };
  const { status, body } = await inferJson(server, "caller", { inputs, parameters, outputs: [{ name: "DONE" }] });
  expect(status, JSON.stringify(body)).toBe(200);
  return JSON.parse(body.outputs[0].data[0]);
}

/** Ends the process of a model, and waits for the next one. */
async function kill(model: string): Promise<void> {
  const pid = stubOf(server, model)!;
  process.kill(pid, "SIGKILL");
  await until(() => (stubOf(server, model) ?? pid) !== pid, "a new process", 60_000, server);
}

test("a model that dies in the middle of a stream ends the stream with an error", async () => {
  const streamed = act("streamSlowly", "counter");
  await server.waitForLog("streaming counter: 2");
  await kill("counter");
  const { values, error } = await streamed;
  expect((values as number[]).slice(0, 3)).toEqual([0, 1, 2]);
  expect(error).toContain("Stub process 'counter_0' is not healthy.");
  expect(await act("stream", "counter")).toEqual({ values: [0, 1, 2] });
});

test("a model that is being unloaded ends its streams, and takes no new calls", async () => {
  const streamed = act("streamSlowly", "leaving", { end: 100 });
  await server.waitForLog("streaming leaving: 2");
  const unloaded = control(server, "unload", "leaving");
  await until(
    async () => (await act("unknown", "leaving"))["code"] === "NOT_FOUND",
    "the unload to begin",
    60_000,
    server,
  );
  expect((await act("unknown", "leaving"))["message"]).toContain("Request for unknown model: 'leaving'");
  const { values, error } = await streamed;
  expect([(values as number[]).length, error]).toEqual([100, undefined]);
  expect(await unloaded).toBe("");
});

test("a model that is not healthy says so", async () => {
  expect(await act("plain", "fragile")).toEqual({ values: [1, 2, 3] });
  writeFileSync(mark, "");
  process.kill(stubOf(server, "fragile")!, "SIGKILL");
  await server.waitForLog("Restarting a stub process failed");
  expect(await act("fails", "fragile", { code: "INTERNAL" })).toEqual({
    ours: true,
    code: "UNAVAILABLE",
    message: expect.stringMatching(/^Stub process 'fragile_0' is not healthy\. Its restart failed: .*not now/),
  });
  rmSync(mark);
  await until(
    async () => (await act("fails", "fragile", { code: "INTERNAL" }))["error"] === "none",
    "an answer",
    60_000,
    server,
  );
});

test("a process that is killed with calls open in both directions: who called it hears of it, and nothing is left open", async () => {
  for (let i = 0; i < 3; i++) {
    const asked = act("via", "relay", { task: "hang", target: "callee" });
    await until(() => server.logLines("hanging").length === i + 1, "the relay to hang", 60_000, server);
    await kill("relay");
    expect(await asked).toMatchObject({
      ours: true,
      message: expect.stringContaining("Stub process 'relay_0' is not healthy."),
    });
    expect(await act("via", "relay", { task: "plain", target: "callee" })).toEqual({ values: [1, 2, 3] });
  }
  // An open call would keep the model from being unloaded.
  for (const model of ["relay", "caller", "callee"]) expect(await control(server, "unload", model)).toBe("");
  await until(async () => !(await server.isModelReady("callee")), "the unload", 60_000, server);
  await until(
    () => ["relay", "caller", "callee"].every((model) => stubOf(server, model) === undefined),
    "their processes to end",
    60_000,
    server,
  );
});
