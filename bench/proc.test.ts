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

/** A shell with a `cat` below it; both end when stdin closes. What comes back through the cat says that it runs. */
async function family(): Promise<number> {
  child = spawn("sh", ["-c", "cat; true"], { stdio: ["pipe", "pipe", "inherit"] });
  child.stdin!.write("ready");
  await once(child.stdout!, "data");
  return child.pid!;
}

describe("proc", () => {
  it("finds children and their children, but not the root", async () => {
    const shell = await family();
    const cat = descendants(shell);
    expect(cat).toHaveLength(1);
    const below = descendants(process.pid);
    expect(below).toContain(shell);
    expect(below).toContain(cat[0]);
    expect(below).not.toContain(process.pid);
  });

  it("reads memory and threads of a live process, and nothing of one that is gone", () => {
    const reading = memory([process.pid]);
    expect(reading.rssKib).toBeGreaterThan(1024);
    expect(reading.pssKib).toBeGreaterThan(0);
    expect(threadCount([process.pid])).toBeGreaterThan(1);
    const gone = 2 ** 22 + 1;
    expect(memory([gone])).toEqual({ rssKib: 0, pssKib: 0 });
    expect(threadCount([gone])).toBe(0);
    expect(cpuMicroseconds([gone])).toBe(0);
  });

  it("counts processor time that was used", () => {
    const before = cpuMicroseconds([process.pid]);
    const used = process.cpuUsage();
    while (process.cpuUsage(used).user < 100_000);
    expect(cpuMicroseconds([process.pid])).toBeGreaterThan(before);
  });
});
