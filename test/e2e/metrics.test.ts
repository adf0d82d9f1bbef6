// SPDX-License-Identifier: Apache-2.0
// Metrics of models and those that every model has, on /metrics of the real server.
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { control, stubOf, unload, waitForStub } from "./faults/bad_models.ts";
import { fetchOnce, inferJson, type ModelSpec, startServer, type TestServer, until } from "./harness/index.ts";

const CONFIG = `backend: "typescript"
output [ { name: "TEXT", data_type: TYPE_STRING, dims: [ -1 ] } ]`;

const metered = (name: string, more = ""): ModelSpec => ({ name, fixture: "metered", config: `${CONFIG}\n${more}` });

const streamer: ModelSpec = {
  name: "streamer",
  config: `backend: "typescript"
input [ { name: "COUNT", data_type: TYPE_INT32, dims: [ 1 ] } ]
output [ { name: "OUTPUT", data_type: TYPE_INT32, dims: [ 1 ] } ]
model_transaction_policy { decoupled: true }`,
  files: {
    "1/model.ts": `
import { InferenceResponse, Tensor } from "triton-typescript";
export default class {
  *stream(request) {
    const [count] = request.input("COUNT", "INT32").data;
    for (let i = 0; i < count; i++) yield new InferenceResponse([new Tensor("OUTPUT", Int32Array.of(i), [1])]);
  }
}`,
  },
};

const OWN_AND_BUILT_IN = [
  "metered_requests",
  "metered_level",
  "metered_seconds_count",
  "triton_typescript_execute_duration_seconds_count",
  "triton_typescript_open_requests",
  "triton_typescript_restarts_total",
];

let server: TestServer;

beforeAll(async () => {
  server = await startServer({
    models: [
      "metered",
      "callee",
      metered("holder", 'parameters { key: "MAX_IN_FLIGHT_BATCHES" value { string_value: "8" } }'),
      metered("twins", "instance_group [ { count: 2, kind: KIND_CPU } ]"),
      metered("passing"),
      metered("killed"),
      streamer,
    ],
    modelControlMode: "explicit",
    loadModels: ["metered", "twins", "killed", "holder", "callee", "streamer"],
  });
});

afterAll(() => server.stop());

async function metricsText(of = server): Promise<string> {
  return await (await fetchOnce(of.metricsUrl)).text();
}

