// SPDX-License-Identifier: Apache-2.0
// Models that call other models, on the real server.
import { execFile } from "node:child_process";
import path from "node:path";
import { promisify } from "node:util";
import { beforeAll, describe, expect, test } from "vitest";
import { packageRoot, stubNode } from "../../server/package_root.ts";
import { control, stubOf, unload } from "./faults/bad_models.ts";
import {
  inferJson,
  type ModelSpec,
  startServer,
  type TestServer,
  TritonClient,
  tensor,
  until,
} from "./harness/index.ts";

const ensemble: ModelSpec = {
  name: "pipeline",
  config: `platform: "ensemble"
max_batch_size: 0
input [ { name: "IN", data_type: TYPE_FP32, dims: [ -1 ] } ]
output [ { name: "OUT", data_type: TYPE_FP32, dims: [ -1 ] } ]
ensemble_scheduling { step [
  { model_name: "callee", model_version: -1, input_map { key: "IN" value: "IN" }, output_map { key: "OUT" value: "OUT" } }
] }`,
  files: { "1/.keep": "" },
};

/** A twin of python_backend's examples. */
const twin = (name: string): ModelSpec => ({ name, fixture: `../../../examples/bls/models/${name}` });

const initializes = (name: string, model: string): ModelSpec => ({
  name,
  fixture: "caller",
  config: `backend: "typescript"
output [ { name: "DONE", data_type: TYPE_STRING, dims: [ 1 ] } ]
parameters { key: "FRIEND" value { string_value: "${model}" } }`,
});

let server: TestServer;
let client: TritonClient;

beforeAll(async () => {
  const twins = ["add_sub", "pytorch", "bls_sync", "bls_async"];
  const models = [
    "caller",
    "callee",
    "counter",
    ensemble,
    initializes("asks_callee", "callee"),
    initializes("asks_itself", "asks_itself"),
    ...twins.map(twin),
  ];
  const loadModels = ["caller", "callee", "counter", "pipeline", ...twins];
  server = await startServer({ models, modelControlMode: "explicit", loadModels });
  client = new TritonClient(server);
});

/** Has the caller do something, and gives what it says. */
async function act(name: string, model: string, more: Record<string, unknown> = {}): Promise<Record<string, unknown>> {
  const inputs = [{ name: "IN", datatype: "FP32", shape: [1], data: [0] }];
  const parameters = { case: name, model, ...more };
  const { status, body } = await inferJson(server, "caller", { inputs, parameters, outputs: [{ name: "DONE" }] });
  if (status !== 200) return { status, error: body.error };
  return JSON.parse(body.outputs[0].data[0]);
}

describe("a call", () => {
  test.each(["callee", "pipeline"])("of %s", async (model) => {
    expect(await act("plain", model)).toEqual({ values: [1, 2, 3] });
  });

  test.each(["NOT_FOUND", "UNAVAILABLE", "INVALID_ARG", "CANCELLED"])(
    "that fails with %s keeps code and text",
    async (code) => {
      const answer = await act("fails", "callee", { code });
      expect(answer).toEqual({ ours: true, code, message: "not today" });
    },
  );

  test("of a model that is not there", async () => {
    expect(await act("unknown", "nobody")).toEqual({
      code: "NOT_FOUND",
      message: expect.stringContaining(
        "Error when running inference: Request for unknown model: 'nobody' is not found",
      ),
    });
  });

  test("with the wrong inputs", async () => {
    expect(await act("wrongInputs", "callee")).toEqual({
      ours: true,
      code: "INVALID_ARG",
      message: expect.stringContaining("expected 1 inputs but got 2 inputs for model 'callee'"),
    });
  });

  test.each(["pass", "chain"])(
    "with a megabyte that came with a request, given back where it lies: %s",
    async (name) => {
      const data = Float32Array.from({ length: 1 << 18 }, (_, i) => i);
      const reply = await client.infer("http", "caller", {
        inputs: [tensor("IN", "FP32", data)],
        outputs: ["OUT"],
        parameters: { case: name, model: "callee" },
      });
      expect(reply.output("OUT").data).toEqual(data);
    },
  );

  test("of itself, while it waits for itself", async () => {
    expect(await act("itself", "caller", { depth: 10 })).toEqual({ depth: 10 });
  });

  test("1000 in flight", async () => {
    expect(await act("many", "callee", { count: 1000 })).toEqual({ count: 1000 });
  });

  test("whose answers are large needs bounded memory, though nobody disposes of them", async () => {
    const { largest } = await act("loop", "callee", { count: 1000 });
    expect(largest).toBeLessThan(400 << 20);
  });

  test("that goes on when its request is answered holds the answer back as long as it reads the input", async () => {
    const started = performance.now();
    await client.infer("grpc", "caller", {
      inputs: [tensor("IN", "FP32", [0, 1, 2, 3, 4, 5])],
      outputs: ["DONE"],
      parameters: { case: "background", model: "callee" },
    });
    expect(performance.now() - started).toBeGreaterThan(150);
    await server.waitForLog("background got 5");
  });
});

