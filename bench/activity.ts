// SPDX-License-Identifier: Apache-2.0
// What threads do: time on a processor and switches, exact to the nanosecond where processes' own times are in ticks.

import { readdirSync, readFileSync } from "node:fs";

export interface Activity {
  /** Time on a processor, microseconds. */
  cpuUs: number;
  /** How often a thread gave its processor up, or was taken off it. */
  switches: number;
}

/** One reading of many threads, by their place in /proc. */
export type ThreadReading = ReadonlyMap<string, Activity>;

function readThread(place: string): Activity | undefined {
  try {
    const nanoseconds = Number(readFileSync(`${place}/schedstat`, "utf8").split(" ")[0]);
    const switches = [
      ...readFileSync(`${place}/status`, "utf8").matchAll(/^(?:non)?voluntary_ctxt_switches:\s+(\d+)/gm),
    ];
    return { cpuUs: nanoseconds / 1000, switches: switches.reduce((sum, match) => sum + Number(match[1]), 0) };
  } catch {
    // It ended between the listing and the reading.
    return undefined;
  }
}

/** All threads of the processes. */
export function readThreads(pids: readonly number[]): ThreadReading {
  const reading = new Map<string, Activity>();
  for (const pid of pids) {
    let threads: string[] = [];
    try {
      threads = readdirSync(`/proc/${pid}/task`);
    } catch {
      // It ended before it could be listed.
    }
    for (const thread of threads) {
      const place = `/proc/${pid}/task/${thread}`;
      const activity = readThread(place);
      if (activity) reading.set(place, activity);
    }
  }
  return reading;
}

/** What happened between two readings in the threads of the second one; a thread that is new began at zero. */
export function activityBetween(before: ThreadReading, after: ThreadReading): Activity {
  const sum: Activity = { cpuUs: 0, switches: 0 };
  for (const [place, now] of after) {
    const then = before.get(place);
    sum.cpuUs += now.cpuUs - (then?.cpuUs ?? 0);
    sum.switches += now.switches - (then?.switches ?? 0);
  }
  return sum;
}
