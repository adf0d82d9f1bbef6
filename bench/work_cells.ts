// SPDX-License-Identifier: Apache-2.0
// The figures of the work part, and what they are held against.

import { table } from "./markdown.ts";
import { figure, type Spread, spread, withSpread } from "./numbers.ts";
import type { Section, Verdict } from "./part.ts";
import { verdict } from "./verdict.ts";
import { type ContestantName, type Step, type StepName, TITLES } from "./work_steps.ts";

/** One contestant in one cell in one round. */
export interface WorkSample {
  /** Requests per second. */
  throughput: number;
  /** What the client waits, microseconds. */
  p50Us: number;
  p99Us: number;
  /** Processor time of server and stubs for one request, microseconds. */
  cpuUs: number;
}

export interface WorkCell {
  step: StepName;
  title: string;
  judged: ContestantName;
  concurrency: number;
  samples: Partial<Record<ContestantName, WorkSample[]>>;
}

export interface WorkFigures {
  cells: WorkCell[];
}

export const AIM = 1.5;

export function emptyCells(steps: readonly Step[], concurrencies: readonly number[]): WorkCell[] {
  return steps.flatMap(({ name, title, judged }) =>
    concurrencies.map((concurrency) => ({ step: name, title, judged, concurrency, samples: {} })),
  );
}

/** Throughput as a multiple of python_backend's, taken within each round. */
export function overPython(cell: WorkCell, name: ContestantName): Spread | undefined {
  const ours = cell.samples[name] ?? [];
  const theirs = cell.samples.python ?? [];
  const ratios = ours.slice(0, theirs.length).map((sample, round) => sample.throughput / theirs[round]!.throughput);
  return ratios.length > 0 ? spread(ratios) : undefined;
}

const place = (cell: WorkCell) => `${cell.title} x ${cell.concurrency}`;

export function workVerdicts({ cells }: WorkFigures): Verdict[] {
  const findings = cells.flatMap((cell) => {
    const ratio = overPython(cell, cell.judged);
    return ratio ? [{ value: ratio.median, place: `${place(cell)}, ${TITLES[cell.judged]}` }] : [];
  });
  const lowest = cells.flatMap((cell) =>
    (Object.keys(cell.samples) as ContestantName[]).flatMap((name) => {
      const ratio = name === "python" ? undefined : overPython(cell, name);
      return ratio ? [{ value: ratio.median, place: `${place(cell)}, ${TITLES[name]}` }] : [];
    }),
  );
  return [
    verdict(`real work: throughput at least ${AIM} times python_backend's, at every step`, findings, {
      atLeast: AIM,
    }),
    verdict("real work: throughput never below python_backend's, with default settings too", lowest, { atLeast: 1 }),
  ];
}

const series = (cell: WorkCell, name: ContestantName, key: keyof WorkSample) =>
  cell.samples[name]?.map((sample) => sample[key]) ?? [];

function spreadOf(cell: WorkCell, name: ContestantName, key: keyof WorkSample): string {
  const values = series(cell, name, key);
  return values.length > 0 ? withSpread(spread(values)) : "-";
}

function median(cell: WorkCell, name: ContestantName, key: keyof WorkSample): string {
  const values = series(cell, name, key);
  return values.length > 0 ? figure(spread(values).median) : "-";
}

/** One row for each contestant of each cell. */
function workTable({ cells }: WorkFigures): string {
  const rows = cells.flatMap((cell) =>
    (Object.keys(cell.samples) as ContestantName[]).map((name) => {
      const ratio = name === "python" ? undefined : overPython(cell, name);
      return [
        place(cell),
        TITLES[name],
        spreadOf(cell, name, "throughput"),
        ratio ? withSpread(ratio) : "1",
        `${median(cell, name, "p50Us")} / ${median(cell, name, "p99Us")}`,
        median(cell, name, "cpuUs"),
      ];
    }),
  );
  const head = [
    "step x concurrency",
    "backend",
    "requests/s",
    "/ python",
    "latency p50 / p99, us",
    "processor time, us",
  ];
  return table(head, rows);
}

const ABOUT = `Four steps that stand around networks, each written twice: in TypeScript, and in Python the way a user of numpy and Pillow
writes it. The models are in \`bench/models/work_*\`. Both get the same input, and their answers are compared before anything
is timed: indices, boxes and ids must be equal, probabilities within 0.00001, and the picture's normalised pixels within 0.02
in the mean and 0.5 at most (of 4.4 between black and white), since sharp and Pillow resize differently. One instance each;
\`perf_analyzer\` sends over gRPC with tensors in system shared memory. Latency is what the client sees; processor time is that
of server and stubs for one request.

- Image: decode a JPEG of 640x480, bring the shorter side to 256, cut out 224x224, normalise. TypeScript has sharp, Python Pillow.
  sharp decodes on threads of its own, so an instance with \`MAX_IN_FLIGHT_BATCHES\` above 1 decodes several pictures at once,
  on all cores. python_backend has no counterpart to that setting but further instances, each with its own process and memory.
  The aim speaks of the model with four batches in flight; the same model with default settings is shown beside it.
- Softmax and top-k, non-maximum suppression, word pieces: loops over typed arrays and strings against numpy and, for the
  word pieces, plain Python.`;

export function workSections(figures: WorkFigures): Section[] {
  return [{ heading: "Real work", text: ABOUT, body: workTable(figures) }];
}
