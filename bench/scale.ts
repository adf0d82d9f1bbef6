// SPDX-License-Identifier: Apache-2.0
// Scale: more instances, clients, rows, tensors; and a slow model beside a fast one. About 7 minutes with five rounds.

import { measureLoad } from "./measured_load.ts";
import { figure } from "./numbers.ts";
import type { Part, PartContext } from "./part.ts";
import { drive } from "./perf_analyzer.ts";
import { measurePairs, type PairCell } from "./scale_pairs.ts";
import { sections, verdicts } from "./scale_report.ts";
import { type Step, SWEEPS, SWEPT, SWEPT_TITLES, type Sweep, type Swept, variantOf } from "./scale_sweeps.ts";
import type { Server } from "./server.ts";
import { turnOf } from "./turn.ts";
import { tensorNames, type Variant, withVariants } from "./variant.ts";

const WINDOW_MS = 200;
const QUICK_WINDOW_MS = 100;
/** Longer, since the slow model answers fewer than fifty requests a second. */
const PAIR_WINDOW_MS = 500;
const PAIR_QUICK_WINDOW_MS = 300;

/** One step of one contestant in one round, for each request, row or tensor as the sweep counts. */
export interface StepSample {
  /** Per second. */
  throughput: number;
  backendUs: number;
  cpuUs: number;
}

export interface StepFigures {
  size: number;
  samples: Partial<Record<Swept, StepSample[]>>;
}

export interface SweepFigures {
  name: string;
  steps: StepFigures[];
}

export interface ScaleFigures {
  rounds: number;
  sweeps: SweepFigures[];
  pairs: PairCell[];
}

const BACKENDS: Readonly<Record<Swept, string>> = {
  floor: "native_identity",
  python: "python",
  typescript: "typescript",
};

/** Sweeps that share models, one group after the other: no more processes at a time than a group needs. */
const GROUPS: readonly (readonly Sweep[])[] = [
  SWEEPS.filter(({ name }) => name.startsWith("instances") || name === "clients"),
  SWEEPS.filter(({ name }) => name === "batch" || name === "dynamic"),
  SWEEPS.filter(({ name }) => name === "tensors"),
];

/** The verdicts hold ours against the floor. */
const isJudged = (swept: Swept) => swept !== "python";

/** Requests for each instance before anything is timed: JavaScript is compiled while it runs, in each process anew. */
const WARM_UP_REQUESTS = 1000;

async function warmUp(context: PartContext, server: Server, variant: Variant): Promise<void> {
  const requests = WARM_UP_REQUESTS * (variant.instances ?? 1);
  const load = { bytes: 64, concurrency: 8, inputs: tensorNames("INPUT", variant.tensors), requests };
  await drive(context.bench, server, { ...load, model: variant.name });
}

async function measureStep(
  context: PartContext,
  server: Server,
  step: Step,
  swept: Swept,
  windowMs: number,
): Promise<StepSample> {
  const model = variantOf(step, swept).name;
  const sample = await measureLoad(context.bench, server, { ...step.load, model, windowMs });
  return {
    throughput: sample.throughput * step.parts,
    backendUs: sample.batchUs / step.parts,
    cpuUs: sample.cpuUs / step.parts,
  };
}

async function measureGroup(
  context: PartContext,
  server: Server,
  group: readonly Sweep[],
  contestants: readonly Swept[],
  rounds: number,
  windowMs: number,
): Promise<SweepFigures[]> {
  const variants = new Map<string, Variant>();
  for (const { steps } of group) {
    for (const variant of steps.flatMap((step) => contestants.map((swept) => variantOf(step, swept)))) {
      variants.set(variant.name, variant);
    }
  }
  const figures = group.map(
    ({ name, steps }): SweepFigures => ({ name, steps: steps.map(({ size }) => ({ size, samples: {} })) }),
  );
  await withVariants(context.bench, server, [...variants.values()], async () => {
    for (const variant of variants.values()) await warmUp(context, server, variant);
    context.say(`scale: answers of ${variants.size} models checked, and warmed up`);
    for (let round = 0; round < rounds; round++) {
      for (const [i, sweep] of group.entries()) {
        for (const [j, step] of sweep.steps.entries()) {
          const said: string[] = [];
          for (const swept of turnOf(contestants, round, isJudged)) {
            const sample = await measureStep(context, server, step, swept, windowMs);
            const samples = figures[i]!.steps[j]!.samples;
            samples[swept] = [...(samples[swept] ?? []), sample];
            said.push(`${SWEPT_TITLES[swept]} ${figure(sample.throughput)}`);
          }
          context.say(
            `scale: round ${round + 1}/${rounds}, ${sweep.grows}: ${step.size}: ${said.join(", ")} ${sweep.unit}s/s`,
          );
        }
      }
    }
  });
  return figures;
}

async function measure(context: PartContext): Promise<ScaleFigures> {
  const { rounds } = context;
  const available = new Set(context.subjects.map(({ backend }) => backend));
  const contestants = SWEPT.filter((swept) => available.has(BACKENDS[swept]));
  const windowMs = context.quick ? QUICK_WINDOW_MS : WINDOW_MS;
  const sweeps: SweepFigures[] = [];
  for (const group of GROUPS) {
    sweeps.push(
      ...(await context.withServer((server) => measureGroup(context, server, group, contestants, rounds, windowMs))),
    );
  }
  const pairs = await context.withServer((server) =>
    measurePairs(context, server, available, rounds, context.quick ? PAIR_QUICK_WINDOW_MS : PAIR_WINDOW_MS),
  );
  return { rounds, sweeps, pairs };
}

export const scale: Part<ScaleFigures> = {
  name: "scale",
  about: "more instances, clients, rows and tensors; a slow model beside a fast one",
  measure,
  sections,
  verdicts,
};
