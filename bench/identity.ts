// SPDX-License-Identifier: Apache-2.0
// The identity cells: every subject in turn, in every cell, in every round.

import { checkAnswers } from "./answers.ts";
import { figure, type Spread, spread } from "./numbers.ts";
import { drive } from "./perf_analyzer.ts";
import { cpuMicroseconds } from "./proc.ts";
import type { Server } from "./server.ts";
import type { Workbench } from "./setup.ts";
import type { Subject, SubjectName, TensorSize } from "./subjects.ts";

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
  samples: Partial<Record<SubjectName, Sample[]>>;
}

export interface IdentityOptions {
  sizes: readonly TensorSize[];
  concurrencies: readonly number[];
  rounds: number;
  windowMs: number;
}

async function measure(
  bench: Workbench,
  server: Server,
  subject: Subject,
  cell: Cell,
  windowMs: number,
): Promise<Sample> {
  const pids = [server.pid, ...server.children()];
  const before = await server.totals(subject.name);
  const cpuBefore = cpuMicroseconds(pids);
  const client = await drive(bench, server, {
    model: subject.name,
    bytes: cell.size.bytes,
    concurrency: cell.concurrency,
    windowMs,
  });
  const cpuUs = cpuMicroseconds(pids) - cpuBefore;
  const after = await server.totals(subject.name);
  const requests = after.requests - before.requests;
  if (requests <= 0 || after.failures > before.failures) {
    throw new Error(
      `${subject.title} answered ${requests} requests and failed ${after.failures - before.failures} in the cell ${cell.size.label} x ${cell.concurrency}; a cell counts only without failures.`,
    );
  }
  return {
    ...client,
    backendUs: (after.backendNs - before.backendNs) / requests / 1000,
    cpuUs: cpuUs / requests,
  };
}

/** Loads the subjects, checks their answers, and measures all cells round by round. */
export async function runIdentity(
  bench: Workbench,
  server: Server,
  subjects: readonly Subject[],
  options: IdentityOptions,
  say: (text: string) => void,
): Promise<Cell[]> {
  for (const subject of subjects) {
    await server.load(subject.name);
    for (const size of options.sizes) await checkAnswers(server, subject.name, size.bytes);
  }
  say(`answers of ${subjects.length} backends checked at ${options.sizes.map((size) => size.label).join(", ")}`);

  const cells: Cell[] = options.sizes.flatMap((size) =>
    options.concurrencies.map((concurrency) => ({ size, concurrency, samples: {} })),
  );
  for (let round = 0; round < options.rounds; round++) {
    for (const cell of cells) {
      // Another one begins in each round, so that none always follows the same neighbour.
      const turn = subjects.map((_, i) => subjects[(i + round) % subjects.length]!);
      for (const subject of turn) {
        const sample = await measure(bench, server, subject, cell, options.windowMs);
        const samples = cell.samples[subject.name] ?? [];
        cell.samples[subject.name] = samples;
        samples.push(sample);
        say(
          `round ${round + 1}/${options.rounds}  ${cell.size.label.padStart(6)} x ${cell.concurrency}  ${subject.title.padEnd(26)}` +
            ` backend ${figure(sample.backendUs)} us, ${figure(sample.throughput)}/s`,
        );
      }
    }
  }
  for (const subject of subjects) await server.unload(subject.name);
  return cells;
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
  const finite = values.filter(Number.isFinite);
  return finite.length > 0 ? spread(finite) : undefined;
}

/** Backend time above the floor, as a share of python_backend's above the floor. Below 1 is faster. */
export function aboveFloor(cell: Cell, name: SubjectName): Spread | undefined {
  return perRound(cell, [name, "python", "floor"], (ours, python, floor) => {
    const reference = python!.backendUs - floor!.backendUs;
    return reference > 0 ? (ours!.backendUs - floor!.backendUs) / reference : Number.NaN;
  });
}

/** Throughput as a multiple of another subject's. Above 1 is more. */
export function throughputOver(cell: Cell, name: SubjectName, other: SubjectName): Spread | undefined {
  return perRound(cell, [name, other], (ours, reference) => ours!.throughput / reference!.throughput);
}
