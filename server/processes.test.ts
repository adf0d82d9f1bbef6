// SPDX-License-Identifier: Apache-2.0
import { spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { activityBetween, cpuMicroseconds, descendants, memory, readThreads, threadCount } from "./processes.ts";

const GONE = 2 ** 22 + 1;

function useProcessor(us: number): void {
  const used = process.cpuUsage();
  while (process.cpuUsage(used).user < us);
}

test("children and their children are found, but not the root", async () => {
  // Both end when stdin closes. What comes back through the cat says that it runs.
  const shell = spawn("sh", ["-c", "cat; true"], { stdio: ["pipe", "pipe", "inherit"] });
  onTestFinished(() => void shell.stdin.end());
  shell.stdin.write("ready");
  await once(shell.stdout, "data");
  const [cat, ...others] = descendants(shell.pid!);
  expect(others).toEqual([]);
  expect(descendants(process.pid)).toEqual(expect.arrayContaining([shell.pid, cat]));
  expect(descendants(process.pid)).not.toContain(process.pid);
});

test("memory and threads of a live process are read, and nothing of one that is gone", () => {
  const reading = memory([process.pid]);
  expect(reading.rssKib).toBeGreaterThan(1024);
  expect(reading.pssKib).toBeGreaterThan(0);
  expect(threadCount([process.pid])).toBeGreaterThan(1);
  expect([memory([GONE]), threadCount([GONE]), cpuMicroseconds([GONE])]).toEqual([{ rssKib: 0, pssKib: 0 }, 0, 0]);
  expect(readThreads([GONE]).size).toBe(0);
});

test("processor time and pauses are counted", async () => {
  const [ticks, threads] = [cpuMicroseconds([process.pid]), readThreads([process.pid])];
  useProcessor(100_000);
  await sleep(20);
  const activity = activityBetween(threads, readThreads([process.pid]));
  expect(cpuMicroseconds([process.pid])).toBeGreaterThan(ticks);
  expect(activity.cpuUs).toBeGreaterThan(90_000);
  expect(activity.switches).toBeGreaterThan(0);
});

test("threads that began in between are counted from zero, and those that ended are left out", () => {
  const before = new Map([
    ["a", { cpuUs: 10, switches: 1 }],
    ["ended", { cpuUs: 500, switches: 50 }],
  ]);
  const after = new Map([
    ["a", { cpuUs: 15, switches: 3 }],
    ["b", { cpuUs: 7, switches: 4 }],
  ]);
  expect(activityBetween(before, after)).toEqual({ cpuUs: 12, switches: 6 });
});
