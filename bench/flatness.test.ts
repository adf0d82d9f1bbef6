// SPDX-License-Identifier: Apache-2.0
import { expect, test } from "vitest";
import { type FlatnessFigures, flatness, growthKib } from "./flatness.ts";

const MIB = 1024;

const figures = (values: Partial<FlatnessFigures> = {}): FlatnessFigures => ({
  subject: "typescript",
  step: 10,
  serverKib: [40 * MIB, 41 * MIB],
  stubKib: [50 * MIB, 57 * MIB],
  rested: { serverKib: 41 * MIB, stubKib: 50 * MIB },
  ...values,
});

test("the gain of server and stub counts together, from the first reading to the last", () => {
  expect(growthKib(figures({ serverKib: [10, 99, 12], stubKib: [20, 99, 15] }))).toBe(-3);
  expect(flatness.verdicts([figures()])[0]).toMatchObject({ met: true, worst: "8 MiB (typescript)" });
  expect(flatness.verdicts([figures({ stubKib: [50 * MIB, 58 * MIB] })])[0]).toMatchObject({ met: false });
  expect(flatness.verdicts([figures({ stubKib: [58 * MIB, 50 * MIB] })])[0]).toMatchObject({ met: true });
});

test("a stub that is gone has gained nothing, but that is no flat memory", () => {
  expect(growthKib(figures({ stubKib: [50 * MIB, 0] }))).toBeNaN();
  expect(flatness.verdicts([figures({ stubKib: [50 * MIB, 0] })])[0]).toMatchObject({ met: false });
  expect(growthKib(figures({ serverKib: [1, 3], stubKib: [0, 0] }))).toBe(2);
});

test("the stub at rest is held against the aim of an idle instance, in megabytes", () => {
  const rests = (stubKib: number) => flatness.verdicts([figures({ rested: { serverKib: 1e9, stubKib } })])[1];
  expect(rests(58_593)).toMatchObject({ met: true, worst: "60 MB (typescript)" });
  expect(rests(58_594)).toMatchObject({ met: false });
  expect(rests(0)).toMatchObject({ met: false });
});

test("only ours is judged, all are shown, with what is held at rest", () => {
  const floor: FlatnessFigures = { subject: "floor", step: 10, serverKib: [1024, 90 * MIB], stubKib: [0, 0] };
  expect(flatness.verdicts([floor]).map(({ worst }) => worst)).toEqual([undefined, undefined]);
  const rows = flatness.sections([floor, figures()])[0]!.body.split("\n").slice(2);
  expect(rows).toEqual([
    "| native C (floor) | 1.0 + 0.0 | 90.0 + 0.0 | 89.0 | - |",
    "| typescript | 40.0 + 50.0 | 41.0 + 57.0 | 8.0 | 41.0 + 50.0 |",
  ]);
});
