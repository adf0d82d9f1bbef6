// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import {
  aboveFloor,
  backendTimeOverFloor,
  type Cell,
  figures,
  findings,
  processorTimeOver,
  type Sample,
  throughputOver,
} from "./identity_cells.ts";

function sample(backendUs: number, throughput: number): Sample {
  return { backendUs, throughput, cpuUs: 1, p50Us: 1, p99Us: 1 };
}

function cell(samples: Cell["samples"]): Cell {
  return { size: { label: "64B", bytes: 64 }, concurrency: 1, memory: "shared", samples };
}

describe("the ratios of a cell", () => {
  const measured = cell({
    floor: [sample(10, 1000), sample(20, 900)],
    python: [sample(110, 400), sample(220, 300)],
    typescript: [sample(30, 800), sample(80, 600)],
  });

  it("subtracts the floor of the same round on both sides", () => {
    // (30 - 10) / (110 - 10) and (80 - 20) / (220 - 20)
    const ratio = aboveFloor(measured, "typescript")!;
    expect(ratio.min).toBeCloseTo(0.2);
    expect(ratio.max).toBeCloseTo(0.3);
    expect(ratio.median).toBeCloseTo(0.25);
  });

  it("compares backend time with the floor's round by round", () => {
    expect(backendTimeOverFloor(measured, "typescript")).toEqual({ median: 3.5, min: 3, max: 4 });
  });

  it("compares throughput round by round", () => {
    expect(throughputOver(measured, "typescript", "python")).toEqual({ median: 2, min: 2, max: 2 });
  });

  it("counts every round, also one in which the reference is no slower than the floor", () => {
    const noise = cell({
      floor: [sample(10, 1), sample(10, 1), sample(10, 1)],
      python: [sample(110, 1), sample(10, 1), sample(9, 1)],
      typescript: [sample(20, 1), sample(12, 1), sample(12, 1)],
    });
    expect(aboveFloor(noise, "typescript")).toEqual({
      median: Number.POSITIVE_INFINITY,
      min: 0.1,
      max: Number.POSITIVE_INFINITY,
    });
    expect(findings([noise], ["typescript"], aboveFloor)).toHaveLength(1);
  });

  it("has nothing against ours in such a round where ours is no slower than the floor, either", () => {
    const level = cell({ floor: [sample(10, 1)], python: [sample(9, 1)], typescript: [sample(10, 1)] });
    expect(aboveFloor(level, "typescript")?.median).toBe(0);
  });

  it("compares processor time round by round", () => {
    const costs = cell({
      python: [{ ...sample(1, 1), cpuUs: 100 }],
      typescript: [{ ...sample(1, 1), cpuUs: 120 }],
    });
    expect(processorTimeOver(costs, "typescript", "python")?.median).toBeCloseTo(1.2);
  });

  it("gives nothing where a side was not measured", () => {
    expect(aboveFloor(measured, "typescript_allocate")).toBeUndefined();
    expect(figures(measured, "typescript_allocate", "p50Us")).toBeUndefined();
    expect(findings([measured], ["typescript_allocate"], aboveFloor)).toEqual([]);
  });
});
