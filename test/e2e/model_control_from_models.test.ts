// SPDX-License-Identifier: Apache-2.0
// Models that load and unload others, on the real server.
import { appendFileSync } from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { stubOf } from "./faults/bad_models.ts";
import { control, Gate, inferJson, type ModelSpec, startServer, type TestServer, until } from "./harness/index.ts";

const config = (word: string) => ({
  backend: "typescript",
  output: [{ name: "OUT", data_type: "TYPE_STRING", dims: [1] }],
  parameters: { WORD: { string_value: word } },
});

const configText = (word: string) => `
backend: "typescript"
output [ { name: "OUT", data_type: TYPE_STRING, dims: [ 1 ] } ]
parameters { key: "WORD" value { string_value: "${word}" } }`;

/** Says its WORD, between marks that stand in its code. */
const code = (mark: string, more = "") => `
import { appendFileSync, existsSync, statSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { InferenceResponse, modelParameter, models, Tensor } from "triton-typescript";
export default class Says {
  async initialize(args) {
    this.word = modelParameter(args.modelConfig, "WORD");
    this.large = statSync(new URL("./large.bin", import.meta.url), { throwIfNoEntry: false })?.size ?? 0;
    ${more}
  }
  execute(requests) {
    const text = ["${mark}", this.word, "${mark}", this.large].join("");
    return requests.map(() => new InferenceResponse([new Tensor("OUT", [text], [1])]));
  }
}`;

const says = (name: string, word: string, more?: string): ModelSpec => ({
  name,
  config: configText(word),
  files: { "1/model.ts": code("<", more) },
});

/** In a model's initialize: it waits at the gate of a test. */
const passes = ({ folder }: Gate) => `
    appendFileSync("${folder}/here", "+");
    while (!existsSync("${folder}/go")) await sleep(5);`;

/** In a model's class, before its execute. */
const FINALIZE = `async finalize() {
    await sleep(500);
    console.info("lingers is finalized");
  }
  execute(`;

const part: ModelSpec = {
  name: "part",
  config: `backend: "typescript"
input [ { name: "IN", data_type: TYPE_FP32, dims: [ -1 ] } ]
output [ { name: "OUT", data_type: TYPE_FP32, dims: [ -1 ] } ]`,
  files: {
    "1/model.ts": `
import { InferenceResponse, Tensor } from "triton-typescript";
export default class Part {
  execute(requests) {
    return requests.map((r) => new InferenceResponse([new Tensor("OUT", r.input("IN").data, r.input("IN").shape)]));
  }
}`,
  },
};

const whole: ModelSpec = {
  name: "whole",
  config: `platform: "ensemble"
input [ { name: "IN", data_type: TYPE_FP32, dims: [ -1 ] } ]
output [ { name: "OUT", data_type: TYPE_FP32, dims: [ -1 ] } ]
ensemble_scheduling { step [
  { model_name: "part", model_version: -1, input_map { key: "IN" value: "IN" }, output_map { key: "OUT" value: "OUT" } }
] }`,
  files: { "1/.keep": "" },
};

function send(server: TestServer, commands: readonly object[]) {
  const inputs = [{ name: "COMMANDS", datatype: "BYTES", shape: [1], data: [JSON.stringify(commands)] }];
  return inferJson(server, "controller", { inputs });
}

/** Commands of the fixture. */
async function act(server: TestServer, ...commands: object[]): Promise<unknown[]> {
  const { status, body } = await send(server, commands);
  if (status !== 200) throw new Error(body.error);
  return JSON.parse(body.outputs[0].data[0]);
}

async function wordOf(server: TestServer, model: string): Promise<string> {
  const { body } = await inferJson(server, model, { inputs: [] });
  return body.error ?? body.outputs[0].data[0];
}

const load = (name: string, more: object = {}) => ({ do: "load", name, ...more });
const unload = (name: string, more: object = {}) => ({ do: "unload", name, ...more });
const isReady = (name: string, version?: number) => ({ do: "isReady", name, version });
const settle = { do: "settle" };

const start = (modelControlMode: "none" | "explicit" | "poll", models: (string | ModelSpec)[]) =>
  startServer({
    models: ["controller", ...models],
    modelControlMode,
    loadModels: modelControlMode === "explicit" ? ["controller"] : [],
  });

