// SPDX-License-Identifier: Apache-2.0
// What the scale part says about its figures.

import { type Row, table } from "./markdown.ts";
import { figure, type Spread, spread, withSpread } from "./numbers.ts";
import type { Section, Verdict } from "./part.ts";
import type { ScaleFigures, StepSample, SweepFigures } from "./scale.ts";
import type { PairCell, PairSample, Setting } from "./scale_pairs.ts";
import { SWEEPS, SWEPT, SWEPT_TITLES, type Swept } from "./scale_sweeps.ts";
import { SHOWN_ROUNDS } from "./turn.ts";
import { type Finding, verdict } from "./verdict.ts";

/** What a step must keep of the best step below it, and a model of its speed beside another. */
const KEEP = 0.85;
/** What a step may cost, as a multiple of the cheapest step below it: the same tolerance. */
const GROW = 1 / KEEP;

function medianOf(samples: readonly StepSample[] | undefined, key: keyof StepSample): number {
  return samples?.length ? spread(samples.map((sample) => sample[key])).median : Number.NaN;
}

/**
 * Each step's figure as a multiple of the best of those below it; nothing for the first. Of medians: the best of several
 * noisy figures is better than each of them would be again, and in one round alone more so.
 */
function besideBest(
  sweep: SweepFigures,
  swept: Swept,
  figure: "throughput" | "cpuUs",
  best: (...values: number[]) => number,
): number[] {
  const medians = sweep.steps.map((step) => medianOf(step.samples[swept], figure));
  return medians.map((value, i) => (i === 0 ? Number.NaN : value / best(...medians.slice(0, i))));
}

/** Ours, divided by the floor's where that one is worse than the best below it, too: then server and machine are the cause. */
function besideFloor(
  ours: readonly number[],
  floor: readonly number[],
  worse: (...values: number[]) => number,
): number[] {
  return ours.map((value, i) => value / (Number.isNaN(floor[i]!) ? 1 : worse(1, floor[i]!)));
}

/** Throughput of each step as a share of the best of those below it. */
export const kept = (sweep: SweepFigures, swept: Swept): number[] => besideBest(sweep, swept, "throughput", Math.max);

/** What our backend keeps, held against the floor where that one loses, too. */
export const keptBesideFloor = (sweep: SweepFigures): number[] =>
  besideFloor(kept(sweep, "typescript"), kept(sweep, "floor"), Math.min);

/** Processor time of each step as a multiple of the least of those below it. */
export const grown = (sweep: SweepFigures, swept: Swept): number[] => besideBest(sweep, swept, "cpuUs", Math.min);

/** By what the cost of our backend grows, held against the floor where that one's grows, too. */
export const grownBesideFloor = (sweep: SweepFigures): number[] =>
  besideFloor(grown(sweep, "typescript"), grown(sweep, "floor"), Math.max);

/** Backend time, processor time, and by what the latter has grown. */
function costs(sweep: SweepFigures, swept: Swept): string[] {
  const factors = grown(sweep, swept);
  return sweep.steps.map(({ samples }, i) => {
    const [backend, cpu] = (["backendUs", "cpuUs"] as const).map((key) => figure(medianOf(samples[swept], key)));
    return `${backend} / ${cpu}${Number.isNaN(factors[i]!) ? "" : ` (x ${figure(factors[i]!)})`}`;
  });
}

function sweepTable(sweep: SweepFigures): string {
  const about = SWEEPS.find(({ name }) => name === sweep.name)!;
  const contestants = SWEPT.filter((swept) => sweep.steps.some((step) => step.samples[swept]));
  const shares = new Map(contestants.map((swept) => [swept, kept(sweep, swept)]));
  const cost = new Map(contestants.map((swept) => [swept, costs(sweep, swept)]));
  const rows = sweep.steps.map(
    (step, i): Row => [
      String(step.size),
      ...contestants.map((swept) => {
        const samples = step.samples[swept] ?? [];
        return samples.length > 0 ? withSpread(spread(samples.map(({ throughput }) => throughput))) : "-";
      }),
      ...contestants.map((swept) => figure(shares.get(swept)![i]!)),
      ...contestants.map((swept) => cost.get(swept)![i]!),
    ],
  );
  const each = (what: string) => contestants.map((swept) => `${SWEPT_TITLES[swept]}${what}`);
  return table([about.grows, ...each(`, ${about.unit}s/s`), ...each(", share kept"), ...each(", us")], rows);
}

const SWEEP_TEXT = (rounds: number) =>
  [
    `Identity models with tensors of 64 bytes, one instance unless it is instances that grow, ${rounds} short rounds after a warm-up, of`,
    `python_backend at most ${SHOWN_ROUNDS}. Throughput counts what the table says: requests, rows of a batch, or tensors (a request of 16`,
    "tensors in and 16 out counts 16). *Share kept* is the throughput as a share of the best step above it in the table, of medians",
    `over the rounds. The first aim: in every step typescript keeps at least ${KEEP}, so that no step falls off a cliff; where the floor`,
    `itself keeps less than all, ${KEEP} of what the floor keeps, since that fall comes from the server and the machine.`,
    "",
    "The last columns are microseconds in the backend (a batch counts once, however many requests it holds) and of processor time of",
    "server and model processes, for each request, row or tensor. With several instances on few cores the first one grows, since they",
    "wait for each other's core; the second is the cost, and in brackets stands by what it has grown over the cheapest step above it.",
    `The second aim is that the cost is flat or falls: in every step typescript's grows by no more than ${figure(GROW)} (which is 1 / ${KEEP}, as a`,
    `share of ${KEEP} is allowed above); where the floor's grows, by ${figure(GROW)} times as much.`,
  ].join("\n");

