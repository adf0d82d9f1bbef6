// SPDX-License-Identifier: Apache-2.0

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { afterEach, describe, expect, it } from "vitest";
import { cpuMicroseconds, descendants, memory, threadCount } from "./proc.ts";

let child: ChildProcess | undefined;

afterEach(async () => {
  if (!child) return;
  child.stdin?.end();
  await once(child, "close");
  child = undefined;
});

/** A shell with a `cat` below it; both end when stdin closes. The shell says when it has started. */
async function family(script: string): Promise<number> {
  child = spawn("sh", ["-c", script], { stdio: ["pipe", "pipe", "inherit"] });
  await once(child.stdout!, "data");
  return child.pid!;
}

describe("proc", () => {
  it("finds children and their children, but not the root", async () => {
    const pid = await family("(echo ready; cat; true); true");
    const below = descendants(process.pid);
    expect(below).toContain(pid);
    expect(below).not.toContain(process.pid);
    expect(descendants(pid).length).toBeGreaterThan(0);
    for (const grandchild of descendants(pid)) expect(below).toContain(grandchild);
  });

  it("reads memory and threads of a live process, and nothing of one that is gone", () => {
    const reading = memory([process.pid]);
    expect(reading.rssKib).toBeGreaterThan(1024);
    expect(reading.pssKib).toBeGreaterThan(0);
    expect(reading.pssKib).toBeLessThanOrEqual(reading.rssKib * 1.1);
    expect(threadCount([process.pid])).toBeGreaterThan(1);
    const gone = 2 ** 22 + 1;
    expect(memory([gone])).toEqual({ rssKib: 0, pssKib: 0 });
    expect(threadCount([gone])).toBe(0);
    expect(cpuMicroseconds([gone])).toBe(0);
  });

  it("counts processor time that was used", () => {
    const before = cpuMicroseconds([process.pid]);
    const until = performance.now() + 100;
    while (performance.now() < until);
    expect(cpuMicroseconds([process.pid])).toBeGreaterThan(before);
  });
});