describe("with explicit control", () => {
  const gate = new Gate();
  let server: TestServer;

  beforeAll(async () => {
    server = await start("explicit", [
      says("one", "first"),
      says("changing", "old"),
      says("broken", "x", 'throw new Error("not today");'),
      says("friend", "friend"),
      says("asks_friend", "x", 'await models.load("friend"); this.word = String(await models.isReady("friend"));'),
      says("itself", "x", 'await models.load("itself");'),
      says("cane", "x", 'await models.load("abel");'),
      says("abel", "x", 'await sleep(200); await models.load("cane");'),
      { ...says("lingers", "x"), files: { "1/model.ts": code("<").replace("execute(", FINALIZE) } },
      says("slow", "slow", passes(gate)),
      part,
      whole,
    ]);
  });

  test("a model is loaded and unloaded", async () => {
    expect(
      await act(server, isReady("one"), load("one"), isReady("one"), isReady("one", 1), isReady("one", 2), settle),
    ).toEqual([false, "done", true, true, false, "done"]);
    expect(await wordOf(server, "one")).toBe("<first<0");
    expect(await act(server, unload("one"), isReady("one"))).toEqual(["done", false]);
  });

  test("with another configuration, as an object and as text", async () => {
    expect(await act(server, load("one", { config: config("second") }))).toEqual(["done"]);
    expect(await wordOf(server, "one")).toBe("<second<0");
    expect(await act(server, load("one", { config: JSON.stringify(config("third")) }))).toEqual(["done"]);
    expect(await wordOf(server, "one")).toBe("<third<0");
  });

  test("with files, which may be large", async () => {
    const files = { "1/model.ts": code("#") };
    const large = 20_000_000;
    expect(await act(server, load("one", { config: config("filed"), files, large }))).toEqual(["done"]);
    expect(await wordOf(server, "one")).toBe(`#filed#${large}`);
  });

  test("a reload that fails leaves the old one", async () => {
    expect(await act(server, load("changing"))).toEqual(["done"]);
    appendFileSync(path.join(server.repository, "changing/1/model.ts"), "\nthrow new Error('worse');\n");
    expect(await act(server, load("changing"), isReady("changing"))).toEqual([
      { code: "INVALID_ARG", message: expect.stringMatching(/load failed for model 'changing': .*worse/s) },
      true,
    ]);
    expect(await wordOf(server, "changing")).toBe("<old<0");
  });

  test.each([
    ["a wrong argument", load(""), "The argument 'name' of models.load must be the name of a model"],
    ["what the server refuses", load("broken"), "not today"],
  ])("%s that the model does not catch is no mistake of the client", async (_what, command, text) => {
    const { status, body } = await send(server, [{ ...command, throws: true }]);
    expect({ status, error: body.error }).toEqual({ status: 500, error: expect.stringContaining(text) });
  });

  test("errors of the server are passed on", async () => {
    const [broken, unknown, twice] = (await act(server, load("broken"), load("nobody"), isReady("nobody"))) as [
      { code: string; message: string },
      { code: string; message: string },
      boolean,
    ];
    expect(broken).toEqual({ code: "INVALID_ARG", message: expect.stringContaining("not today") });
    expect(unknown).toEqual({
      code: "INTERNAL",
      message: expect.stringMatching(/^failed to load 'nobody', failed to poll from model repository: is there /),
    });
    expect(twice).toBe(false);
    expect(await act(server, unload("nobody", { wait: true }))).toEqual(["done"]);
  });

  test("an ensemble brings its models along, and takes them when it is told to", async () => {
    const states = [isReady("whole"), isReady("part")];
    expect(await act(server, load("whole"), ...states, settle)).toEqual(["done", true, true, "done"]);
    expect(await act(server, unload("whole"), ...states)).toEqual(["done", false, true]);
    expect(await act(server, load("whole"), settle)).toEqual(["done", "done"]);
    expect(await act(server, unload("whole", { unloadDependents: true }), ...states)).toEqual(["done", false, false]);
  });

  test("who waits for an unload waits until the model has ended", async () => {
    await act(server, load("lingers"), settle);
    const pid = stubOf(server, "lingers");
    expect(pid).toBeDefined();
    expect(await act(server, unload("lingers", { wait: true }))).toEqual(["done"]);
    expect(server.stubs()).not.toContain(pid);
    await server.waitForLog("lingers is finalized");
  });

  test("from initialize", async () => {
    expect(await act(server, load("asks_friend"))).toEqual(["done"]);
    expect(await wordOf(server, "asks_friend")).toBe("<true<0");
    expect(await wordOf(server, "friend")).toBe("<friend<0");
  });

  test("a model that would wait for itself in its initialize is told so", async () => {
    const itself = expect.stringContaining("Model 'itself' cannot load itself in its initialize");
    expect(await act(server, load("itself"))).toEqual([{ code: "INVALID_ARG", message: itself }]);
    const [circle] = (await act(server, load("cane"))) as [{ message: string }];
    expect(circle.message).toContain("Model 'abel' cannot load 'cane' in its initialize");
  });

  test("a model that unloads itself is answered first, and can be loaded again", async () => {
    expect(await act(server, unload("controller", { wait: true }))).toEqual([
      { code: "INVALID_ARG", message: expect.stringContaining("cannot wait until it is unloaded itself") },
    ]);
    expect(await act(server, unload("controller"), isReady("controller"))).toEqual(["done", false]);
    await until(() => server.log().includes("successfully unloaded 'controller'"), "its end", 60_000, server);
    expect((await control(server, "load", "controller")).status).toBe(200);
    // It may load itself again, too, while it answers.
    expect(await act(server, load("controller", {}), isReady("controller"))).toEqual(["done", true]);
  });

  test("a process that dies while it loads another model", async () => {
    expect(await act(server, { do: "beginLoad", name: "slow" })).toEqual(["done"]);
    await gate.arrivals(1, server);
    await expect(act(server, { do: "exit" })).rejects.toThrow("is not healthy");
    gate.open();
    await until(() => server.isModelReady("slow"), "the load to go on", 60_000, server);
    expect(await act(server, isReady("slow"))).toEqual([true]);
  });
});

test("a server stops in order while a model loads another", async () => {
  const server = await start("explicit", [says("slow", "slow", 'console.info("begins"); await sleep(1500);')]);
  expect(await act(server, { do: "beginLoad", name: "slow" })).toEqual(["done"]);
  await server.waitForLog("begins");
  expect(await server.stop()).toEqual({ code: 0, signal: null });
  expect(server.log()).not.toContain("Exit timeout expired");
});

test.each(["none", "poll"] as const)(
  "in the mode '%s' nothing is loaded, and the error says what to do",
  async (mode) => {
    const server = await start(mode, [says("one", "first")]);
    const refused = {
      code: "UNAVAILABLE",
      message: expect.stringMatching(/^explicit model load .* is started with --model-control-mode=explicit\.$/),
    };
    expect(await act(server, load("one"), unload("one"), isReady("one"))).toEqual([refused, refused, true]);
  },
);