function sameSetting(a: Setting, b: Setting): boolean {
  return a.slow === b.slow && a.fast === b.fast;
}

function samplesOf(figures: ScaleFigures, setting: Setting): PairSample[] {
  return figures.pairs.find((cell) => sameSetting(cell.setting, setting))?.samples ?? [];
}

/** The throughput of one of two models, as a share of what it has in another setting, taken round by round. */
export function pairShare(
  figures: ScaleFigures,
  which: keyof PairSample,
  setting: Setting,
  reference: Setting,
): Spread | undefined {
  const before = samplesOf(figures, reference);
  const shares = samplesOf(figures, setting).flatMap((sample, round) => {
    const [value, beside] = [sample[which], before[round]?.[which]];
    return value === undefined || beside === undefined ? [] : [value / beside];
  });
  return shares.length > 0 ? spread(shares) : undefined;
}

const WORDS = {
  typescript: "typescript",
  python: "python_backend",
  floor: "native C (floor)",
  stranger: "another process",
};

function pairRow(figures: ScaleFigures, cell: PairCell): Row {
  const { slow, fast } = cell.setting;
  const throughput = (which: keyof PairSample) => {
    const values = cell.samples.map((sample) => sample[which]).filter((value) => value !== undefined);
    return values.length > 0 ? withSpread(spread(values)) : "-";
  };
  const share = (which: keyof PairSample, reference: Setting) => {
    const value = slow && fast && pairShare(figures, which, cell.setting, reference);
    return value ? withSpread(value) : "-";
  };
  return [
    slow ? WORDS[slow] : "-",
    fast ? WORDS[fast] : "-",
    throughput("slow"),
    throughput("fast"),
    share("slow", { slow }),
    share("fast", { fast }),
  ];
}

const PAIR_TEXT = [
  "The slow model computes for 20 ms (a fixed amount of work, found when it is loaded) before it answers, the fast one is the identity with 64",
  "bytes in the message; each has one instance and one client. On few cores they share what there is. To tell this from what the",
  "backend adds, the fast model also runs beside a process that has nothing to do with the server and does the same work as the slow",
  "model, and the slow model beside the fast model of the floor. The aim: beside a model of ours the fast one keeps at least",
  `${KEEP} of its throughput beside that process, and the slow one ${KEEP} of its throughput beside the floor's model. The other`,
  `settings are for comparison, with at most ${SHOWN_ROUNDS} rounds.`,
].join("\n");

export function sections(figures: ScaleFigures): Section[] {
  const tables = figures.sweeps.map(sweepTable).join("\n\n");
  const head = [
    "slow model",
    "fast model",
    "slow, requests/s",
    "fast, requests/s",
    "slow, share of alone",
    "fast, share of alone",
  ];
  const pairs = table(
    head,
    figures.pairs.map((cell) => pairRow(figures, cell)),
  );
  return [
    { heading: "Scale", text: SWEEP_TEXT(figures.rounds), body: tables },
    { heading: "A slow model beside a fast one", text: PAIR_TEXT, body: pairs },
  ];
}

function pairFindings(figures: ScaleFigures): Finding[] {
  const both: Setting = { slow: "typescript", fast: "typescript" };
  const found = [
    { place: "the fast one", share: pairShare(figures, "fast", both, { slow: "stranger", fast: "typescript" }) },
    { place: "the slow one", share: pairShare(figures, "slow", both, { slow: "typescript", fast: "floor" }) },
  ];
  return found.flatMap(({ place, share }) => (share ? [{ place, value: share.median }] : []));
}

/** One for each step but the first, of each sweep that ours took part in. */
function stepFindings(figures: ScaleFigures, valuesOf: (sweep: SweepFigures) => number[]): Finding[] {
  const ours = figures.sweeps.filter(({ steps }) => steps.some((step) => step.samples.typescript));
  return ours.flatMap((sweep) => {
    const { grows } = SWEEPS.find(({ name }) => name === sweep.name)!;
    return valuesOf(sweep).flatMap((value, i) =>
      i === 0 ? [] : [{ value, place: `${grows}: ${sweep.steps[i]!.size}` }],
    );
  });
}

export function verdicts(figures: ScaleFigures): Verdict[] {
  return [
    verdict(
      `no cliff: each step of load keeps ${KEEP} of the best throughput below it, or of what the floor keeps`,
      stepFindings(figures, keptBesideFloor),
      { atLeast: KEEP },
    ),
    verdict(
      `cost flat or falling: processor time in each step of load at most ${figure(GROW)} times the least below it, or times what the floor's grows by`,
      stepFindings(figures, grownBesideFloor),
      { atMost: GROW },
    ),
    verdict(
      `a slow and a fast model keep ${KEEP} of what they have beside strangers on the same cores`,
      pairFindings(figures),
      { atLeast: KEEP },
    ),
  ];
}
