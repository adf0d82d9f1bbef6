// SPDX-License-Identifier: Apache-2.0
// Sweeps: instances, clients, rows or tensors grow, step by step. Does throughput fall, or does a request cost more?

import { type Cell, type Contestant, inRounds, series } from "./grid.ts";
import { type Load, type LoadSample, measureLoad, sendRequests } from "./load.ts";
import { type Column, columns } from "./markdown.ts";
import { FLOOR, type Model, OURS, PYTHON, withModels } from "./models.ts";
import { figure, median, withSpread } from "./numbers.ts";
import type { PartContext } from "./part.ts";
import type { Server } from "./server.ts";
import { type Finding, type Verdict, verdict } from "./verdict.ts";

const WINDOW_MS = 200;
const QUICK_WINDOW_MS = 100;
/** Requests for each instance before anything is timed: JavaScript is compiled while it runs, in each process anew. */
const WARM_UP_REQUESTS = 1000;

/** What a step must keep of the best step below it, and a model of its speed beside another. */
export const KEEP = 0.85;
/** What a step may cost, as a multiple of the cheapest step below it: the same tolerance. */
const GROW = 1 / KEEP;

const SWEPT = [
  { title: FLOOR, short: "floor", backend: "native_identity" },
  { title: PYTHON, short: "python", backend: "python", source: "identity_python", all: "identity_all_python" },
  { title: OURS, short: "typescript", backend: "typescript", source: "identity", all: "identity_all" },
];

interface Sweep {
  /** Heading of the column of steps. */
  grows: string;
  /** What the figures are about, in the singular. */
  unit: "request" | "row" | "tensor";
  /** Sweeps that share models; no more processes at a time than a group needs. */
  group: number;
  sizes: readonly number[];
  step(size: number): { shape: Omit<Model, "name" | "backend">; load: Load };
}

const powers = [1, 2, 4, 8, 16, 32, 64];

export const SWEEPS: readonly Sweep[] = [
  ...[8, 64].map(
    (concurrency): Sweep => ({
      grows: `instances, ${concurrency} clients`,
      ...{ unit: "request", group: 0, sizes: powers.slice(0, 4) },
      step: (instances) => ({ shape: { instances }, load: { concurrency } }),
    }),
  ),
  {
    grows: "clients, one instance",
    ...{ unit: "request", group: 0, sizes: powers },
    step: (concurrency) => ({ shape: {}, load: { concurrency } }),
  },
  {
    grows: "rows in a client's batch, 8 clients",
    ...{ unit: "row", group: 1, sizes: [1, 4, 16, 64] },
    step: (batch) => ({ shape: { maxBatchSize: 64 }, load: { concurrency: 8, batch } }),
  },
  {
    grows: "max_batch_size with dynamic batching, 64 clients",
    ...{ unit: "request", group: 1, sizes: [1, 4, 16, 64] },
    step: (size) => ({ shape: { maxBatchSize: size, dynamicBatching: true }, load: { concurrency: 64, batch: 1 } }),
  },
  {
    grows: "tensors in and out, 8 clients",
    ...{ unit: "tensor", group: 2, sizes: [1, 4, 16, 32] },
    step: (tensors) => ({ shape: { tensors }, load: { concurrency: 8 } }),
  },
];

/** One step of one sweep; samples count requests, rows or tensors, as the sweep does. */
export interface StepCell extends Cell<Pick<LoadSample, "throughput" | "batchUs" | "cpuUs">> {
  grows: string;
  size: number;
}

type Stepping = Model & Contestant;

const sweepOf = ({ grows }: StepCell) => SWEEPS.find((sweep) => sweep.grows === grows)!;
const stepOf = (cell: StepCell) => sweepOf(cell).step(cell.size);

/** One name for one shape, so that steps which want the same model share it. */
function modelOf(cell: StepCell, { title, short, backend, source, all }: (typeof SWEPT)[number]): Stepping {
  const { shape } = stepOf(cell);
  const { instances = 1, maxBatchSize = 0, dynamicBatching = false, tensors = 1 } = shape;
  const name = `scale_${short}_i${instances}_b${maxBatchSize}${dynamicBatching ? "d" : ""}_t${tensors}`;
  const files = tensors > 1 ? all : source;
  return { ...shape, title, name, backend, ...(files ? { source: files } : {}) };
}

async function measureGroup(context: PartContext, server: Server, cells: readonly StepCell[]): Promise<void> {
  const windowMs = context.quick ? QUICK_WINDOW_MS : WINDOW_MS;
  const swept = SWEPT.filter(({ backend }) => context.subjects.some((one) => one.backend === backend));
  const contestants = (cell: StepCell) => swept.map((who) => modelOf(cell, who));
  const models = [...new Map(cells.flatMap(contestants).map((model) => [model.name, model])).values()];
  await withModels(server, models, async () => {
    for (const model of models) {
      await sendRequests(server, model, { concurrency: 8 }, WARM_UP_REQUESTS * (model.instances ?? 1));
    }
    context.say(`scale: answers of ${models.length} models checked, and warmed up`);
    await inRounds(context, {
      cells,
      contestants,
      // The verdicts hold ours against the floor.
      isJudged: ({ title }) => title !== PYTHON,
      measure: async (who, cell) => {
        const { throughput, batchUs, cpuUs } = await measureLoad(server, who, { ...stepOf(cell).load, windowMs });
        const parts = who.tensors ?? 1;
        return { throughput: throughput * parts, batchUs: batchUs / parts, cpuUs: cpuUs / parts };
      },
      tell: ({ throughput }) => `${figure(throughput)}/s`,
    });
  });
}

