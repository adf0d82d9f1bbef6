// SPDX-License-Identifier: Apache-2.0
// The parts that watch instances which do nothing, or have done much. Only ours are judged, and all are shown.

import { expect, test } from "vitest";
import {
  type FlatnessFigures,
  flatness,
  growthKib,
  type IdleFigures,
  type InstanceFigures,
  idle,
  instance,
} from "./instance.ts";
import { OURS, PYTHON } from "./models.ts";

const MIB = 1024;

const anInstance = (rssKib: number, loadMs: number[] = [50], title = OURS): InstanceFigures => ({
  ...{ title, loadMs, rssKib, pssKib: 1, processes: 1, threads: 8, serverThreads: 2 },
});

test.each([
  ["60 MB are 58593.75 KiB", anInstance(58_593), 0, true, "60 MB"],
  ["more is missed", anInstance(58_594), 0, false, "60 MB"],
  ["memory is judged in megabytes", anInstance(50_000), 0, true, "51.2 MB"],
  ["a process that is gone meets nothing", anInstance(0), 0, false, "- MB"],
  ["the time to load is judged by the median", anInstance(1, [900, 1000, 5000]), 1, true, "1000 ms"],
  ["a longer time is missed", anInstance(1, [900, 1001, 1002]), 1, false, "1001 ms"],
])("an instance: %s", (_, figures, aim, met, worst) => {
  const python = anInstance(90_000, [1300], PYTHON);
  expect(instance.verdicts([python, figures])[aim]).toMatchObject({ met, worst: `${worst} (typescript)` });
  expect(instance.sections([python])["An instance"]).toContain("| python_backend | 1300 | 87.9 |");
});

const anIdle = (stubUs: number, serverUs: number, title = OURS): IdleFigures => ({
  ...{ title, seconds: 30 },
  stubs: { cpuUs: stubUs, switches: 2 },
  serverThreads: { cpuUs: serverUs, switches: 3 },
});

test.each([
  ["nothing at all is met", [anIdle(0, 0)], true, "0 us in each second (typescript)"],
  ["stub and server count together, in each second", [anIdle(30, 60)], false, "3 us in each second (typescript)"],
  ["threads of the server count alone, too", [anIdle(0, 3)], false, "0.1 us in each second (typescript)"],
  ["all models of ours are judged", [anIdle(0, 0), anIdle(30, 0, "typescript, x")], false, expect.any(String)],
])("idle: %s", (_, figures, met, worst) => {
  const python = anIdle(9000, 0, PYTHON);
  expect(idle.verdicts([python, ...figures])).toMatchObject([{ met, worst }]);
  expect(idle.sections([python])["Idle instances"]).toContain("| python_backend | 300 | 2 | 0 | 3 |");
});

/** Readings of server and stub such as "40+50 41+57", MiB, and what the stub holds after a rest, KiB. */
const aRun = (readings: string, rested?: number): FlatnessFigures => ({
  ...{ title: OURS, step: 10 },
  readings: readings.split(" ").map((reading) => {
    const [server, stub] = reading.split("+").map((mib) => Number(mib) * MIB);
    return { server: server!, stub: stub! };
  }),
  ...(rested === undefined ? {} : { rested: { server: 41 * MIB, stub: rested } }),
});

test.each([
  ["server and stub count together, first to last", aRun("40+50 9+99 41+57"), 0, true, "8 MiB"],
  ["more is missed", aRun("40+50 41+58"), 0, false, "9 MiB"],
  ["what is given back counts", aRun("40+58 41+50"), 0, true, "-7 MiB"],
  ["a stub that is gone has gained nothing, but is not flat", aRun("40+50 41+0"), 0, false, "- MiB"],
  ["the stub at rest is held against an idle instance", aRun("1+1", 58_593), 1, true, "60 MB"],
  ["more at rest is missed", aRun("1+1", 58_594), 1, false, "60 MB"],
  ["a stub that is gone does not rest", aRun("1+1", 0), 1, false, "- MB"],
])("flatness: %s", (_, figures, aim, met, worst) => {
  expect(flatness.verdicts([figures])[aim]).toMatchObject({ met, worst: `${worst} (typescript)` });
});

test("flatness: others than ours are shown and not judged", () => {
  const floor = { ...aRun("1+0 90+0"), title: "native C (floor)" };
  expect(growthKib(floor)).toBe(89 * MIB);
  expect(flatness.verdicts([floor]).map(({ worst }) => worst)).toEqual([undefined, undefined]);
  const tables = flatness.sections([floor, aRun("40+50 41+57", 50 * MIB)]);
  expect(tables["Memory over many requests"]!.split("\n").slice(2)).toEqual([
    "| native C (floor) | 1.0 + 0.0 | 90.0 + 0.0 | 89.0 | - |",
    "| typescript | 40.0 + 50.0 | 41.0 + 57.0 | 8.0 | 41.0 + 50.0 |",
  ]);
});
