// SPDX-License-Identifier: Apache-2.0
import { expect, test } from "vitest";
import type { ScaleFigures, StepSample, SweepFigures } from "./scale.ts";
import { kept, keptBesideFloor, pairShare, verdicts } from "./scale_report.ts";

const at = (...rounds: number[]): StepSample[] => rounds.map((throughput) => ({ throughput, backendUs: 1, cpuUs: 1 }));

function sweepOf(typescript: number[], floor?: number[]): SweepFigures {
  const steps = typescript.map((value, i) => ({
    size: i + 1,
    samples: { typescript: at(value), ...(floor ? { floor: at(floor[i]!) } : {}) },
  }));
  return { name: "clients", steps };
}

const figuresOf = (sweep: SweepFigures, pairs: ScaleFigures["pairs"] = []): ScaleFigures => ({
  rounds: 1,
  sweeps: [sweep],
  pairs,
});

test("a step is held against the best of those below it, not only the last", () => {
  expect(kept(sweepOf([100, 200, 150, 160]), "typescript")).toEqual([Number.NaN, 2, 0.75, 0.8]);
});

test("medians of the rounds are compared", () => {
  const sweep: SweepFigures = {
    name: "clients",
    steps: [
      { size: 1, samples: { typescript: at(100, 900, 100) } },
      { size: 2, samples: { typescript: at(90, 90, 10) } },
    ],
  };
  expect(kept(sweep, "typescript")[1]).toBeCloseTo(0.9);
});

test("a fall that the floor shows too is not held against the backend, and a rise of the floor does not ask for more", () => {
  expect(keptBesideFloor(sweepOf([100, 60], [100, 75]))[1]).toBeCloseTo(0.8);
  expect(keptBesideFloor(sweepOf([100, 90], [100, 300]))[1]).toBeCloseTo(0.9);
  expect(keptBesideFloor(sweepOf([100, 90]))[1]).toBeCloseTo(0.9);
});

test("the verdict names the step that keeps least", () => {
  const [cliff] = verdicts(figuresOf(sweepOf([100, 90, 50])));
  expect(cliff).toMatchObject({ met: false, worst: "0.5 (clients, one instance: 3)" });
  expect(verdicts(figuresOf(sweepOf([100, 90, 86])))[0]).toMatchObject({ met: true });
});

test("two models side by side are compared with strangers on the same cores, round by round", () => {
  const pairs: ScaleFigures["pairs"] = [
    {
      setting: { slow: "typescript", fast: "typescript" },
      samples: [
        { slow: 40, fast: 900 },
        { slow: 20, fast: 500 },
      ],
    },
    { setting: { slow: "stranger", fast: "typescript" }, samples: [{ fast: 1000 }, { fast: 500 }] },
    {
      setting: { slow: "typescript", fast: "floor" },
      samples: [
        { slow: 80, fast: 1 },
        { slow: 25, fast: 1 },
      ],
    },
  ];
  const figures = figuresOf(sweepOf([1, 1]), pairs);
  const both = { slow: "typescript", fast: "typescript" } as const;
  expect(pairShare(figures, "fast", both, { slow: "stranger", fast: "typescript" })?.median).toBeCloseTo(0.95);
  expect(verdicts(figures)[1]).toMatchObject({ met: false, worst: "0.65 (the slow one)" });
});
