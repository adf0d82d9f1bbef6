// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { charts } from "./chart.ts";
import type { Cell, Sample } from "./identity_cells.ts";

const sample = (backendUs: number, throughput: number): Sample[] => [
  { backendUs, throughput, cpuUs: 1, p50Us: 1, p99Us: 1 },
];

function cell(samples: Cell["samples"]): Cell {
  return { size: { label: "64B", bytes: 64 }, concurrency: 8, memory: "message", samples };
}

describe("the pictures", () => {
  it("show time and throughput of each cell, and name who is in them", () => {
    const measured = cell({ floor: sample(10, 100), python: sample(110, 40), typescript: sample(30, 75) });
    const pictures = charts({ subjects: ["floor", "python", "typescript"], cells: [measured] });
    expect(pictures.map((picture) => picture.file)).toEqual(["performance.svg", "performance_throughput.svg"]);
    const [time, throughput] = pictures.map((picture) => picture.svg);
    expect(time).toContain(">64B x 8, in messages<");
    expect(time).toContain(">0.2<");
    expect(time).not.toContain("allocateOutput");
    expect(throughput).toContain(">0.75<");
    expect(throughput).toContain(">0.4<");
  });

  it("cut a bar that would leave the picture, and keep its figure", () => {
    const slow = cell({ floor: sample(10, 100), python: sample(20, 40), typescript: sample(1010, 75) });
    const svg = charts({ subjects: [], cells: [slow] })[0]!.svg;
    expect(svg).toContain(">100<");
    const widths = [...svg.matchAll(/rect x="\d+" y="\d+" width="([\d.]+)"/g)].map((match) => Number(match[1]));
    expect(Math.max(...widths)).toBeLessThan(860);
  });

  it("are left out when there is nothing to compare", () => {
    expect(charts({ subjects: ["typescript"], cells: [cell({ typescript: sample(1, 1) })] })).toEqual([]);
  });
});
