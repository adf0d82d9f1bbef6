// SPDX-License-Identifier: Apache-2.0
// One load on one model: what the client, the server's statistics and the kernel say about it.

import { type HttpServer, request } from "./http.ts";
import { type ClientFigures, drive, type Load } from "./perf_analyzer.ts";
import { cpuMicroseconds } from "./proc.ts";
import type { Server } from "./server.ts";
import type { Workbench } from "./setup.ts";

interface Duration {
  count: number;
  ns: number;
}

type Steps = Record<"compute_input" | "compute_infer" | "compute_output", Duration>;

interface StatisticsReply {
  model_stats: {
    inference_count: number;
    inference_stats: Steps & Record<"success" | "fail", Duration>;
    batch_stats: Steps[];
  }[];
}

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

const nanoseconds = (steps: Steps) => steps.compute_input.ns + steps.compute_infer.ns + steps.compute_output.ns;

/** What the server's statistics say about a model. */
export async function totals(server: HttpServer, model: string): Promise<Totals> {
  const reply = await request(server, `/v2/models/${model}/stats`);
  const stats = ((await reply.json()) as StatisticsReply).model_stats[0];
  if (!stats) throw new Error(`The server reports no statistics for the model ${model}.`);
  return {
    requests: stats.inference_stats.success.count,
    failures: stats.inference_stats.fail.count,
    elements: stats.inference_count,
    requestNs: nanoseconds(stats.inference_stats),
    batchNs: stats.batch_stats.reduce((sum, entry) => sum + nanoseconds(entry), 0),
  };
}

/** An element is a request or, in a model that takes batches, a row of one. Times are microseconds. */
export interface LoadSample extends ClientFigures {
  /** Elements per second. */
  throughput: number;
  /** In the backend, per request. */
  backendUs: number;
  /** In the backend, per element; a batch counts once. */
  batchUs: number;
  /** Used by the server and all its processes, on all cores, per element. */
  cpuUs: number;
}

/** What lies between two readings, `cpuUs` of processor time included. Throws unless requests were answered, and all of them. */
export function between(
  before: Totals,
  after: Totals,
  cpuUs: number,
): Pick<LoadSample, "backendUs" | "batchUs" | "cpuUs"> {
  const requests = after.requests - before.requests;
  const failures = after.failures - before.failures;
  if (requests <= 0 || failures > 0) {
    throw new Error(
      `${requests} requests were answered and ${failures} failed; a figure counts only without failures.`,
    );
  }
  const elements = after.elements - before.elements;
  return {
    backendUs: (after.requestNs - before.requestNs) / requests / 1000,
    batchUs: (after.batchNs - before.batchNs) / elements / 1000,
    cpuUs: cpuUs / elements,
  };
}

/** Throws when a request failed. */
export async function measureLoad(bench: Workbench, server: Server, load: Load): Promise<LoadSample> {
  const pids = [server.pid, ...server.children()];
  const before = await totals(server, load.model);
  const cpuBefore = cpuMicroseconds(pids);
  const client = await drive(bench, server, load);
  const cpuUs = cpuMicroseconds(pids) - cpuBefore;
  const after = await totals(server, load.model);
  try {
    return { ...client, ...between(before, after, cpuUs) };
  } catch (cause) {
    const { model, bytes, concurrency } = load;
    throw new Error(`${model} with ${bytes} bytes x ${concurrency}: ${(cause as Error).message}`, { cause });
  }
}
