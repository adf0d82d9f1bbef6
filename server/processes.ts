// SPDX-License-Identifier: Apache-2.0
// What the kernel says about processes and their threads: /proc. What has ended since it was listed counts as nothing.

import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";

function orNothing<T>(look: () => T, nothing: T): T {
  try {
    return look();
  } catch {
    return nothing; // it ended between the listing and the reading
  }
}

const read = (file: string) => orNothing(() => readFileSync(file, "utf8"), "");
const tasks = (pid: number) => orNothing(() => readdirSync(`/proc/${pid}/task`), []);
const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
const field = (text: string, name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(text)?.[1] ?? 0);

/** The fields of /proc/PID/stat from the third on; the second, the name, may hold spaces and brackets. */
function statFields(pid: number): string[] {
  const text = read(`/proc/${pid}/stat`);
  return text.slice(text.lastIndexOf(")") + 2).split(" ");
}

export function childrenOf(pid: number): number[] {
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return pids.map(Number).filter((child) => Number(statFields(child)[1]) === pid);
}

/** All processes below `pid`, without it. */
export const descendants = (pid: number): number[] =>
  childrenOf(pid).flatMap((child) => [child, ...descendants(child)]);

let ticksPerSecond = 0;

/** User and system time that the processes have used so far, in microseconds (the kernel counts in ticks). */
export function cpuMicroseconds(pids: readonly number[]): number {
  ticksPerSecond ||= Number(execFileSync("getconf", ["CLK_TCK"], { encoding: "utf8" }));
  const ticks = pids.map(statFields).map((fields) => Number(fields[11] ?? 0) + Number(fields[12] ?? 0));
  return (sum(ticks) / ticksPerSecond) * 1e6;
}

export interface MemoryReading {
  /** Resident set, in KiB. */
  rssKib: number;
  /** Proportional set: shared pages divided among those who map them, in KiB. */
  pssKib: number;
}

/** Memory of the processes together. */
export function memory(pids: readonly number[]): MemoryReading {
  const total = (file: string, name: string) => sum(pids.map((pid) => field(read(`/proc/${pid}/${file}`), name)));
  return { rssKib: total("status", "VmRSS"), pssKib: total("smaps_rollup", "Pss") };
}

export const threadCount = (pids: readonly number[]): number => sum(pids.map((pid) => tasks(pid).length));

/** Exact to the nanosecond, where processes' own times are in ticks. */
export interface Activity {
  /** Time on a processor, microseconds. */
  cpuUs: number;
  /** How often a thread gave its processor up, or was taken off it. */
  switches: number;
}

/** One reading of many threads, by their place in /proc. */
export type ThreadReading = ReadonlyMap<string, Activity>;

/** All threads of the processes. */
export function readThreads(pids: readonly number[]): ThreadReading {
  const reading = new Map<string, Activity>();
  for (const place of pids.flatMap((pid) => tasks(pid).map((thread) => `/proc/${pid}/task/${thread}`))) {
    const [times, status] = [read(`${place}/schedstat`), read(`${place}/status`)];
    if (times === "" || status === "") continue;
    const switches = field(status, "voluntary_ctxt_switches") + field(status, "nonvoluntary_ctxt_switches");
    reading.set(place, { cpuUs: Number(times.split(" ")[0]) / 1000, switches });
  }
  return reading;
}

/** What happened between two readings in the threads of the second one; a thread that is new began at zero. */
export function activityBetween(before: ThreadReading, after: ThreadReading): Activity {
  const gained = (key: keyof Activity) =>
    sum([...after].map(([place, now]) => now[key] - (before.get(place)?.[key] ?? 0)));
  return { cpuUs: gained("cpuUs"), switches: gained("switches") };
}
