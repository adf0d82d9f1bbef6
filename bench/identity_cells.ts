// SPDX-License-Identifier: Apache-2.0
// The cells of the identity measurements, and the ratios that they are looked at for.

import { type Spread, spread } from "./numbers.ts";
import type { TensorMemory } from "./perf_analyzer.ts";
import { SUBJECTS, type SubjectName, type TensorSize } from "./subjects.ts";
import type { Finding } from "./verdict.ts";

/** One subject in one cell in one round. Times are microseconds for one request. */
export interface Sample {
  /** Server side: compute input, infer and output together. */
  backendUs: number;
  /** Used by the server and its stubs, on all cores. */
  cpuUs: number;
  /** Requests per second. */
  throughput: number;
  p50Us: number;
  p99Us: number;
}

export interface Cell {
  size: TensorSize;
  concurrency: number;
  memory: TensorMemory;
  samples: Partial<Record<SubjectName, Sample[]>>;
}

export interface IdentityFigures {
  subjects: SubjectName[];
  cells: Cell[];
}

export function label(cell: Cell): string {
  const suffix = cell.memory === "message" ? ", in messages" : "";
  return `${cell.size.label} x ${cell.concurrency}${suffix}`;
}

export function figures(cell: Cell, name: SubjectName, key: keyof Sample): Spread | undefined {
  const samples = cell.samples[name];
  return samples?.length ? spread(samples.map((sample) => sample[key])) : undefined;
}

/** A ratio taken within each round, where its parts were measured seconds apart, then summarised over the rounds. */
function perRound(
  cell: Cell,
  names: readonly SubjectName[],
  ratio: (...samples: Sample[]) => number,
): Spread | undefined {
  const series = names.map((name) => cell.samples[name] ?? []);
  const rounds = Math.min(...series.map((samples) => samples.length));
  const values = Array.from({ length: rounds }, (_, round) => ratio(...series.map((samples) => samples[round]!)));
  return values.length > 0 ? spread(values) : undefined;
}

/** A reference that takes nothing is matched by what takes nothing, either; whatever else there is, is endlessly more. */
function shareOf(ours: number, reference: number): number {
  if (reference > 0) return ours / reference;
  return ours <= 0 ? 0 : Number.POSITIVE_INFINITY;
}

/** Backend time above the floor, as a share of python_backend's above the floor. Below 1 is faster. */
export function aboveFloor(cell: Cell, name: SubjectName): Spread | undefined {
  return perRound(cell, [name, "python", "floor"], (ours, python, floor) =>
    shareOf(ours!.backendUs - floor!.backendUs, python!.backendUs - floor!.backendUs),
  );
}

/** Backend time as a multiple of the floor's. */
export function backendTimeOverFloor(cell: Cell, name: SubjectName): Spread | undefined {
  return perRound(cell, [name, "floor"], (ours, floor) => ours!.backendUs / floor!.backendUs);
}

/** Throughput as a multiple of another subject's. Above 1 is more. */
export function throughputOver(cell: Cell, name: SubjectName, other: SubjectName): Spread | undefined {
  return perRound(cell, [name, other], (ours, reference) => ours!.throughput / reference!.throughput);
}

/** Processor time of a request as a multiple of another subject's. Below 1 is less. */
export function processorTimeOver(cell: Cell, name: SubjectName, other: SubjectName): Spread | undefined {
  return perRound(cell, [name, other], (ours, reference) => ours!.cpuUs / reference!.cpuUs);
}

/** The median of a ratio in each cell, for each of `names` that was measured there. */
export function findings(
  cells: readonly Cell[],
  names: readonly SubjectName[],
  ratio: (cell: Cell, name: SubjectName) => Spread | undefined,
): Finding[] {
  return cells.flatMap((cell) =>
    names.flatMap((name) => {
      const value = ratio(cell, name)?.median;
      return value === undefined ? [] : [{ value, place: `${label(cell)}, ${SUBJECTS[name].title}` }];
    }),
  );
}
