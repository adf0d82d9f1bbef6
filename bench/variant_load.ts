// SPDX-License-Identifier: Apache-2.0
// One load on one variant: what the client, the server's statistics and the kernel say about it.

import { type ClientFigures, drive, type Load } from "./perf_analyzer.ts";
import { cpuMicroseconds } from "./proc.ts";
import type { Server } from "./server.ts";
import type { Workbench } from "./setup.ts";
import { batchTotals, type Variant } from "./variant.ts";

/** An element is a request or, in a model that takes batches, a row of one. */
export interface LoadSample extends ClientFigures {
  /** Elements per second. */
  throughput: number;
  /** In the backend, per element; a batch counts once. */
  backendUs: number;
  /** Used by the server and all its processes, on all cores, per element. */
  cpuUs: number;
  /** Elements in a batch as it was executed, on the average. */
  batchSize: number;
}

/** Throws when a request failed: figures count only without failures. */
export async function measureLoad(
  bench: Workbench,
  server: Server,
  variant: Variant,
  load: Omit<Load, "model">,
): Promise<LoadSample> {
  const pids = [server.pid, ...server.children()];
  const before = await batchTotals(server, variant.name);
  const cpuBefore = cpuMicroseconds(pids);
  const client = await drive(bench, server, { ...load, model: variant.name });
  const cpuUs = cpuMicroseconds(pids) - cpuBefore;
  const after = await batchTotals(server, variant.name);
  const elements = after.elements - before.elements;
  if (elements <= 0 || after.failures > before.failures) {
    throw new Error(
      `${variant.name} answered ${elements} requests and failed ${after.failures - before.failures} at concurrency ${load.concurrency}; a figure counts only without failures.`,
    );
  }
  return {
    ...client,
    backendUs: (after.backendNs - before.backendNs) / elements / 1000,
    cpuUs: cpuUs / elements,
    batchSize: elements / Math.max(1, after.batches - before.batches),
  };
}
