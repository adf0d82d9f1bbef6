// SPDX-License-Identifier: Apache-2.0
// NVIDIA's load generator, over gRPC.

import { readFileSync, rmSync } from "node:fs";
import path from "node:path";
import type { Server } from "./server.ts";
import { BENCH_DIR, type Workbench } from "./setup.ts";
import { shell } from "./shell.ts";

/**
 * perf_analyzer averages three windows in a row, and never fewer. They may differ as they like: only one without a single
 * answer, which a busy machine can bring about, makes it go on.
 */
const MOST_WINDOWS = 12;

/** Where the tensors are: in system shared memory that the client has registered, or inside the gRPC messages. */
export type TensorMemory = "shared" | "message";

export interface Load {
  model: string;
  /** Size of each input and of each output, without the batch; elements are FP32. */
  bytes: number;
  concurrency: number;
  /** Names of the inputs (default: INPUT). */
  inputs?: readonly string[];
  /** A file with the inputs, for a model that does not take just any bytes; `bytes` is then that of the outputs alone. */
  inputData?: string;
  /** Rows that the client sends in one request, for a model that takes batches. */
  batch?: number;
  /** One stream for all requests, as a decoupled model wants it. Does not go with shared memory. */
  streaming?: boolean;
  /** "shared" unless said otherwise. Two loads at once must use messages: see lock.ts. */
  memory?: TensorMemory;
  /** Either windows of this many milliseconds ... */
  windowMs?: number;
  /** ... or this many requests, after which the figures of the client mean little. */
  requests?: number;
}

/** What the client saw. */
export interface ClientFigures {
  /** Requests per second. */
  throughput: number;
  p50Us: number;
  p99Us: number;
}

/** Takes the one data row of perf_analyzer's CSV report. */
export function parseReport(csv: string): ClientFigures {
  const [head, row] = csv.trim().split("\n");
  const names = head?.split(",") ?? [];
  const values = row?.split(",") ?? [];
  const column = (name: string) => {
    const value = Number(values[names.indexOf(name)]);
    if (!Number.isFinite(value)) throw new Error(`perf_analyzer's report has no figure for "${name}":\n${csv}`);
    return value;
  };
  return { throughput: column("Inferences/Second"), p50Us: column("p50 latency"), p99Us: column("p99 latency") };
}

/** Drives the server with `load` until the measurement is complete. */
export async function drive(bench: Workbench, server: Server, load: Load): Promise<ClientFigures> {
  const report = path.join(BENCH_DIR, `perf_analyzer.${load.model}.csv`);
  rmSync(report, { force: true });
  const amount =
    load.requests === undefined
      ? [
          ...["--measurement-interval", String(load.windowMs ?? 500)],
          // Every window counts, however much they differ: the spread is taken over whole rounds. On a machine that stood
          // still for a moment they differ by more than ten times.
          ...["--stability-percentage", "99999", "--max-trials", String(MOST_WINDOWS)],
        ]
      : ["--request-count", String(load.requests)];
  const memory = load.memory === "message" ? ["none"] : ["system", "--output-shared-memory-size", String(load.bytes)];
  const args = [
    ...["-m", load.model, "-u", server.grpcAddress, "-i", "grpc", "--shared-memory", ...memory],
    ...(load.streaming ? ["--async", "--streaming"] : []),
    ...(load.inputData === undefined
      ? (load.inputs ?? ["INPUT"]).flatMap((name) => ["--shape", `${name}:${load.bytes / 4}`])
      : ["--input-data", load.inputData]),
    ...(load.batch === undefined ? [] : ["-b", String(load.batch)]),
    ...["--concurrency-range", String(load.concurrency), "-f", report, ...amount],
  ];
  await shell(bench.perfAnalyzer, args, {
    env: { ...process.env, LD_LIBRARY_PATH: bench.perfAnalyzerLibraries },
    timeoutMs: 600_000,
  });
  return parseReport(readFileSync(report, "utf8"));
}
