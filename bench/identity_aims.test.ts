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
  cpuUs = 5,
): Cell {
  const samples = {
    floor: [sample(10, 100)],
    python: [sample(110, pythonThroughput)],
    typescript: [{ ...sample(backendUs, throughput), cpuUs }],
  };
  return { size: { label: `${bytes}B`, bytes }, concurrency, memory, samples };
}

const LARGE = 1 << 20;
const FLOOR = /at or under the floor/;
const PROCESSOR = /processor time/;
/** The verdict of the one aim whose text matches. */
const verdictOf = (aim: RegExp, ...cells: Cell[]) => identityVerdicts(cells).find((entry) => aim.test(entry.aim));
/** The verdicts but the one on the floor, which no cell that is slower than the floor meets, and that on processor time. */
const others = (cells: readonly Cell[]) =>
  identityVerdicts(cells).filter((entry) => !FLOOR.test(entry.aim) && !PROCESSOR.test(entry.aim));

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
    expect(list.map((entry) => entry.worst)).not.toContain(undefined);
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

  it("are at or under the floor in a client's memory, at every size, and nowhere else", () => {
    expect(verdictOf(FLOOR, cell(64, 1, "shared", 10, 1))).toMatchObject({ met: true });
    expect(verdictOf(FLOOR, cell(64, 1, "shared", 10.1, 1), cell(LARGE, 1, "shared", 9, 1))).toMatchObject({
      met: false,
      worst: "1.01 (64B x 1, typescript)",
    });
    expect(verdictOf(FLOOR, cell(LARGE, 1, "message", 11, 1))).toMatchObject({ met: false, aim: expect.any(String) });
    expect(verdictOf(FLOOR, cell(LARGE, 1, "message", 11, 1))).not.toHaveProperty("worst");
  });

  it("hold processor time against python_backend's in every cell, and name the worst", () => {
    const costs = (cpuUs: number, memory: Cell["memory"]) => cell(64, 1, memory, 20, 1, 40, cpuUs);
    expect(verdictOf(PROCESSOR, costs(5, "shared"), costs(4, "message"))).toMatchObject({ met: true });
    expect(verdictOf(PROCESSOR, costs(4, "shared"), costs(5.5, "message"))).toMatchObject({
      met: false,
      worst: "1.1 (64B x 1, in messages, typescript)",
    });
  });

  it("are missed where python_backend is in most rounds no slower than the floor, and ours is", () => {
    const noise = cell(64, 1, "shared", 12, 1);
    noise.samples.python = [sample(9, 40)];
    expect(verdictOf(/^backend time.*up to 64 KiB/, noise)).toMatchObject({
      met: false,
      worst: "∞ (64B x 1, typescript)",
    });
  });

  it("judge the throughput at concurrency 8 only", () => {
    const judged = others([cell(64, 1, "shared", 20, 1)]).filter((entry) => entry.worst !== undefined);
    expect(judged.map((entry) => entry.aim)).toEqual([expect.stringContaining("backend time")]);
  });
});
