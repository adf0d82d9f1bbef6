// SPDX-License-Identifier: Apache-2.0
// Loading, unloading and reloading while the server runs.
import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import {
  addModel,
  inferJson,
  isAlive,
  listing,
  type ModelSpec,
  control as requestControl,
  startServer,
  type TestServer,
  until,
} from "./harness/index.ts";

const config = `
backend: "typescript"
input [ { name: "IN", data_type: TYPE_STRING, dims: [ -1 ], optional: true } ]
output [ { name: "OUT", data_type: TYPE_STRING, dims: [ 1 ] } ]`;

const code = (word: string) => `
import { InferenceResponse, Tensor } from "triton-typescript";
import { decorate } from "./decorate.ts";
export default class Says {
  execute(requests: readonly unknown[]) {
    return requests.map(() => new InferenceResponse([new Tensor("OUT", [decorate("${word}")], [1])]));
  }
  finalize() { console.info("finalized ${word}"); }
}`;

const says = (name: string, word: string): ModelSpec => ({
  name,
  config,
  files: {
    "1/model.ts": code(word),
    "1/decorate.ts": 'export const decorate = (word: string) => ["<", word, ">"].join("");',
  },
});

const wordOf = async (server: TestServer, model: string) => {
  const { body } = await inferJson(server, model, { inputs: [] });
  return body.error ?? body.outputs[0].data[0];
};

describe("explicit control", () => {
  let server: TestServer;

  const control = (model: string, action: "load" | "unload", body: object = {}) =>
    requestControl(server, action, model, body);

  beforeAll(async () => {
    server = await startServer({
      models: [
        says("first", "one"),
        says("second", "two"),
        { ...says("broken", "x"), files: { "1/model.ts": "export default 5;" } },
      ],
      modelControlMode: "explicit",
      loadModels: ["first"],
    });
  });

  test("loads only what is named at the start", async () => {
    expect(await wordOf(server, "first")).toBe("<one>");
    expect(await server.isModelReady("second")).toBe(false);
  });

  test("loads and unloads on request", async () => {
    expect((await control("second", "load")).status).toBe(200);
    expect(await wordOf(server, "second")).toBe("<two>");
    const before = server.stubs();
    expect(before).toHaveLength(2);
    expect((await control("second", "unload")).status).toBe(200);
    await server.waitForLog("finalized two");
    await until(() => server.stubs().length === 1, "the process to end", 60_000, server);
    expect(await server.isModelReady("second")).toBe(false);
    expect(await wordOf(server, "first")).toBe("<one>");
  });

  test("a model that cannot be loaded is an error of the request", async () => {
    const reply = await control("broken", "load");
    expect(reply.status).toBe(400);
    expect(reply.body.error).toMatch(/must be a class/);
    expect(await wordOf(server, "first")).toBe("<one>");
  });

  test("a reload takes the new code", async () => {
    const [old] = server.stubs();
    writeFileSync(path.join(server.repository, "first", "1", "model.ts"), code("uno"));
    expect((await control("first", "load")).status).toBe(200);
    expect(await wordOf(server, "first")).toBe("<uno>");
    await until(() => !isAlive(old!), "the old process to end", 60_000, server);
  });

  test("a load may bring another configuration", async () => {
    const override = {
      backend: "typescript",
      max_batch_size: 0,
      input: [{ name: "IN", data_type: "TYPE_STRING", dims: [-1], optional: true }],
      output: [{ name: "OUT", data_type: "TYPE_STRING", dims: [1] }],
      instance_group: [{ count: 3, kind: "KIND_CPU" }],
    };
    expect((await control("second", "load", { parameters: { config: JSON.stringify(override) } })).status).toBe(200);
    expect(server.stubs()).toHaveLength(4);
    await control("second", "unload");
    await until(() => server.stubs().length === 1, "three processes to end", 60_000, server);
  });

  test("many loads and unloads leave neither process nor descriptor behind", async () => {
    const descriptors = () => readdirSync(`/proc/${server.pid}/fd`).length;
    const cycle = async () => {
      await control("second", "load");
      await control("second", "unload");
      await until(() => server.stubs().length === 1, "the process to end", 60_000, server);
    };
    for (let i = 0; i < 3; i++) await cycle();
    const before = descriptors();
    for (let i = 0; i < 10; i++) await cycle();
    // Connections of these requests are closed a little later.
    await until(() => descriptors() <= before, `${before} descriptors, not ${descriptors()}`, 60_000, server);
    expect(await wordOf(server, "first")).toBe("<uno>");
  });

  test("the server stops in order, with every process", async () => {
    const pids = server.stubs();
    expect((await server.stop()).code).toBe(0);
    expect(server.log()).toMatch(/finalized uno/);
    expect(pids.filter(isAlive)).toEqual([]);
  });
});

