// SPDX-License-Identifier: Apache-2.0
// One load on one model, sent by NVIDIA's load generator over gRPC: what it, the server's statistics and the kernel say.

import { readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import type { HttpClient, ModelStatistics } from "../client/http/index.ts";
import type { BinaryTensor } from "../server/binary_infer.ts";
import { cpuMicroseconds } from "../server/processes.ts";
import { type Model, tensorNames } from "./models.ts";
import { median } from "./numbers.ts";
import type { Server } from "./server.ts";
import { BENCH_DIR } from "./setup.ts";
import { shell } from "./shell.ts";

/**
 * perf_analyzer averages three windows in a row, and never fewer. They may differ as they like, since the spread is taken
 * over whole rounds: only one without a single answer, which a busy machine can bring about, makes it go on.
 */
const WINDOWS = ["--stability-percentage", "99999", "--max-trials", "12"];

export interface Load {
  concurrency: number;
  /** Size of each input and of each output, without the batch; elements are FP32. Default: 64. */
  bytes?: number;
  /** A file with the inputs, for a model that does not take just any bytes; `bytes` is then that of the outputs alone. */
  inputData?: string;
  /** Rows that the client sends in one request, for a model that takes batches. */
  batch?: number;
  /**
   * Where the tensors are: in system shared memory that the client has registered (the default), or inside the gRPC
   * messages. Two loads at once must use messages: see lock.ts.
   */
  memory?: "shared" | "message";
  /** Length of a window, milliseconds. Default: 500. */
  windowMs?: number;
}

/** The inputs as perf_analyzer reads them. */
export function inputData(inputs: readonly BinaryTensor[]): string {
  const content = (bytes: Uint8Array) => ({ b64: Buffer.from(bytes).toString("base64") });
  const row = inputs.map(({ name, shape, bytes }) => [name, { content: content(bytes), shape }]);
  return JSON.stringify({ data: [Object.fromEntries(row)] });
}

/** Writes them for all that takes them; gives the path of the file. */
export function writeInputs(name: string, inputs: readonly BinaryTensor[]): string {
  const file = path.join(BENCH_DIR, `inputs_${name}.json`);
  writeFileSync(file, inputData(inputs));
  return file;
}

/** What the client saw. */
interface ClientFigures {
  /** Requests or, of a model that takes batches, rows per second. */
  throughput: number;
  p50Us: number;
  p99Us: number;
}

/** Takes the one data row of perf_analyzer's CSV report. */
export function parseReport(csv: string): ClientFigures {
  const [names = [], values = []] = csv
    .trim()
    .split("\n")
    .map((line) => line.split(","));
  const column = (name: string) => {
    const value = Number(values[names.indexOf(name)]);
    if (!Number.isFinite(value)) throw new Error(`perf_analyzer's report has no figure for "${name}":\n${csv}`);
    return value;
  };
  return { throughput: column("Inferences/Second"), p50Us: column("p50 latency"), p99Us: column("p99 latency") };
}

async function run(server: Server, model: Model, load: Load, more: string[], timeout: number): Promise<void> {
  const { bytes = 64 } = load;
  const memory = load.memory === "message" ? ["none"] : ["system", "--output-shared-memory-size", String(bytes)];
  const args = [
    ...["-m", model.name, "-u", server.grpcAddress, "-i", "grpc", "--shared-memory", ...memory],
    ...(model.decoupled ? ["--async", "--streaming"] : []),
    ...(load.inputData === undefined
      ? tensorNames("INPUT", model.tensors).flatMap((name) => ["--shape", `${name}:${bytes / 4}`])
      : ["--input-data", load.inputData]),
    ...(load.batch === undefined ? [] : ["-b", String(load.batch)]),
    ...["--concurrency-range", String(load.concurrency), ...more],
  ];
  const { perfAnalyzer, perfAnalyzerLibraries } = server.bench;
  await shell(perfAnalyzer, args, { env: { ...process.env, LD_LIBRARY_PATH: perfAnalyzerLibraries }, timeout });
}

/** Drives the model with `load` until the measurement is complete. */
export async function send(server: Server, model: Model, load: Load): Promise<ClientFigures> {
  const report = path.join(BENCH_DIR, `perf_analyzer.${model.name}.csv`);
  rmSync(report, { force: true });
  const interval = ["--measurement-interval", String(load.windowMs ?? 500)];
  await run(server, model, load, ["-f", report, ...interval, ...WINDOWS], 600_000);
  return parseReport(readFileSync(report, "utf8"));
}

/** What the client saw of requests that may have many responses each; medians of the requests. */
export interface StreamSample {
  /** From the request to its first response. */
  firstUs: number;
  /** Responses a second, from the request to its last one. */
  rate: number;
}

/**
 * Takes perf_analyzer's list of what was received when, in nanoseconds. Throws unless each request has `responses`; the end
 * may be one more, without data.
 */
export function parseStreams(json: string, responses: number): StreamSample {
  const { experiments } = JSON.parse(json) as {
    experiments: { requests: { timestamp: number; response_timestamps: number[] }[] }[];
  };
  const requests = experiments.flatMap((experiment) => experiment.requests);
  const wrong = requests.find(({ response_timestamps: { length } }) => length < responses || length > responses + 1);
  if (wrong) throw new Error(`A request had ${wrong.response_timestamps.length} responses instead of ${responses}.`);
  const after = ({ timestamp, response_timestamps }: (typeof requests)[number], index: number) =>
    response_timestamps[index]! - timestamp;
  return {
    firstUs: median(requests.map((request) => after(request, 0) / 1000)),
    rate: median(requests.map((request) => responses / (after(request, responses - 1) / 1e9))),
  };
}

/** Sends over a gRPC stream, one request after another, in three windows of `count`. */
export async function sendStreams(
  server: Server,
  model: Model,
  load: Load,
  count: number,
  responses: number,
): Promise<StreamSample> {
  const report = path.join(BENCH_DIR, `perf_analyzer.${model.name}.json`);
  rmSync(report, { force: true });
  const window = ["--measurement-mode", "count_windows", "--measurement-request-count", String(count)];
  const more = ["--profile-export-file", report, ...window, ...WINDOWS];
  await run(server, { ...model, decoupled: true }, load, more, 600_000);
  return parseStreams(readFileSync(report, "utf8"), responses);
}

/**
 * Sends so many requests. On a busy machine perf_analyzer may begin to count when some are answered already, and then
 * waits for ever for the rest: what counts is what the server has answered.
 */
export async function sendRequests(server: Server, model: Model, load: Load, count: number): Promise<void> {
  const answered = async () => (await totals(server.client, model.name)).requests;
  const before = await answered();
  await run(server, model, load, ["--request-count", String(count)], 120_000).catch(async (error: unknown) => {
    if ((await answered()) - before < count) throw error;
  });
}

type Steps = Pick<ModelStatistics["inference_stats"], "compute_input" | "compute_infer" | "compute_output">;

/** Sums since the model was loaded. */
export interface Totals {
  requests: number;
  failures: number;
  /** Requests, times their rows for a model that takes batches. */
  elements: number;
  /** Nanoseconds in the backend, for each request all that its batch took. */
  requestNs: number;
  /** The same, where a batch counts once, however many requests are in it. */
  batchNs: number;
}

const nanoseconds = ({ compute_input, compute_infer, compute_output }: Steps) =>
  [compute_input, compute_infer, compute_output].reduce((sum, step) => sum + (step?.ns ?? 0), 0);

/** What the server's statistics say about a model. */
export async function totals(client: HttpClient, model: string): Promise<Totals> {
  const [stats] = await client.statistics(model);
  if (!stats) throw new Error(`The server reports no statistics for the model ${model}.`);
  return {
    requests: stats.inference_stats.success?.count ?? 0,
    failures: stats.inference_stats.fail?.count ?? 0,
    elements: stats.inference_count,
    requestNs: nanoseconds(stats.inference_stats),
    batchNs: stats.batch_stats.reduce((sum, entry) => sum + nanoseconds(entry), 0),
  };
}

/** An element is a request or, in a model that takes batches, a row of one. Times are microseconds. */
export interface LoadSample extends ClientFigures {
  /** In the backend (compute input, infer and output together), per request. */
  backendUs: number;
  /** In the backend, per element; a batch counts once. */
  batchUs: number;
  /** Used by the server and all its processes, on all cores, per element. */
  cpuUs: number;
}

/** What lies between two readings, `cpuUs` of processor time included. Throws unless requests were answered, and all of them. */
export function between(before: Totals, after: Totals, cpuUs: number): Omit<LoadSample, keyof ClientFigures> {
  const gained = (key: keyof Totals) => after[key] - before[key];
  const [requests, failures, elements] = [gained("requests"), gained("failures"), gained("elements")];
  if (requests <= 0 || failures > 0) {
    const what = `${requests} requests were answered and ${failures} failed`;
    throw new Error(`${what}; a figure counts only without failures.`);
  }
  const [backendUs, batchUs] = [gained("requestNs") / requests / 1000, gained("batchNs") / elements / 1000];
  return { backendUs, batchUs, cpuUs: cpuUs / elements };
}

/** Throws when a request failed. */
export async function measureLoad(server: Server, model: Model, load: Load): Promise<LoadSample> {
  const pids = [server.pid, ...server.children()];
  const before = await totals(server.client, model.name);
  const cpuBefore = cpuMicroseconds(pids);
  const client = await send(server, model, load);
  const cpuUs = cpuMicroseconds(pids) - cpuBefore;
  const after = await totals(server.client, model.name);
  try {
    return { ...client, ...between(before, after, cpuUs) };
  } catch (cause) {
    const what = `${model.name} with ${load.bytes ?? 64} bytes x ${load.concurrency}`;
    throw new Error(`${what}: ${(cause as Error).message}`, { cause });
  }
}
