// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { identityVerdicts } from "./identity_aims.ts";
import type { Cell, Sample } from "./identity_cells.ts";

function sample(backendUs: number, throughput: number): Sample {
  return { backendUs, throughput, cpuUs: 5, p50Us: 6, p99Us: 7 };
}

/** python_backend takes 100 us above the floor and half of what a lower limit allows in throughput. */
function cell(
  bytes: number,
  concurrency: number,
  memory: Cell["memory"],
  backendUs: number,
  throughput: number,
  pythonThroughput = 40,
): Cell {
  const samples = {
    floor: [sample(10, 100)],
    python: [sample(110, pythonThroughput)],
    typescript: [sample(backendUs, throughput)],
  };
  return { size: { label: `${bytes}B`, bytes }, concurrency, memory, samples };
}

const LARGE = 1 << 20;
const FLOOR = /at or under the floor/;
/** The verdicts but the one on the floor, which no cell that is slower than the floor meets. */
const others = (cells: readonly Cell[]) => identityVerdicts(cells).filter((entry) => !FLOOR.test(entry.aim));

describe("the aims of the identity cells", () => {
  it("are all met exactly at their limits", () => {
    const list = others([
      cell(64, 1, "shared", 35, 1),
      cell(64, 8, "shared", 35, 80),
      cell(LARGE, 8, "shared", 45, 60, 30),
      cell(64, 8, "message", 35, 1),
      cell(LARGE, 8, "message", 45, 1),
    ]);
    expect(list).toHaveLength(7);
    expect(list.filter((entry) => !entry.met)).toEqual([]);
  });

  it("are all missed just beyond their limits, and name the cell", () => {
    const list = others([
      cell(64, 8, "shared", 36, 79),
      cell(LARGE, 8, "shared", 46, 59, 30),
      cell(64, 8, "message", 36, 1),
      cell(LARGE, 8, "message", 46, 1),
    ]);
    expect(list.map((entry) => entry.met)).toEqual([false, false, false, false, false, false, false]);
    expect(list[0]!.worst).toBe("0.26 (64B x 8, typescript)");
    expect(list[2]!.worst).toBe("0.26 (64B x 8, in messages, typescript)");
  });

  it("are at or under the floor in a client's memory, where tensors are large enough to lie there", () => {
    const floor = (...cells: Cell[]) => identityVerdicts(cells).find((entry) => FLOOR.test(entry.aim));
    expect(floor(cell(64 << 10, 1, "shared", 10, 1))).toMatchObject({ met: true });
    expect(floor(cell(64 << 10, 1, "shared", 10.1, 1))).toMatchObject({ met: false });
    expect(floor(cell(64, 1, "shared", 11, 1), cell(LARGE, 1, "message", 11, 1))).toBeUndefined();
  });

  it("judge the throughput at concurrency 8 only", () => {
    const aims = identityVerdicts([cell(64, 1, "shared", 20, 1)]).map((entry) => entry.aim);
    expect(aims).toHaveLength(1);
    expect(aims[0]).toContain("backend time");
  });
});
