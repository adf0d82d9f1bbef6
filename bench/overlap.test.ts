// SPDX-License-Identifier: Apache-2.0
import { expect, test } from "vitest";
import { type OverlapFigures, type OverlapRow, overlap } from "./overlap.ts";

const row = (title: string, at64: number[], at1: number[] = [90]): OverlapRow => {
  const samples = (list: number[]) =>
    list.map((throughput) => ({ throughput, p50Us: 1000, p99Us: 1, backendUs: 1, batchUs: 1, cpuUs: 1 }));
  return { title, samples: { 1: samples(at1), 64: samples(at64) }, rssKib: 1, pssKib: 1 };
};

const OURS = "typescript, 64 batches in flight";
const figuresOf = (...rows: OverlapRow[]): OverlapFigures => ({ rounds: 3, rows });

test("the aim is the median of ratios within a round, at 64 clients", () => {
  // 60, 40 and 55: medians of each side would give 60.
  const rows = [row(OURS, [6000, 4000, 11_000], [1]), row("python_backend", [100, 100, 200], [1e6])];
  expect(overlap.verdicts(figuresOf(...rows))).toMatchObject([{ met: true, worst: "55 (64 clients)" }]);
});

test("what is less than fifty times is missed, and so is what is slower", () => {
  const python = row("python_backend", [100]);
  expect(overlap.verdicts(figuresOf(row(OURS, [4999]), python))).toMatchObject([{ met: false }]);
  expect(overlap.verdicts(figuresOf(row(OURS, [5000]), python))).toMatchObject([{ met: true }]);
});

test("the other rows are no part of the aim, whatever their order", () => {
  const rows = [row("python_backend, dynamic batching", [9000]), row("python_backend", [100]), row(OURS, [6000])];
  expect(overlap.verdicts(figuresOf(...rows))).toMatchObject([{ met: true, worst: "60 (64 clients)" }]);
  expect(overlap.verdicts(figuresOf(rows[2]!))[0]).not.toHaveProperty("worst");
});

test("the table shows each row beside plain python_backend, of the rounds that both were in", () => {
  const body = overlap.sections(figuresOf(row("python_backend", [100, 100]), row("other", [300])))[0]!.body;
  expect(body).toContain("| other | 90 | 300 | 3 |");
});