export async function measureSweeps(context: PartContext): Promise<StepCell[]> {
  const cells = SWEEPS.flatMap(({ grows, sizes }) =>
    sizes.map((size): StepCell => ({ label: `${grows}: ${size}`, grows, size, samples: {} })),
  );
  for (const group of new Set(SWEEPS.map((sweep) => sweep.group))) {
    const own = cells.filter((cell) => sweepOf(cell).group === group);
    await context.withServer((server) => measureGroup(context, server, own));
  }
  return cells;
}

/**
 * Each step's figure as a multiple of the best of those below it; nothing for the first. Of medians: the best of several
 * noisy figures is better than each of them would be again, and in one round alone more so.
 */
function besideBest(
  steps: readonly StepCell[],
  title: string,
  key: "throughput" | "cpuUs",
  best: (...values: number[]) => number,
): number[] {
  const medians = steps.map((cell) => median(series(cell, title, key)));
  return medians.map((value, i) => (i === 0 ? Number.NaN : value / best(...medians.slice(0, i))));
}

/** Throughput of each step as a share of the best of those below it. */
export const kept = (steps: readonly StepCell[], title: string) => besideBest(steps, title, "throughput", Math.max);

/** Processor time of each step as a multiple of the least of those below it. */
export const grown = (steps: readonly StepCell[], title: string) => besideBest(steps, title, "cpuUs", Math.min);

/** Ours, divided by the floor's where that one is worse than the best below it, too: then server and machine are the cause. */
function besideFloor(of: typeof kept, worse: (...values: number[]) => number) {
  return (steps: readonly StepCell[]): number[] => {
    const floor = of(steps, FLOOR);
    return of(steps, OURS).map((value, i) => value / (Number.isNaN(floor[i]) ? 1 : worse(1, floor[i]!)));
  };
}

export const keptBesideFloor = besideFloor(kept, Math.min);
export const grownBesideFloor = besideFloor(grown, Math.max);

function bySweep<T>(cells: readonly StepCell[], use: (steps: StepCell[], sweep: Sweep) => T): T[] {
  return SWEEPS.flatMap((sweep) => {
    const steps = cells.filter(({ grows }) => grows === sweep.grows);
    return steps.length > 0 ? [use(steps, sweep)] : [];
  });
}

function sweepTable(steps: readonly StepCell[], { grows, unit }: Sweep): string {
  const titles = SWEPT.map(({ title }) => title).filter((title) => steps.some((cell) => cell.samples[title]));
  const each = (what: string, text: (cell: StepCell, title: string) => string) =>
    titles.map((title): Column<StepCell> => [`${title}, ${what}`, (cell) => text(cell, title)]);
  const share = (of: typeof kept, cell: StepCell, title: string) => of(steps, title)[steps.indexOf(cell)]!;
  return columns(steps, [
    [grows, ({ size }) => String(size)],
    ...each(`${unit}s/s`, (cell, title) => withSpread(series(cell, title, "throughput"))),
    ...each("share kept", (cell, title) => figure(share(kept, cell, title))),
    ...each("us", (cell, title) => {
      const [time, cost] = (["batchUs", "cpuUs"] as const).map((key) => figure(median(series(cell, title, key))));
      const factor = share(grown, cell, title);
      return `${time} / ${cost}${Number.isNaN(factor) ? "" : ` (x ${figure(factor)})`}`;
    }),
  ]);
}

export const sweepTables = (cells: readonly StepCell[]): string => bySweep(cells, sweepTable).join("\n\n");

/** One for each step but the first, of each sweep that ours took part in. */
function findings(cells: readonly StepCell[], of: (steps: StepCell[]) => number[]): Finding[] {
  return bySweep(cells, (steps) => {
    if (!steps.some((cell) => cell.samples[OURS])) return [];
    return of(steps).flatMap((value, i) => (i === 0 ? [] : [{ value, place: steps[i]!.label }]));
  }).flat();
}

export const sweepVerdicts = (cells: readonly StepCell[]): Verdict[] => [
  verdict(
    `no cliff: each step of load keeps ${KEEP} of the best throughput below it, or of what the floor keeps`,
    findings(cells, keptBesideFloor),
    { atLeast: KEEP },
  ),
  verdict(
    `cost flat or falling: processor time in each step of load at most ${figure(GROW)} times the least below it, or times what the floor's grows by`,
    findings(cells, grownBesideFloor),
    { atMost: GROW },
  ),
];
