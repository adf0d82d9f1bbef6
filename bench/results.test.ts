// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import type { Conditions } from "./conditions.ts";
import type { Sample } from "./identity.ts";
import { page, table } from "./report.ts";
import { type Results, verdicts } from "./results.ts";

const conditions: Conditions = {
  date: "2026-01-02",
  command: "npm run bench",
  cpu: "a processor",
  cores: 2,
  memoryGib: 8,
  kernel: "6.1",
  distribution: "a distribution",
  loadAverage: 0,
  triton: "triton 2.51.0",
  package: "triton-typescript 0.1.0",
  node: "v26.10.0",
  python: "3.11",
  numpy: "1.26.4",
};

function sample(backendUs: number, throughput: number): Sample {
  return { backendUs, throughput, cpuUs: 5, p50Us: 6, p99Us: 7 };
}

function results(oursUs: number, oursThroughput: number, growthKib: number, rssKib: number, loadMs: number): Results {
  return {
    conditions,
    rounds: 1,
    windowMs: 1000,
    subjects: ["floor", "python", "typescript"],
    identity: [
      {
        size: { label: "64B", bytes: 64 },
        concurrency: 8,
        samples: { floor: [sample(10, 900)], python: [sample(110, 100)], typescript: [sample(oursUs, oursThroughput)] },
      },
    ],
    instance: [
      {
        subject: "typescript",
        loadMs: { median: loadMs, min: loadMs, max: loadMs },
        idle: { rssKib, pssKib: rssKib },
        processes: 1,
        threads: 1,
        serverThreads: 1,
      },
    ],
    flatness: [{ subject: "typescript", step: 10, serverKib: [100, 100 + growthKib], stubKib: [50, 50] }],
  };
}

describe("verdicts", () => {
  it("meets every aim exactly at its limit", () => {
    const list = verdicts(results(60, 150, 8 * 1024, 78_125, 1000));
    expect(list.map((entry) => entry.met)).toEqual([true, true, true, true, true]);
  });

  it("misses every aim just beyond its limit, and names the place", () => {
    const list = verdicts(results(61, 149, 8 * 1024 + 1, 78_126, 1001));
    expect(list.map((entry) => entry.met)).toEqual([false, false, false, false, false]);
    expect(list[0]!.worst).toBe("0.51 (64B x 8, typescript)");
  });

  it("says nothing about what was not measured", () => {
    const { identity: _identity, ...rest } = results(60, 150, 0, 1, 1);
    expect(verdicts(rest)).toHaveLength(3);
  });
});

describe("the page", () => {
  it("shows a missed aim", () => {
    const text = page(results(111, 150, 0, 1, 1));
    expect(text).toContain("**missed**");
    expect(text).toContain("1 of 5 aims are missed.");
    expect(text).toContain("| 64B x 8 | 10 | 110 | 111 | 1.01 |");
  });

  it("does not claim an aim that nothing was measured for", () => {
    const text = page({ conditions, rounds: 1, windowMs: 1, subjects: ["floor"] });
    expect(text).toContain("measured nothing that an aim is set for");
    expect(text).not.toContain("aims are met");
  });

  it("aligns all columns of a table but the first to the right", () => {
    expect(table(["a", "b"], [["1", "2"]])).toBe("| a | b |\n| --- | ---: |\n| 1 | 2 |");
  });
});
