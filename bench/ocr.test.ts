// SPDX-License-Identifier: Apache-2.0
import { expect, test } from "vitest";
import { best, goesOn, type OcrCell, type OcrFigures, ocr } from "./ocr.ts";

function cell(callers: number, ours: number[], ways: Record<string, number[]>): OcrCell {
  const samples = Object.entries({ "ensemble `ocr`": ours, ...ways }).map(([title, values]) => [
    title,
    values.map((throughput) => ({ throughput, cpuMs: 1 })),
  ]);
  return { label: "", callers, samples: Object.fromEntries(samples) };
}

test("the fastest ways of the reference go on, and ours, however slow it is", () => {
  const first = cell(4, [1], { slow: [2], fastest: [9], fast: [8], slower: [3] });
  expect(Object.keys(first.samples).filter((title) => goesOn(first, title))).toEqual([
    "ensemble `ocr`",
    "fastest",
    "fast",
  ]);
});

test("the reference's best is its fastest way, not one that was given up, nor ours", () => {
  expect(best(cell(4, [99, 99, 99], { "given up": [9], slow: [4, 9, 4], fast: [6, 5, 5] }))).toBe("fast");
  expect(best(cell(4, [1], {}))).toBeUndefined();
});

const figures = (alone: number[], four: number[]): OcrFigures => ({
  ...{ pictures: 1, lines: 1, cores: 2, versions: {}, serverPssKib: 1, referencePssKib: 1 },
  cells: [cell(1, alone, { one: [10, 20] }), cell(4, four, { "slow way": [5, 5], "fast way": [10, 20] })],
});

test("each number of callers has its aim, against the fastest way, within a round", () => {
  expect(ocr.verdicts(figures([10, 20], [13, 26]))).toMatchObject([
    { met: true, worst: "1 (one)" },
    { met: true, worst: "1.3 (fast way)" },
  ]);
  expect(ocr.verdicts(figures([9.9, 20], [12.9, 26])).map(({ met }) => met)).toEqual([false, false]);
  expect(ocr.verdicts(figures([], [])).map(({ worst }) => worst)).toEqual([undefined, undefined]);
});
