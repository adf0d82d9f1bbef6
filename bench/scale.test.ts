// SPDX-License-Identifier: Apache-2.0
import { expect, test } from "vitest";
import { type ScaleFigures, scale } from "./scale.ts";
import type { PairCell } from "./scale_pairs.ts";
import { grown, grownBesideFloor, kept, keptBesideFloor, type StepCell } from "./scale_sweeps.ts";
import { rounds } from "./testing.ts";

type Key = "throughput" | "cpuUs";

/** Steps of one sweep with one round each, of ours and of the floor. */
const steps = (key: Key, ours: readonly number[], floor?: readonly number[]): StepCell[] =>
  ours.map((value, i) => ({
    label: `clients, one instance: ${i + 1}`,
    grows: "clients, one instance",
    size: i + 1,
    samples: {
      typescript: rounds(key, value),
      ...(floor ? { "native C (floor)": rounds(key, floor[i]!) } : {}),
    },
  }));

const figures = (cells: StepCell[], pairs: PairCell["samples"] = {}): ScaleFigures => ({
  steps: cells,
  pairs: { label: "pairs", samples: pairs },
});
const verdictsOn = (...args: Parameters<typeof figures>) => scale.verdicts(figures(...args));

test("a step is held against the best of those below it, not only the last", () => {
  expect(kept(steps("throughput", [100, 200, 150, 160]), "typescript")).toEqual([Number.NaN, 2, 0.75, 0.8]);
  expect(grown(steps("cpuUs", [200, 100, 150, 120]), "typescript")).toEqual([Number.NaN, 0.5, 1.5, 1.2]);
});

test("medians of the rounds are compared", () => {
  const cells = steps("throughput", [1, 1]);
  cells[0]!.samples["typescript"] = rounds("throughput", 100, 900, 100);
  cells[1]!.samples["typescript"] = rounds("throughput", 90, 90, 10);
  expect(kept(cells, "typescript")[1]).toBeCloseTo(0.9);
});

test.each([
  ["a loss that the floor has too is not held against ours", "throughput", [100, 60], [100, 75], 0.8],
  ["a gain of the floor does not ask for more", "throughput", [100, 90], [100, 300], 0.9],
  ["without a floor ours stands alone", "throughput", [100, 90], undefined, 0.9],
  ["a growth that the floor has too is not held against ours", "cpuUs", [100, 180], [100, 150], 1.2],
  ["a fall of the floor does not ask for more", "cpuUs", [100, 110], [100, 50], 1.1],
  ["without a floor the cost of ours stands alone", "cpuUs", [100, 110], undefined, 1.1],
] as const)("%s", (_, key, ours, floor, expected) => {
  const besideFloor = key === "cpuUs" ? grownBesideFloor : keptBesideFloor;
  expect(besideFloor(steps(key, ours, floor))[1]).toBeCloseTo(expected);
});

test("the verdicts name the step that keeps least, and the one that grows most", () => {
  const [cliff] = verdictsOn(steps("throughput", [100, 90, 50]));
  expect(cliff).toMatchObject({ met: false, worst: "0.5 (clients, one instance: 3)" });
  expect(verdictsOn(steps("throughput", [100, 90, 86]))[0]).toMatchObject({ met: true });
  const [, cost] = verdictsOn(steps("cpuUs", [100, 119, 90]));
  expect(cost).toMatchObject({ met: false, worst: "1.19 (clients, one instance: 2)" });
  expect(verdictsOn(steps("cpuUs", [100, 117]))[1]).toMatchObject({ met: true });
});

test("the table says by what the cost has grown", () => {
  expect(scale.sections(figures(steps("cpuUs", [100, 120])))["Scale"]).toContain("| 1 / 120 (x 1.2) |");
});

test("where ours took no part there is no verdict on it, and a step without it is missed", () => {
  const cells = steps("throughput", [100, 100], [1, 1]);
  delete cells[1]!.samples["typescript"];
  expect(verdictsOn(cells)[0]).toMatchObject({ met: false, worst: "- (clients, one instance: 2)" });
  delete cells[0]!.samples["typescript"];
  expect(verdictsOn(cells).map(({ worst }) => worst)).toEqual([undefined, undefined, undefined]);
});

const PAIRS: PairCell["samples"] = {
  "slow typescript, fast -": [{ slow: 50 }, { slow: 40 }],
  "slow typescript, fast typescript": [
    { slow: 40, fast: 900 },
    { slow: 20, fast: 500 },
  ],
  "slow another process, fast typescript": [{ fast: 1000 }, { fast: 500 }],
  "slow typescript, fast native C (floor)": [
    { slow: 80, fast: 1 },
    { slow: 25, fast: 1 },
  ],
};

test("two models side by side are compared with strangers on the same cores, round by round", () => {
  // 0.9 and 1 for the fast one, 0.5 and 0.8 for the slow one
  expect(verdictsOn([], PAIRS)[2]).toMatchObject({ met: false, worst: "0.65 (the slow one)" });
  const { "slow typescript, fast native C (floor)": _, ...withoutFloor } = PAIRS;
  expect(verdictsOn([], withoutFloor)[2]).toMatchObject({ met: true, worst: "0.95 (the fast one)" });
});

test("a round counts where both were measured in it, and a throughput of nothing counts", () => {
  const fast = {
    "slow -, fast typescript": [{ fast: 100 }],
    "slow another process, fast typescript": [{ fast: 0 }, { fast: 50 }],
  };
  const rows = scale.sections(figures([], { ...PAIRS, ...fast }))["A slow model beside a fast one"]!.split("\n");
  expect(rows).toContain("| another process | typescript | - | 25 (0-50) | - | 0 |");
  expect(rows).toContain("| typescript | typescript | 30 (20-40) | 700 (500-900) | 0.65 (0.5-0.8) | 9 |");
});
