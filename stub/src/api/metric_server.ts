// SPDX-License-Identifier: Apache-2.0
// Between the API and the runtime, which knows how to reach the server's metrics.
import { TritonError } from "./errors.ts";

/** The kinds of metric that the server knows, each at its number. */
export const METRIC_KINDS = ["counter", "gauge", "histogram"] as const;

export type MetricKind = (typeof METRIC_KINDS)[number];

/** A family in the server. All arguments here are checked, and none is used once it was deleted. */
export interface ServedFamily {
  /** @throws TritonError what the server says against it */
  makeMetric(labels: Readonly<Record<string, string>>, buckets: readonly number[]): ServedMetric;
  /** Deletes it with all of its metrics. */
  delete(): void;
}

/** A metric in the server. What is done to it is seen there before what the model sends afterwards. */
export interface ServedMetric {
  increment(by: number): void;
  set(value: number): void;
  observe(value: number): void;
  /** What it is once all that was done to it before is done; 0 for a histogram. */
  value(): Promise<number>;
  delete(): void;
}

/** What has metrics. */
export interface MetricServer {
  /** @throws TritonError what the server says against it */
  makeFamily(kind: MetricKind, name: string, description: string): ServedFamily;
}

let current: MetricServer | undefined;

/** Sets what has the metrics of this process; undefined when nothing has. */
export function setMetricServer(server: MetricServer | undefined): void {
  current = server;
}

/** @throws TritonError UNAVAILABLE when no server is there */
export function theMetricServer(): MetricServer {
  if (current !== undefined) return current;
  throw new TritonError("Metrics can be made by a model that is served, and not from worker threads.", "UNAVAILABLE");
}