test("a reload that fails leaves the old code in service", async () => {
  // A server of its own: after such a failure Triton waits its whole exit timeout for a model that it miscounts.
  const server = await startServer({
    models: [says("first", "one")],
    modelControlMode: "explicit",
    loadModels: ["first"],
  });
  writeFileSync(path.join(server.repository, "first", "1", "model.ts"), "export default class { execute( }");
  const reply = await requestControl(server, "load", "first");
  expect(reply.status).toBe(400);
  expect(reply.body.error).toMatch(/first\/1\/model\.ts:1:\d+/);
  expect(await wordOf(server, "first")).toBe("<one>");
  expect(await server.terminate()).toEqual({ code: 0, signal: null });
  expect(server.log()).toContain("finalized one");
  expect(server.log()).not.toContain("Exit timeout expired");
});

describe("poll control", () => {
  let server: TestServer;

  beforeAll(async () => {
    server = await startServer({
      models: [says("polled", "one"), says("steady", "two")],
      modelControlMode: "poll",
      args: ["--repository-poll-secs=1"],
    });
  });

  const becomes = (model: string, word: string) =>
    until(async () => (await wordOf(server, model)) === word, `${model} to say ${word}`, 60_000, server);

  test("nothing is written into model folders, so nothing is reloaded", async () => {
    const before = listing(server.repository);
    const pids = server.stubs().sort();
    for (let i = 0; i < 20; i++) await wordOf(server, i % 2 === 0 ? "polled" : "steady");
    await new Promise((resolve) => setTimeout(resolve, 2500));
    expect(listing(server.repository)).toEqual(before);
    expect(server.stubs().sort()).toEqual(pids);
  });

  test("a change of model.ts is served without a restart", async () => {
    writeFileSync(path.join(server.repository, "polled", "1", "model.ts"), code("changed"));
    await becomes("polled", "<changed>");
    expect(server.logLines("loading: steady")).toHaveLength(1);
  });

  test("a change of an imported file is served too", async () => {
    writeFileSync(
      path.join(server.repository, "polled", "1", "decorate.ts"),
      'export const decorate = (word: string) => ["[", word, "]"].join("");',
    );
    await becomes("polled", "[changed]");
  });

  test("a new version takes over", async () => {
    const folder = path.join(server.repository, "polled");
    mkdirSync(path.join(folder, "2"));
    writeFileSync(path.join(folder, "2", "decorate.ts"), "export const decorate = (word: string) => word;");
    writeFileSync(path.join(folder, "2", "model.ts"), code("version 2"));
    await becomes("polled", "version 2");
  });

  test("a new model is loaded, a removed one unloaded", async () => {
    addModel(server.repository, says("added", "three"));
    await until(() => server.isModelReady("added"), "the new model to be ready", 60_000, server);
    expect(await wordOf(server, "added")).toBe("<three>");
    rmSync(path.join(server.repository, "added"), { recursive: true });
    await until(async () => !(await server.isModelReady("added")), "the model to be unloaded", 60_000, server);
    await until(() => server.stubs().length === 2, "its process to end", 60_000, server);
  });
});