describe("a stream", () => {
  test.each([
    ["of a decoupled model", "counter", {}, { values: [0, 1, 2] }],
    ["of an ordinary model", "callee", {}, { values: [3] }],
    ["without responses", "counter", { end: 0 }, { values: [] }],
    ["that says that it is over", "counter", { end: 1, emptyFinal: true }, { values: [0, null] }],
    ["with an error", "counter", { errorAt: 1 }, { values: [0], error: "no 1" }],
    ["of an unknown model", "nobody", {}, { values: [], error: expect.stringContaining("unknown model: 'nobody'") }],
  ])("%s", async (_, model, more, found) => {
    expect(await act("stream", model, more)).toEqual(found);
  });

  test("that is left is cancelled", async () => {
    await act("leave", "counter");
    await server.waitForLog("counter was cancelled");
  });

  test("is what exec() has no place for", async () => {
    expect(await act("execDecoupled", "counter", { end: 0 })).toEqual({ outputs: 0 });
    expect(await act("execDecoupled", "counter", { end: 1 })).toEqual({ outputs: 1 });
    expect(await act("execDecoupled", "counter", { end: 5 })).toMatchObject({
      message: expect.stringContaining("Model 'counter' gave more than one response"),
    });
  });
});

test("the client of the example bls, whose models are twins of python_backend's", async () => {
  const client = path.join(packageRoot, "examples", "bls", "client.ts");
  expect((await promisify(execFile)(stubNode(), [client, server.url])).stdout).toMatch(/PASS$/m);
});

describe("cancelling", () => {
  test("by a signal", async () => {
    const answer = act("abort", "callee");
    await server.waitForLog("callee has begun abort");
    await act("abortNow", "callee");
    expect(await answer).toEqual({ ours: true, code: "CANCELLED", message: "callee was cancelled" });
    await server.waitForLog("callee was cancelled abort");
  });

  test("a request cancels the calls that were made for it", async () => {
    const status = await client.cancel("caller", { inputs: [tensor("IN", "FP32", [1])] }, () =>
      server.waitForLog("callee has begun wait"),
    );
    expect(status).toBe("StatusCode.CANCELLED");
    await server.waitForLog("callee was cancelled wait");
  });
});

describe("at the edges of a model's life", () => {
  test("initialize and finalize may call others", async () => {
    expect(await control(server, "load", "asks_callee")).toBe("");
    await server.waitForLog("initialize got 7");
    await unload(server, "asks_callee");
    await server.waitForLog("finalize got 8");
    expect(await control(server, "load", "asks_itself")).toContain(
      "Error when running inference: Request for unknown model: 'asks_itself' has no available versions",
    );
  });

  test("a process that is killed with calls open leaves nothing behind", async () => {
    const pid = stubOf(server, "caller")!;
    const hanging = act("hang", "callee");
    await server.waitForLog("hanging");
    process.kill(pid, "SIGKILL");
    expect(await hanging).toMatchObject({ error: expect.stringContaining("is not healthy") });
    await until(() => (stubOf(server, "caller") ?? pid) !== pid, "a new process", 60_000, server);
    expect(await act("plain", "callee")).toEqual({ values: [1, 2, 3] });
  });
});
