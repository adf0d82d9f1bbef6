// SPDX-License-Identifier: Apache-2.0
// The sweeps of the scale part: what grows, step by step, and what each step runs.

import type { Load } from "./perf_analyzer.ts";
import { tensorNames, type Variant } from "./variant.ts";

export const SWEPT = ["floor", "python", "typescript"] as const;
export type Swept = (typeof SWEPT)[number];

export const SWEPT_TITLES: Readonly<Record<Swept, string>> = {
  floor: "native C (floor)",
  python: "python_backend",
  typescript: "typescript",
};

type Shape = Pick<Variant, "instances" | "maxBatchSize" | "dynamicBatching" | "tensors">;

export interface Step {
  /** The figure that grows. */
  size: number;
  shape: Shape;
  load: Omit<Load, "model">;
  /** What of an element is counted: its tensors, or 1 for the element itself. */
  parts: number;
}

export interface Sweep {
  /** Also the beginning of the names of its models. */
  name: string;
  /** Heading of the column of steps. */
  grows: string;
  /** What the figures are about, in the singular. */
  unit: "request" | "row" | "tensor";
  steps: readonly Step[];
}

const BYTES = 64;

function sweep(name: string, grows: string, unit: Sweep["unit"], steps: readonly Step[]): Sweep {
  return { name, grows, unit, steps };
}

function instances(concurrency: number): Sweep {
  const steps = [1, 2, 4, 8].map((size) => ({
    size,
    shape: { instances: size },
    load: { bytes: BYTES, concurrency },
    parts: 1,
  }));
  return sweep(`instances_${concurrency}`, `instances, ${concurrency} clients`, "request", steps);
}

export const SWEEPS: readonly Sweep[] = [
  instances(8),
  instances(64),
  sweep(
    "clients",
    "clients, one instance",
    "request",
    [1, 2, 4, 8, 16, 32, 64].map((size) => ({
      size,
      shape: { instances: 1 },
      load: { bytes: BYTES, concurrency: size },
      parts: 1,
    })),
  ),
  sweep(
    "batch",
    "rows in a client's batch, 8 clients",
    "row",
    [1, 4, 16, 64].map((size) => ({
      size,
      shape: { maxBatchSize: 64 },
      load: { bytes: BYTES, concurrency: 8, batch: size },
      parts: 1,
    })),
  ),
  sweep(
    "dynamic",
    "max_batch_size with dynamic batching, 64 clients",
    "request",
    [1, 4, 16, 64].map((size) => ({
      size,
      shape: { maxBatchSize: size, dynamicBatching: true },
      load: { bytes: BYTES, concurrency: 64, batch: 1 },
      parts: 1,
    })),
  ),
  sweep(
    "tensors",
    "tensors in and out, 8 clients",
    "tensor",
    [1, 4, 16, 32].map((size) => ({
      size,
      shape: { tensors: size },
      load: { bytes: BYTES, concurrency: 8, inputs: tensorNames("INPUT", size) },
      parts: size,
    })),
  ),
];

/** One name for one shape, so that steps which want the same model share it. */
export function variantOf(step: Step, swept: Swept): Variant {
  const { instances: count = 1, maxBatchSize = 0, dynamicBatching = false, tensors = 1 } = step.shape;
  const name = `scale_${swept}_i${count}_b${maxBatchSize}${dynamicBatching ? "d" : ""}_t${tensors}`;
  const all = tensors > 1;
  const kinds = {
    floor: { backend: "native_identity" },
    python: { backend: "python", source: all ? "identity_all_python" : "identity_python" },
    typescript: { backend: "typescript", source: all ? "identity_all" : "identity" },
  };
  return { ...step.shape, ...kinds[swept], name };
}
