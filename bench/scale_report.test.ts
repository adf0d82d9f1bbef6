// SPDX-License-Identifier: Apache-2.0
import { expect, test } from "vitest";
import type { ScaleFigures, StepSample, SweepFigures } from "./scale.ts";
import { grown, grownBesideFloor, kept, keptBesideFloor, pairShare, sections, verdicts } from "./scale_report.ts";

const at = (...rounds: number[]): StepSample[] => rounds.map((throughput) => ({ throughput, backendUs: 1, cpuUs: 1 }));

function sweepOf(typescript: number[], floor?: number[]): SweepFigures {
  const steps = typescript.map((value, i) => ({
    size: i + 1,
    samples: { typescript: at(value), ...(floor ? { floor: at(floor[i]!) } : {}) },
  }));
  return { name: "clients", steps };
}

/** Steps of one throughput that cost so much. */
function costing(typescript: number[], floor?: number[]): SweepFigures {
  const cost = (cpuUs: number) => [{ throughput: 1, backendUs: 1, cpuUs }];
  const steps = typescript.map((value, i) => ({
    size: i + 1,
    samples: { typescript: cost(value), ...(floor ? { floor: cost(floor[i]!) } : {}) },
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
  expect(verdicts(figures)[2]).toMatchObject({ met: false, worst: "0.65 (the slow one)" });
});

test("a round counts where both were measured in it", () => {
  const pairs: ScaleFigures["pairs"] = [
    { setting: { fast: "typescript" }, samples: [{ fast: 100 }] },
    { setting: { slow: "stranger", fast: "typescript" }, samples: [{ fast: 0 }, { fast: 50 }] },
  ];
  const [alone, beside] = pairs.map(({ setting }) => setting);
  expect(pairShare(figuresOf(sweepOf([1]), pairs), "fast", beside!, alone!)).toEqual({ median: 0, min: 0, max: 0 });
  expect(pairShare(figuresOf(sweepOf([1]), pairs), "slow", beside!, alone!)).toBeUndefined();
});

test("a step's cost is held against the cheapest of those below it, not only the last", () => {
  expect(grown(costing([200, 100, 150, 120]), "typescript")).toEqual([Number.NaN, 0.5, 1.5, 1.2]);
});

test("a growth that the floor shows too is not held against the backend, and a fall of the floor does not ask for more", () => {
  expect(grownBesideFloor(costing([100, 180], [100, 150]))[1]).toBeCloseTo(1.2);
  expect(grownBesideFloor(costing([100, 110], [100, 50]))[1]).toBeCloseTo(1.1);
  expect(grownBesideFloor(costing([100, 110]))[1]).toBeCloseTo(1.1);
});

test("the verdict on cost names the step that grows most", () => {
  const cost = (sweep: SweepFigures) => verdicts(figuresOf(sweep))[1];
  expect(cost(costing([100, 117]))).toMatchObject({ met: true });
  expect(cost(costing([100, 119, 90]))).toMatchObject({ met: false, worst: "1.19 (clients, one instance: 2)" });
});

test("the table says by what the cost has grown", () => {
  expect(sections(figuresOf(costing([100, 120])))[0]!.body).toContain("| 1 / 120 (x 1.2) |");
});

test("where ours took no part there is no verdict on it, and a step without it is missed", () => {
  const floor: SweepFigures = { name: "clients", steps: [{ size: 1, samples: { floor: at(1) } }] };
  expect(verdicts(figuresOf(floor)).map(({ worst }) => worst)).toEqual([undefined, undefined, undefined]);
  const sweep = sweepOf([100, 100]);
  sweep.steps[1]!.samples = {};
  expect(verdicts(figuresOf(sweep))[0]).toMatchObject({ met: false, worst: "- (clients, one instance: 2)" });
});
