// SPDX-License-Identifier: Apache-2.0
import { expect, test } from "vitest";
import { type StartFigures, type StartSample, start } from "./start.ts";

const sample = (readyMs: number, pssMib: number, rssMib: number, reloadMs = 100): StartSample => ({
  readyMs,
  pssMib,
  rssMib,
  processes: 20,
  reloadMs,
});

const python: StartFigures = {
  title: "python_backend",
  backend: "python",
  samples: [sample(1000, 400, 800, 1500), sample(2000, 400, 800, 1500), sample(1000, 400, 800, 1500)],
};
const entry = (title: string, ...samples: StartSample[]): StartFigures => ({ title, backend: "typescript", samples });

const verdictsOn = (...entries: StartFigures[]) => start.verdicts([python, ...entries]);

test("the slowest of ours is judged, as the median of shares within a round", () => {
  const fast = entry("again", sample(100, 100, 100), sample(100, 100, 100), sample(100, 100, 100));
  // 0.5, 1.5 and 1.2: as shares of medians it would be 1.2, too, but not as shares of the first round.
  const slow = entry("first", sample(500, 100, 100), sample(3000, 100, 100), sample(1200, 100, 100));
  expect(verdictsOn(fast, slow)[0]).toMatchObject({ met: false, worst: "1.2 of its time (first)" });
  expect(verdictsOn(fast)[0]).toMatchObject({ met: true, worst: "0.1 of its time (again)" });
});

test("memory is judged by the proportional figure, and the resident one is shown beside it", () => {
  const shared = entry("first", sample(1, 300, 1120));
  expect(verdictsOn(shared, entry("again", sample(1, 200, 80)))[1]).toEqual({
    aim: expect.stringContaining("proportional memory"),
    met: true,
    worst: "0.75 of its memory (first); resident: 1.4 of its",
  });
  expect(verdictsOn(entry("first", sample(1, 500, 100)))[1]).toMatchObject({ met: false });
});

test("a reload is judged by its time", () => {
  expect(verdictsOn(entry("a", sample(1, 1, 1, 300)))[2]).toMatchObject({ met: true, worst: "300 ms (a)" });
  expect(verdictsOn(entry("a", sample(1, 1, 1, 301)))[2]).toMatchObject({ met: false });
});

test("without python_backend nothing is compared with it", () => {
  expect(start.verdicts([entry("a", sample(1, 1, 1))]).map(({ worst }) => worst)).toEqual([
    undefined,
    undefined,
    "100 ms (a)",
  ]);
});

test("the table has both ratios", () => {
  const row = start
    .sections([python, entry("a", sample(1, 300, 1120))])[0]!
    .body.split("\n")
    .at(-1);
  expect(row).toMatch(/\| 0.75 \| 1.4 \|$/);
});
