// SPDX-License-Identifier: Apache-2.0
// What most parts measure: cells, in each of which contestants take turns, round by round.

import { median } from "./numbers.ts";

export interface Contestant {
  /** On the page, and in the figures. */
  title: string;
}

export interface Cell<Sample> {
  /** As the page names it. */
  label: string;
  /** By the contestant's title, one for each round. */
  samples: Record<string, Sample[]>;
}

/** What decides no verdict is measured for a look at it, in the first rounds; the whole run would take too long. */
export const SHOWN_ROUNDS = 3;

/**
 * Who takes part in round `round`, which counts from zero, in this order: another one begins in each, so that none always
 * follows the same neighbour. Those that are not `judged` take part in the first rounds only.
 */
export function turnOf<T>(all: readonly T[], round: number, judged: (one: T) => boolean = () => true): T[] {
  const list = round < SHOWN_ROUNDS ? all : all.filter(judged);
  return list.map((_, i) => list[(i + round) % list.length]!);
}

export interface Plan<C extends Cell<Sample>, Who extends Contestant, Sample> {
  cells: readonly C[];
  /** Who takes part in a cell. */
  contestants(cell: C, round: number): readonly Who[];
  /** Who decides a verdict there. Default: all. */
  isJudged?(who: Who, cell: C): boolean;
  measure(who: Who, cell: C): Promise<Sample>;
  /** What a sample says, for the one who waits. */
  tell(sample: Sample): string;
}

/** Fills the cells: in each round each contestant of each cell in turn, so that those who are compared are seconds apart. */
export async function inRounds<C extends Cell<Sample>, Who extends Contestant, Sample>(
  { rounds, say }: { rounds: number; say(text: string): void },
  plan: Plan<C, Who, Sample>,
): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    for (const cell of plan.cells) {
      const judged = (who: Who) => plan.isJudged?.(who, cell) ?? true;
      for (const who of turnOf(plan.contestants(cell, round), round, judged)) {
        const sample = await plan.measure(who, cell);
        cell.samples[who.title] = [...(cell.samples[who.title] ?? []), sample];
        say(`round ${round + 1}/${rounds}  ${cell.label.padEnd(22)}  ${who.title.padEnd(26)} ${plan.tell(sample)}`);
      }
    }
  }
}

/** A figure of some contestants, taken within each round that all of them were in: its parts were measured seconds apart. */
export function perRound<Sample, Value>(
  cell: Cell<Sample> | undefined,
  titles: readonly string[],
  of: (...samples: Sample[]) => Value,
): Value[] {
  const series = titles.map((title) => cell?.samples[title] ?? []);
  const rounds = Math.min(...series.map((samples) => samples.length));
  return Array.from({ length: rounds }, (_, round) => of(...series.map((samples) => samples[round]!)));
}

/** The names of those figures of a sample that are numbers. */
type Key<Sample> = { [K in keyof Sample]: Sample[K] extends number ? K : never }[keyof Sample];

/** One figure of one contestant, by round. */
export function series<Sample>(cell: Cell<Sample> | undefined, title: string, key: Key<Sample>): number[] {
  return perRound(cell, [title], (sample) => sample![key] as number);
}

/** A figure of one contestant as a multiple of another's, by round. */
export function over<Sample>(cell: Cell<Sample> | undefined, title: string, other: string, key: Key<Sample>): number[] {
  return perRound(cell, [title, other], (ours, theirs) => (ours![key] as number) / (theirs![key] as number));
}

/** A row of the table that the page begins with: medians of Python and of TypeScript, and of the ratio of the two. */
export interface Highlight {
  what: string;
  python: number;
  typescript: number;
  ratio: number;
}

/** Nothing where one of the two was not measured. */
export function highlight<Sample>(
  what: string,
  cell: Cell<Sample> | undefined,
  typescript: string,
  python: string,
  key: Key<Sample>,
): Highlight[] {
  const ratios = over(cell, typescript, python, key);
  const of = (title: string) => median(series(cell, title, key));
  return ratios.length > 0 ? [{ what, python: of(python), typescript: of(typescript), ratio: median(ratios) }] : [];
}
