// SPDX-License-Identifier: Apache-2.0
import { expect, test } from "vitest";
import { overlap } from "./overlap.ts";
import { rounds } from "./testing.ts";

const OURS = "typescript, 64 batches in flight";

/** Throughput at 64 clients, by title; with one client it is the other way round. */
function figures(at64: Record<string, number[]>) {
  const samples = (values: [string, number[]][]) =>
    Object.fromEntries(values.map(([title, list]) => [title, rounds("throughput", ...list)]));
  const entries = Object.entries(at64);
  const reading = { rssKib: 1, pssKib: 1 };
  return {
    cells: [
      { label: "1", concurrency: 1, samples: samples(entries.map(([title], i) => [title, [90 ** i]])) },
      { label: "64", concurrency: 64, samples: samples(entries) },
    ],
    memory: Object.fromEntries(entries.map(([title]) => [title, reading])),
  };
}

const verdictOn = (at64: Record<string, number[]>) => overlap.verdicts(figures(at64))[0];

test("the aim is the median of ratios within a round, at 64 clients", () => {
  // 60, 40 and 55: medians of each side would give 60.
  const found = verdictOn({ [OURS]: [6000, 4000, 11_000], python_backend: [100, 100, 200] });
  expect(found).toMatchObject({ met: true, worst: "55 (64 clients)" });
});

test("what is less than fifty times is missed, and so is what is slower", () => {
  expect(verdictOn({ [OURS]: [4999], python_backend: [100] })).toMatchObject({ met: false });
  expect(verdictOn({ [OURS]: [5000], python_backend: [100] })).toMatchObject({ met: true });
});

test("the other rows are no part of the aim, whatever their order", () => {
  const found = verdictOn({ "python_backend, dynamic batching": [9000], python_backend: [100], [OURS]: [6000] });
  expect(found).toMatchObject({ met: true, worst: "60 (64 clients)" });
  expect(verdictOn({ [OURS]: [6000] })).not.toHaveProperty("worst");
});

test("the table shows each row beside plain python_backend, of the rounds that both were in", () => {
  const { Overlap: body } = overlap.sections(figures({ python_backend: [100, 100], other: [300] }));
  expect(body).toContain("| other | 90 | 300 | 3 |");
});