/** The sample of that name whose labels hold all of `labels`; undefined when /metrics has none. Labels in braces. */
async function sample(name: string, ...labels: string[]): Promise<number | undefined> {
  const samples = (await metricsText())
    .split("\n")
    .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `));
  const line = samples.find((text) => labels.every((label) => text.includes(label)));
  return line === undefined ? undefined : Number(line.slice(line.lastIndexOf(" ") + 1));
}

async function ask(model: string, name: string, value = 1, of = server): Promise<string[]> {
  const { status, body } = await inferJson(of, model, { inputs: [], parameters: { case: name, value } });
  if (status !== 200) throw new Error(body.error);
  return body.outputs[0].data;
}

describe("metrics of a model", () => {
  test("are on /metrics before the response is", async () => {
    for (let i = 1; i <= 20; i++) {
      await ask("metered", "count", i);
      const text = await metricsText();
      expect(text).toContain(`metered_requests{model="metered"} ${i}\n`);
      expect(text).toContain(`metered_level{model="metered"} ${i - 0.5}\n`);
      expect(text).toContain(`metered_seconds_count{model="metered"} ${3 * i}\n`);
      expect(text).toContain(`metered_seconds_bucket{model="metered",le="0.1"} ${i}\n`);
      expect(text).toContain(`metered_seconds_bucket{model="metered",le="1"} ${2 * i}\n`);
    }
    expect(await metricsText()).toContain("# HELP metered_requests Requests\n# TYPE metered_requests counter\n");
    expect(await ask("metered", "value")).toEqual(["20", "19.5"]);
  });

  test("are made while the file is loaded, too", async () => {
    expect(await sample("metered_loads")).toBeGreaterThanOrEqual(1);
  });

  test("are changed in finalize, too, where others have them", async () => {
    const before = (await sample("metered_finalized"))!;
    for (let i = 1; i <= 3; i++) {
      expect(await control(server, "load", "passing")).toBe("");
      await unload(server, "passing");
      await until(
        async () => (await sample("metered_finalized")) === before + i,
        "the change of finalize to be seen",
        60_000,
        server,
      );
    }
  });

  test("take any number of changes and questions", async () => {
    expect(await ask("metered", "many")).toEqual(["50000"]);
    expect(await sample("metered_seconds_count", 'model="metered"')).toBeGreaterThanOrEqual(5000);
  });

  test("are refused with the words of Triton", async () => {
    const refused = await ask("metered", "refused");
    expect(refused).toEqual([
      "INTERNAL: The counter 'metered_requests' cannot be incremented by -1: TRITONSERVER_METRIC_KIND_COUNTER can only be incremented monotonically by non-negative values.",
      "INTERNAL: TRITONSERVER_METRIC_KIND_COUNTER does not support Set: 'metered_requests' is a counter.",
      "INTERNAL: TRITONSERVER_METRIC_KIND_GAUGE does not support Observe: 'metered_level' is a gauge.",
      "INTERNAL: TRITONSERVER_METRIC_KIND_HISTOGRAM does not support Increment: 'metered_seconds' is a histogram.",
      "INTERNAL: TRITONSERVER_METRIC_KIND_HISTOGRAM does not support Value: 'metered_seconds' is a histogram.",
      "INVALID_ARG: The metric family 'metered_requests' cannot be a gauge: it was made as a counter, and a name keeps its kind until the server ends. Choose another name.",
      "INVALID_ARG: The metric family 'nv_inference_count' cannot be made: names that begin with 'nv_' are those of the server's own metrics. Choose another name.",
      "INVALID_ARG: The metric family 'triton_typescript_restarts_total' cannot be made: names that begin with 'triton_typescript_' are those of the backend's own metrics. Choose another name.",
      "INVALID_ARG: The metric family 'no name' cannot be made: Invalid metric name. It has letters, digits, '_' and ':', and begins with no digit.",
      "INVALID_ARG: The metric of 'metered_requests' with the label 'no label' cannot be made: Invalid label name. It has letters, digits and '_', begins with no digit and not with '__', and is not 'le' in a histogram.",
      "none",
    ]);
  });

  test("are the same with the same labels, and gone when they are disposed of", async () => {
    expect(await ask("metered", "same")).toEqual(["true"]);
    const deleted = "INTERNAL: Invalid metric operation as the corresponding 'MetricFamily' has been deleted.";
    for (let i = 0; i < 3; i++) {
      expect(await ask("metered", "dispose")).toEqual(["1 2 0", deleted, deleted, deleted, deleted]);
    }
    expect(await metricsText()).not.toContain("metered_passing{");
  });

  test("are shared by instances, and end with the last of them", async () => {
    const labels = 'model="twins"';
    for (let i = 0; i < 10; i++) await Promise.all([ask("twins", "count"), ask("twins", "count")]);
    expect(await sample("metered_requests", labels)).toBe(20);
    expect(await ask("twins", "value")).toEqual(["20", "0.5"]);
    expect(await control(server, "load", "passing")).toBe("");
    await ask("passing", "count");
    expect(await sample("metered_requests", 'model="passing"')).toBe(1);
    await unload(server, "passing");
    const left = () => Promise.all(OWN_AND_BUILT_IN.map((name) => sample(name, 'model="passing"')));
    await until(
      async () => (await left()).every((value) => value === undefined),
      "the metrics of an unloaded model to go",
      60_000,
      server,
    );
    // Those of others are untouched, and it begins anew.
    expect(await sample("metered_requests", labels)).toBe(20);
    expect(await control(server, "load", "passing")).toBe("");
    expect(await sample("metered_requests", 'model="passing"')).toBe(0);
    await unload(server, "passing");
  });

  test("go with a process that dies, and the next one makes them again", async () => {
    const labels = 'model="killed"';
    await ask("killed", "count");
    const first = stubOf(server, "killed")!;
    process.kill(first, "SIGKILL");
    await waitForStub(server, "killed", first);
    await until(
      async () => (await sample("metered_level", labels)) === 1,
      "the model to be initialized again",
      60_000,
      server,
    );
    await ask("killed", "count");
    expect(await sample("metered_requests", labels)).toBe(1);
    await until(
      async () => (await sample("triton_typescript_restarts_total", labels)) === 1,
      "the restart to be counted",
      60_000,
      server,
    );
  });
});

describe("built-in metrics", () => {
  const durations = ["execute_duration", "round_trip_duration", "event_loop_lag"].map(
    (name) => `triton_typescript_${name}_seconds`,
  );
  const counts = (model: string) => Promise.all(durations.map((name) => sample(`${name}_count`, `model="${model}"`)));

  test("measure every batch", async () => {
    const before = await counts("metered");
    for (let i = 0; i < 10; i++) await ask("metered", "count");
    // The last batch is counted a moment after it is answered.
    await until(
      async () => (await counts("metered")).every((count, i) => count === before[i]! + 10),
      "ten batches to be counted",
      60_000,
      server,
    );
    const [execute, roundTrip, lag] = await Promise.all(
      durations.map((name) => sample(`${name}_sum`, 'model="metered"')),
    );
    expect(execute).toBeGreaterThan(0);
    expect(lag).toBeGreaterThan(0);
    expect(execute! + lag!).toBeLessThan(roundTrip!);
    const text = await metricsText();
    const labels = 'model="metered",model_instance="metered_0",version="1"';
    for (const name of durations) {
      expect(text).toContain(`# TYPE ${name} histogram\n`);
      expect(text).toContain(`${name}_bucket{${labels},le="+Inf"}`);
    }
  });

  test("measure the first response of a stream, and no ordinary one", async () => {
    const count = (model: string) => sample("triton_typescript_first_response_seconds_count", `model="${model}"`);
    const reply = await fetchOnce(`${server.url}/v2/models/streamer/generate_stream`, {
      method: "POST",
      body: JSON.stringify({ COUNT: 5 }),
    });
    expect((await reply.text()).match(/data: /g)).toHaveLength(5);
    await until(async () => (await count("streamer")) === 1, "the stream to be counted", 60_000, server);
    expect(await sample("triton_typescript_first_response_seconds_sum", 'model="streamer"')).toBeGreaterThan(0);
    await ask("metered", "count");
    expect(await count("metered")).toBe(0);
  });

  test("show what is open, and memory", async () => {
    const value = (name: string, ...labels: string[]) =>
      sample(`triton_typescript_${name}`, 'model="holder"', ...labels);
    const becomes = (name: string, is: (value: number) => boolean, ...labels: string[]) =>
      until(async () => is((await value(name, ...labels)) ?? Number.NaN), `${name} to change`, 60_000, server);
    expect(await value("open_requests")).toBe(0);
    const open = ask("holder", "hold");
    await becomes("open_requests", (count) => count === 1);
    await becomes("open_calls", (count) => count === 1);
    await becomes("shared_memory_bytes", (bytes) => bytes >= 1 << 20, 'direction="input"');
    await becomes("shared_memory_bytes", (bytes) => bytes >= 1 << 20, 'direction="output"');
    await ask("holder", "release");
    expect((await open)[0]).toMatch(/^CANCELLED/);
    await becomes("open_requests", (count) => count === 0);
    await becomes("open_calls", (count) => count === 0);
  });

  test("are all that docs/metrics.md says, with names as Prometheus wants them", async () => {
    const docs = readFileSync(new URL("../../docs/metrics.md", import.meta.url), "utf8");
    const told = [...docs.matchAll(/^\| `(triton_typescript_\w+)` +\| (\w+)/gm)].map(
      ([, name, kind]) => `${name} ${kind}`,
    );
    const shown = [...(await metricsText()).matchAll(/^# TYPE (triton_typescript_\w+) (\w+)$/gm)];
    expect(shown.map(([, name, kind]) => `${name} ${kind}`).sort()).toEqual(told.sort());
    for (const [, name, kind] of shown) {
      expect(name).toMatch(kind === "counter" ? /_total$/ : /_(seconds|bytes|requests|calls)$/);
    }
  });
});

describe("a server", () => {
  test("without built-in metrics shows the model's own", async () => {
    const quiet = await startServer({ models: ["metered"], backendConfig: ["typescript,metrics=false"] });
    expect(await ask("metered", "value", 1, quiet)).toEqual(["0", "1"]);
    const text = await metricsText(quiet);
    expect(text).toContain('metered_level{model="metered"} 1\n');
    expect(text).not.toContain("triton_typescript_");
    await quiet.stop();
  });

  test("without /metrics takes them all the same", async () => {
    const silent = await startServer({ models: ["metered"], args: ["--allow-metrics=false"] });
    await ask("metered", "count", 1, silent);
    expect(await ask("metered", "value", 1, silent)).toEqual(["1", "0.5"]);
    expect(silent.logLines("etric").filter((line) => /^[EW]/.test(line))).toEqual([]);
    await silent.stop();
  });
});
