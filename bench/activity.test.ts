// SPDX-License-Identifier: Apache-2.0

import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { activityBetween, readThreads, type ThreadReading } from "./activity.ts";

const reading = (entries: Record<string, [cpuUs: number, switches: number]>): ThreadReading =>
  new Map(Object.entries(entries).map(([place, [cpuUs, switches]]) => [place, { cpuUs, switches }]));

describe("the activity of threads", () => {
  it("grows with time on a processor and with pauses", async () => {
    const before = readThreads([process.pid]);
    const used = process.cpuUsage();
    while (process.cpuUsage(used).user < 50_000);
    await sleep(20);
    const activity = activityBetween(before, readThreads([process.pid]));
    expect(activity.cpuUs).toBeGreaterThan(40_000);
    expect(activity.switches).toBeGreaterThan(0);
  });

  it("is empty for a process that is gone", () => {
    expect(readThreads([2 ** 22 + 1]).size).toBe(0);
  });

  it("counts threads that began in between from zero, and leaves out those that ended", () => {
    const before = reading({ a: [10, 1], ended: [500, 50] });
    const after = reading({ a: [15, 3], b: [7, 4] });
    expect(activityBetween(before, after)).toEqual({ cpuUs: 12, switches: 6 });
  });
});
