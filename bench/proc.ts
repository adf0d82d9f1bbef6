// SPDX-License-Identifier: Apache-2.0
// What the kernel says about processes: /proc, read without any library.

import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";

export interface MemoryReading {
  /** Resident set, in KiB. */
  rssKib: number;
  /** Proportional set: shared pages divided among those who map them, in KiB. */
  pssKib: number;
}

let ticksPerSecond = 0;

function clockTicks(): number {
  ticksPerSecond ||= Number(execFileSync("getconf", ["CLK_TCK"], { encoding: "utf8" }));
  return ticksPerSecond;
}

/** The fields of /proc/PID/stat from the third on; the second, the name, may hold spaces and brackets. */
function statFields(pid: number): string[] | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    return text.slice(text.lastIndexOf(")") + 2).split(" ");
  } catch {
    return undefined;
  }
}

/** All processes below `root`, without it. */
export function descendants(root: number): number[] {
  const children = new Map<number, number[]>();
  for (const entry of readdirSync("/proc")) {
    const pid = Number(entry);
    const parent = Number.isInteger(pid) ? Number(statFields(pid)?.[1]) : Number.NaN;
    if (Number.isNaN(parent)) continue;
    children.set(parent, [...(children.get(parent) ?? []), pid]);
  }
  const found: number[] = [];
  const queue = [root];
  for (let pid = queue.pop(); pid !== undefined; pid = queue.pop()) {
    const below = children.get(pid) ?? [];
    found.push(...below);
    queue.push(...below);
  }
  return found;
}

/** User and system time that the processes have used so far, in microseconds (the kernel counts in ticks). */
export function cpuMicroseconds(pids: readonly number[]): number {
  let ticks = 0;
  for (const pid of pids) {
    const fields = statFields(pid);
    ticks += Number(fields?.[11] ?? 0) + Number(fields?.[12] ?? 0);
  }
  return (ticks / clockTicks()) * 1e6;
}

function field(text: string, name: string): number {
  return Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(text)?.[1] ?? 0);
}

/** Memory of the processes together; one that ended counts as zero. */
export function memory(pids: readonly number[]): MemoryReading {
  const sum: MemoryReading = { rssKib: 0, pssKib: 0 };
  for (const pid of pids) {
    try {
      sum.rssKib += field(readFileSync(`/proc/${pid}/status`, "utf8"), "VmRSS");
      sum.pssKib += field(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"), "Pss");
    } catch {
      // It ended between the listing and the reading.
    }
  }
  return sum;
}

export function threadCount(pids: readonly number[]): number {
  let count = 0;
  for (const pid of pids) {
    try {
      count += readdirSync(`/proc/${pid}/task`).length;
    } catch {
      // It ended between the listing and the reading.
    }
  }
  return count;
}
