// SPDX-License-Identifier: Apache-2.0
// NVIDIA's load generator, over gRPC with tensors in system shared memory.

import { readFileSync, rmSync } from "node:fs";
import path from "node:path";
import type { Server } from "./server.ts";
import { BENCH_DIR, type Workbench } from "./setup.ts";
import { shell } from "./shell.ts";

/** perf_analyzer averages three windows, and never fewer. */
const WINDOWS = 3;

export interface Load {
  model: string;
  /** Size of INPUT and of OUTPUT; elements are FP32. */
  bytes: number;
  concurrency: number;
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
  const report = path.join(BENCH_DIR, "perf_analyzer.csv");
  rmSync(report, { force: true });
  const amount =
    load.requests === undefined
      ? [
          ...["--measurement-interval", String(load.windowMs ?? 1000)],
          // Every window counts, however much they differ: the spread is taken over whole rounds.
          ...["--stability-percentage", "999", "--max-trials", String(WINDOWS)],
        ]
      : ["--request-count", String(load.requests)];
  const args = [
    ...["-m", load.model, "-u", server.grpcAddress, "-i", "grpc", "--shared-memory", "system"],
    ...["--output-shared-memory-size", String(load.bytes), "--shape", `INPUT:${load.bytes / 4}`],
    ...["--concurrency-range", String(load.concurrency), "-f", report, ...amount],
  ];
  await shell(bench.perfAnalyzer, args, {
    env: { ...process.env, LD_LIBRARY_PATH: bench.perfAnalyzerLibraries },
    timeoutMs: 600_000,
  });
  return parseReport(readFileSync(report, "utf8"));
}
