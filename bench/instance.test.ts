// SPDX-License-Identifier: Apache-2.0
import { expect, test } from "vitest";
import { type InstanceFigures, instance } from "./instance.ts";
import { spread } from "./numbers.ts";

const figures = (rssKib: number, loadMs: number[] = [50], subject: InstanceFigures["subject"] = "typescript") => ({
  subject,
  loadMs: spread(loadMs),
  idle: { rssKib, pssKib: 1 },
  processes: 1,
  threads: 8,
  serverThreads: 2,
});

const verdictsOn = (...entries: InstanceFigures[]) => instance.verdicts(entries);

test("memory is judged in megabytes, of which 60 are 58593.75 KiB", () => {
  expect(verdictsOn(figures(58_593))[0]).toMatchObject({ met: true, worst: "60 MB (typescript)" });
  expect(verdictsOn(figures(58_594))[0]).toMatchObject({ met: false });
  expect(verdictsOn(figures(50_000))[0]).toMatchObject({ worst: "51.2 MB (typescript)" });
});

test("a process that is gone meets nothing", () => {
  expect(verdictsOn(figures(0))[0]).toMatchObject({ met: false, worst: "- MB (typescript)" });
});

test("the time to load is judged by its median", () => {
  expect(verdictsOn(figures(1, [900, 1000, 5000]))[1]).toMatchObject({ met: true, worst: "1000 ms (typescript)" });
  expect(verdictsOn(figures(1, [900, 1001, 1002]))[1]).toMatchObject({ met: false });
});

test("others than ours are shown and not judged", () => {
  const python = figures(90_000, [1300], "python");
  expect(verdictsOn(python, figures(50_000)).map(({ met }) => met)).toEqual([true, true]);
  expect(instance.sections([python])[0]!.body).toContain("| python_backend | 1300 | 87.9 |");
});
