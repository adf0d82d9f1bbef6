// SPDX-License-Identifier: Apache-2.0
import { expect, test } from "vitest";
import { type OcrFigures, ocr } from "./ocr.ts";
import { best, type Concurrency, keptRows, type OcrRow, ratios } from "./ocr_rows.ts";

function row(title: string, throughputs: number[], concurrency: Concurrency = 4): OcrRow {
  const samples = throughputs.map((throughput) => ({ throughput, cpuMs: 1, seconds: 1, cpu_seconds: 1 }));
  return { concurrency, title, ours: title === "ours", samples };
}

test("the fastest ways of the reference go on, and ours, however slow it is", () => {
  const rows = [row("ours", [1]), row("slow", [2]), row("fastest", [9]), row("fast", [8]), row("slower", [3])];
  expect(keptRows(rows).map(({ title }) => title)).toEqual(["ours", "fastest", "fast"]);
});

test("the reference's best is its fastest way, not one that was given up, nor ours, nor of another concurrency", () => {
  const rows = [
    row("ours", [99, 99, 99]),
    row("given up", [9]),
    row("slow", [4, 9, 4]),
    row("fast", [6, 5, 5]),
    row("alone", [20, 20, 20], 1),
  ];
  expect(best(rows, 4)?.title).toBe("fast");
  expect(best(rows, 1)?.title).toBe("alone");
  expect(best([row("ours", [1])], 4)).toBeUndefined();
});

test("ours is a multiple of a way, within a round", () => {
  const way = row("way", [2, 4]);
  expect(ratios([row("ours", [100, 100], 1), row("ours", [3, 8]), way], way)).toEqual([1.5, 2]);
  expect(ratios([way], way)).toEqual([Number.NaN, Number.NaN]);
});

test("each concurrency has its aim, against the fastest way", () => {
  const figures = (alone: number, four: number): OcrFigures => ({
    pictures: 1,
    lines: 1,
    cores: 2,
    versions: {},
    rows: [
      row("ours", [alone], 1),
      row("one", [10], 1),
      row("ours", [four]),
      row("slow way", [5]),
      row("fast way", [10]),
    ],
    serverPssKib: 1,
    referencePssKib: 1,
  });
  expect(ocr.verdicts(figures(10, 13))).toMatchObject([
    { met: true, worst: "1 (one)" },
    { met: true, worst: "1.3 (fast way)" },
  ]);
  expect(ocr.verdicts(figures(9.9, 12.9)).map(({ met }) => met)).toEqual([false, false]);
});
