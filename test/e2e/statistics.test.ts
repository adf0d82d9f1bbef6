// SPDX-License-Identifier: Apache-2.0
// Numbers that the server reports: statistics, metrics, traces.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  eventually,
  look,
  type ModelStatistics,
  metric,
  mirrorConfig,
  startServer,
  statistics,
  type TestServer,
  TritonClient,
  tensor,
} from "./harness/index.ts";

let server: TestServer;
let client: TritonClient;
const folder = mkdtempSync(path.join(os.tmpdir(), "triton-typescript-trace-"));
const traceFile = path.join(folder, "trace.json");

const batching = "dynamic_batching { preferred_batch_size: [ 4 ], max_queue_delay_microseconds: 10000000 }";

const answersConfig = `
backend: "typescript"
max_batch_size: 8
input [ { name: "ACTION", data_type: TYPE_STRING, dims: [ 1 ] } ]
output [ { name: "DONE", data_type: TYPE_STRING, dims: [ 1 ] } ]
${batching}`;

beforeAll(async () => {
  server = await startServer({
    models: [
      "mirror",
      { name: "batched", fixture: "mirror", config: mirrorConfig(batching, 8) },
      { name: "answers", fixture: "answers", config: answersConfig },
      { name: "traced", fixture: "mirror" },
    ],
    args: [`--trace-config=triton,file=${traceFile}`, "--trace-config=rate=1", "--trace-config=level=OFF"],
  });
  client = new TritonClient(server);
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

const only = async (model: string): Promise<ModelStatistics> => {
  const found = await statistics(server, model);
  expect(found).toHaveLength(1);
  return found[0]!;
};

/** Waits until so many executions are counted, which is a moment after their answers. */
const counted = (model: string, executions: number) =>
  eventually(async () => expect((await only(model)).execution_count).toBe(executions));

/** The metrics of a model by their names without "nv_inference_". */
async function metricsOf(model: string, ...names: string[]): Promise<Record<string, number | undefined>> {
  const label = `{model="${model}",version="1"}`;
  const found = await Promise.all(
    names.map(async (name) => [name, (await metric(server, `nv_inference_${name}`)).get(label)]),
  );
  return Object.fromEntries(found);
}

describe("single requests", () => {
  beforeAll(async () => {
    for (let i = 0; i < 5; i++) await look(client, "mirror", { delayMs: 20 });
    await counted("mirror", 5);
  });

  test("count as one execution each", async () => {
    const stats = await only("mirror");
    expect([stats.inference_count, stats.execution_count]).toEqual([5, 5]);
    expect(stats.inference_stats.success.count).toBe(5);
    expect(stats.inference_stats.fail.count).toBe(0);
  });

  test("have durations that fit together", async () => {
    const { success, queue, compute_input, compute_infer, compute_output } = (await only("mirror")).inference_stats;
    for (const part of [queue, compute_input, compute_infer, compute_output]) {
      expect(part.count).toBe(5);
      expect(part.ns).toBeGreaterThan(0);
    }
    // The model waits 20 ms each time; only the time in the model may hold that.
    expect(compute_infer.ns).toBeGreaterThanOrEqual(5 * 19e6);
    expect(queue.ns + compute_input.ns + compute_infer.ns + compute_output.ns).toBeLessThanOrEqual(success.ns);
  });

  test("are batches of one", async () => {
    const { batch_stats, inference_stats } = await only("mirror");
    expect(batch_stats.map(({ batch_size, compute_infer }) => [batch_size, compute_infer.count])).toEqual([[1, 5]]);
    expect(batch_stats[0]!.compute_infer.ns).toBe(inference_stats.compute_infer.ns);
  });

  test("show in the metrics", async () => {
    const found = await metricsOf(
      "mirror",
      "request_success",
      "count",
      "exec_count",
      "request_duration_us",
      "compute_input_duration_us",
      "compute_infer_duration_us",
      "compute_output_duration_us",
      "pending_request_count",
    );
    const { compute_infer, success } = (await only("mirror")).inference_stats;
    expect(found).toMatchObject({ request_success: 5, count: 5, exec_count: 5, pending_request_count: 0 });
    expect(found["compute_infer_duration_us"]).toBeGreaterThanOrEqual(5 * 19e3);
    expect(Math.abs(found["compute_infer_duration_us"]! - compute_infer.ns / 1000)).toBeLessThan(10);
    expect(Math.abs(found["request_duration_us"]! - success.ns / 1000)).toBeLessThan(10);
  });
});

describe("batches", () => {
  beforeAll(async () => {
    // One batch of four requests with a row each, then one of two requests with two rows each.
    await Promise.all(Array.from({ length: 4 }, () => look(client, "batched", { rows: 1, delayMs: 10 })));
    await Promise.all(Array.from({ length: 2 }, () => look(client, "batched", { rows: 2, delayMs: 10 })));
    await counted("batched", 2);
  });

  test("count rows as inferences, and execute calls as executions", async () => {
    const stats = await only("batched");
    expect(stats.inference_stats.success.count).toBe(6);
    expect([stats.inference_count, stats.execution_count]).toEqual([8, 2]);
  });

  test("are told by their size", async () => {
    const { batch_stats } = await only("batched");
    expect(batch_stats).toHaveLength(1);
    expect(batch_stats[0]).toMatchObject({ batch_size: 4, compute_infer: { count: 2 } });
    for (const part of ["compute_input", "compute_infer", "compute_output"] as const) {
      expect(batch_stats[0]![part].ns).toBeGreaterThan(0);
    }
    expect(batch_stats[0]!.compute_infer.ns).toBeGreaterThanOrEqual(2 * 9e6);
  });
});

describe("failures", () => {
  test("count as failures, their neighbours as successes", async () => {
    const act = (action: string) =>
      client.infer("grpc", "answers", { inputs: [tensor("ACTION", "BYTES", [action], [1, 1])] }).catch(() => undefined);
    await Promise.all([act("ok"), act("return NOT_FOUND"), act("ok"), act("shape")]);
    await counted("answers", 1);
    const stats = await only("answers");
    expect([stats.inference_stats.success.count, stats.inference_stats.fail.count]).toEqual([2, 2]);
    expect(stats.inference_stats.fail.ns).toBeGreaterThan(0);
    expect(stats.execution_count).toBe(1);
    expect(await metricsOf("answers", "request_success", "exec_count")).toEqual({ request_success: 2, exec_count: 1 });
    const failures = await metric(server, "nv_inference_request_failure");
    const ours = [...failures].filter(([labels]) => labels.includes('model="answers"'));
    expect(ours.reduce((sum, [, count]) => sum + count, 0)).toBe(2);
  });
});

describe("traces", () => {
  const set = (level: string) =>
    client.call("http", "update_trace_settings", {
      model_name: "traced",
      settings: { trace_level: [level], trace_rate: "1", trace_count: "-1" },
    });

  test("tell when the model computed, while they are on", async () => {
    await look(client, "traced");
    await set("TIMESTAMPS");
    await look(client, "traced");
    await set("OFF");
    await look(client, "traced");
    // The server completes the file when it stops.
    await server.stop();
    const entries = JSON.parse(readFileSync(traceFile, "utf8")) as { timestamps?: { name: string; ns: number }[] }[];
    const found = entries.flatMap(({ timestamps = [] }) => timestamps);
    expect(found.filter(({ name }) => name === "REQUEST_START")).toHaveLength(1);
    const names = ["REQUEST_START", "QUEUE_START", "COMPUTE_START", "COMPUTE_INPUT_END", "COMPUTE_OUTPUT_START"];
    const times = [...names, "COMPUTE_END", "REQUEST_END"].map((name) => found.find((each) => each.name === name)?.ns);
    expect(times).toEqual([...times].sort((one, other) => one! - other!));
    expect(times).not.toContain(undefined);
  });
});
