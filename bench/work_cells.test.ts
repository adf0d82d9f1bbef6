// SPDX-License-Identifier: Apache-2.0
import { expect, test } from "vitest";
import { overPython, type WorkCell, type WorkFigures, workSections, workVerdicts } from "./work_cells.ts";

const samples = (...throughputs: number[]) =>
  throughputs.map((throughput) => ({ throughput, p50Us: 100, p99Us: 200, cpuUs: 50 }));

const cell = (values: Partial<WorkCell>): WorkCell => ({
  step: "image",
  title: "image",
  judged: "inFlight",
  concurrency: 8,
  samples: { python: samples(100, 200, 100), typescript: samples(110, 240, 130), inFlight: samples(150, 340, 160) },
  ...values,
});

test("ratios are taken within a round", () => {
  expect(overPython(cell({}), "inFlight")).toEqual({ median: 1.6, min: 1.5, max: 1.7 });
  expect(overPython(cell({ samples: { typescript: samples(1) } }), "typescript")).toBeUndefined();
});

test("the first aim speaks of the judged contestant, the second of all of ours", () => {
  const [first, second] = workVerdicts({ cells: [cell({})] });
  expect(first).toMatchObject({ met: true, worst: "1.6 (image x 8, typescript, 4 batches in flight)" });
  expect(second).toMatchObject({ met: true, worst: "1.2 (image x 8, typescript)" });
});

test("what is too slow is missed", () => {
  const slow = cell({ judged: "typescript", samples: { python: samples(100), typescript: samples(99) } });
  expect(workVerdicts({ cells: [cell({}), slow] }).map(({ met }) => met)).toEqual([false, false]);
});

test("the table has a row for each contestant, losers too", () => {
  const figures: WorkFigures = { cells: [cell({}), cell({ concurrency: 1, samples: { python: samples(10) } })] };
  const rows = workSections(figures)[0]!.body.split("\n").slice(2);
  expect(rows).toHaveLength(4);
  expect(rows[0]).toBe("| image x 8 | python_backend | 100 (100-200) | 1 | 100 / 200 | 50 |");
  expect(rows[2]).toContain("| 1.6 (1.5-1.7) |");
});
