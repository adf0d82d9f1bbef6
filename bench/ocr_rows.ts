// SPDX-License-Identifier: Apache-2.0
// The ensemble `ocr` and the ways of its reference: which ways go on, which one is the fastest, how ours compares.

import { spread } from "./numbers.ts";
import type { Timing } from "./ocr_reference.ts";

export type Concurrency = 1 | 4;

interface Sample extends Timing {
  /** Pictures a second. */
  throughput: number;
  /** Milliseconds of processor time a picture, of the server and its stubs or of the reference's process. */
  cpuMs: number;
}

export interface OcrRow {
  concurrency: Concurrency;
  title: string;
  ours: boolean;
  /** By round; a way that was given up has fewer. */
  samples: Sample[];
}

/** So many of the reference's ways stay after the first round. */
export const WAYS_KEPT = 2;

export const throughputs = (row: OcrRow): number[] => row.samples.map((sample) => sample.throughput);
const median = (row: OcrRow) => spread(throughputs(row)).median;

const byThroughput = (rows: readonly OcrRow[]) => [...rows].sort((a, b) => median(b) - median(a));

/** Ours, and the fastest of the ways, in the order in which they were. */
export function keptRows(rows: readonly OcrRow[]): OcrRow[] {
  const kept = byThroughput(rows.filter(({ ours }) => !ours)).slice(0, WAYS_KEPT);
  return rows.filter((row) => row.ours || kept.includes(row));
}

/** The fastest way of the reference, of those that took part in all rounds. */
export function best(rows: readonly OcrRow[], concurrency: Concurrency): OcrRow | undefined {
  const ways = rows.filter((row) => row.concurrency === concurrency && !row.ours);
  const rounds = Math.max(...ways.map((row) => row.samples.length));
  return byThroughput(ways.filter((row) => row.samples.length === rounds))[0];
}

/** Throughput of the ensemble as a multiple of a way's, round by round. */
export function ratios(rows: readonly OcrRow[], way: OcrRow): number[] {
  const ours = rows.find((row) => row.ours && row.concurrency === way.concurrency);
  return way.samples.map((sample, round) => (ours?.samples[round]?.throughput ?? Number.NaN) / sample.throughput);
}
