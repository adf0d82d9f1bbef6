// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import {
  aboveFloor,
  backendTimeOverFloor,
  type Cell,
  figures,
  findings,
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

  it("gives nothing where a side was not measured or the reference is no slower than the floor", () => {
    expect(aboveFloor(measured, "typescript_allocate")).toBeUndefined();
    const noise = cell({ floor: [sample(10, 1)], python: [sample(9, 1)], typescript: [sample(12, 1)] });
    expect(aboveFloor(noise, "typescript")).toBeUndefined();
    expect(figures(measured, "typescript_allocate", "p50Us")).toBeUndefined();
    expect(findings([measured], ["typescript_allocate"], aboveFloor)).toEqual([]);
  });
});
