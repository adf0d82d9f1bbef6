// SPDX-License-Identifier: Apache-2.0
import { expect, test } from "vitest";
import { type StartSample, start } from "./start.ts";

type Values = Partial<StartSample>;

const samples = (values: Values[]): StartSample[] =>
  values.map((one) => ({ readyMs: 1, pssMib: 1, rssMib: 1, reloadMs: 100, processes: 20, ...one }));

const PYTHON: Values[] = [1000, 2000, 1000].map((readyMs) => ({ readyMs, pssMib: 400, rssMib: 800, reloadMs: 1500 }));

const cell = (first: Values[], later?: Values[], python = PYTHON) => ({
  label: "start",
  samples: {
    ...(python.length > 0 ? { python_backend: samples(python) } : {}),
    "typescript, first start": samples(first),
    ...(later ? { "typescript, started before": samples(later) } : {}),
  },
});
const verdictsOn = (...given: Parameters<typeof cell>) => start.verdicts(cell(...given));

test("the slowest of ours is judged, as the median of shares within a round", () => {
  // 0.5, 1.5 and 1.2: as shares of medians it would be 1.2, too, but not as shares of the first round.
  const slow = [{ readyMs: 500 }, { readyMs: 3000 }, { readyMs: 1200 }];
  const fast = [{ readyMs: 100 }, { readyMs: 100 }, { readyMs: 100 }];
  const missed = { met: false, worst: "1.2 of its time (typescript, first start)" };
  expect(verdictsOn(slow, fast)[0]).toMatchObject(missed);
  expect(verdictsOn(fast)[0]).toMatchObject({ met: true, worst: "0.1 of its time (typescript, first start)" });
});

test("memory is judged by the proportional figure, and the resident one is shown beside it", () => {
  expect(verdictsOn([{ pssMib: 300, rssMib: 1120 }], [{ pssMib: 200, rssMib: 80 }])[1]).toEqual({
    aim: expect.stringContaining("proportional memory"),
    met: true,
    worst: "0.75 of its memory (typescript, first start); resident: 1.4 of its",
  });
  expect(verdictsOn([{ pssMib: 500, rssMib: 100 }])[1]).toMatchObject({ met: false });
});

test("a reload is judged by its time", () => {
  const worst = "300 ms (typescript, first start)";
  expect(verdictsOn([{ reloadMs: 300 }])[2]).toMatchObject({ met: true, worst });
  expect(verdictsOn([{ reloadMs: 301 }])[2]).toMatchObject({ met: false });
});

test("without python_backend nothing is compared with it", () => {
  const worst = verdictsOn([{}], undefined, []).map((entry) => entry.worst);
  expect(worst).toEqual([undefined, undefined, "100 ms (typescript, first start)"]);
});

test("the table has both ratios", () => {
  const { Start: body } = start.sections(cell([{ pssMib: 300, rssMib: 1120 }]));
  expect(body!.split("\n").at(-1)).toMatch(/\| 0.75 \| 1.4 \|$/);
});
