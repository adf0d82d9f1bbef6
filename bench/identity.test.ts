// SPDX-License-Identifier: Apache-2.0
import { expect, test } from "vitest";
import { charts } from "./chart.ts";
import { identity, identityVerdicts } from "./identity.ts";
import { aboveFloor, type IdentityCell } from "./identity_cells.ts";
import { FLOOR, OURS, PYTHON } from "./models.ts";
import { rounds } from "./testing.ts";

type Values = Partial<Record<"backendUs" | "throughput" | "cpuUs", number>>;

const sample = (values: Values) => [{ ...rounds("cpuUs", 5)[0]!, ...values }];

/** python_backend takes 100 us above the floor and 0.3 of its throughput, unless told otherwise. */
function cell(label: string, ours: Values, python: Values = {}): IdentityCell {
  const [, size, concurrency, messages] = /^(\d+) x (\d)(, in messages)?$/.exec(label)!;
  const samples = {
    [FLOOR]: sample({ backendUs: 10, throughput: 100 }),
    [PYTHON]: sample({ backendUs: 110, throughput: 30, ...python }),
    [OURS]: sample(ours),
  };
  const memory = messages ? "message" : "shared";
  return { label, bytes: Number(size), concurrency: Number(concurrency), memory, samples };
}

test("backend time above the floor is taken within a round, of every round", () => {
  const ratios = (floor: number[], python: number[], ours: number[]) => {
    const of = (values: number[]) => rounds("backendUs", ...values);
    const samples = { [FLOOR]: of(floor), [PYTHON]: of(python), [OURS]: of(ours) };
    return aboveFloor({ ...cell("64 x 1", {}), samples }, OURS);
  };
  // (30 - 10) / (110 - 10) and (80 - 20) / (220 - 20)
  expect(ratios([10, 20], [110, 220], [30, 80])).toEqual([0.2, 0.3]);
  // also of one in which the reference is no slower than the floor
  const endless = Number.POSITIVE_INFINITY;
  expect(ratios([10, 10, 10], [110, 10, 9], [20, 12, 12])).toEqual([0.1, endless, endless]);
  expect(ratios([10], [9], [10])).toEqual([0]);
  expect(aboveFloor(cell("64 x 1", {}), "nobody")).toEqual([]);
});

const time = (backendUs: number) => ({ backendUs });
const speed = (throughput: number) => ({ throughput });

test.each<[aim: number, label: string, limit: Values, beyond: Values, worst: string, python?: Values]>([
  [0, "64 x 1", time(35), time(36), "0.26"],
  [1, "65537 x 8", time(45), time(46), "0.36"],
  [2, "65536 x 8, in messages", time(35), time(36), "0.26"],
  [3, "65537 x 1, in messages", time(45), time(46), "0.36"],
  [4, "64 x 1", time(10), time(10.1), "1.01"],
  [4, "65537 x 8", time(10), time(10.1), "1.01"],
  [5, "64 x 8", speed(80), speed(79), "0.79"],
  [6, "65537 x 8", speed(60), speed(59), "0.59"],
  [7, "64 x 8", speed(60), speed(59), "1.97"],
  [8, "64 x 1, in messages", { cpuUs: 5 }, { cpuUs: 5.5 }, "1.1"],
  [8, "65537 x 8", { cpuUs: 5 }, { cpuUs: 5.5 }, "1.1"],
  // python_backend is no slower than the floor, and ours is
  [0, "64 x 1", time(10), time(12), "∞", time(9)],
])("aim %i is met at %s with %j, and missed with %j", (aim, label, limit, beyond, worst, python) => {
  expect(identityVerdicts([cell(label, limit, python)])[aim]).toMatchObject({ met: true });
  const missed = { met: false, worst: `${worst} (${label}, typescript)` };
  expect(identityVerdicts([cell(label, limit, python), cell(label, beyond, python)])[aim]).toMatchObject(missed);
});

test("an aim speaks of its own cells only", () => {
  const judged = (label: string) =>
    identityVerdicts([cell(label, {})]).flatMap(({ worst }, aim) => (worst === undefined ? [] : [aim]));
  expect(judged("64 x 1")).toEqual([0, 4, 8]);
  expect(judged("64 x 8")).toEqual([0, 4, 5, 7, 8]);
  expect(judged("65537 x 8")).toEqual([1, 4, 6, 7, 8]);
  expect(judged("64 x 8, in messages")).toEqual([2, 8]);
  expect(judged("65537 x 8, in messages")).toEqual([3, 8]);
});

test("the tables have a column for each subject, and ratios of ours", () => {
  const tables = identity.sections({ subjects: [FLOOR, PYTHON, OURS], cells: [cell("64 x 1", time(35))] });
  expect(tables["Identity: backend time"]!.split("\n").at(-1)).toBe("| 64 x 1 | 10 | 110 | 35 | 0.25 | 3.5 |");
});

const draw = (...cells: IdentityCell[]) => charts({ subjects: [], cells });

test("the pictures show time and throughput of each cell, and name who is in them", () => {
  const pictures = draw(cell("64 x 8, in messages", { backendUs: 30, throughput: 75 }));
  expect(pictures.map((picture) => picture.file)).toEqual(["performance.svg", "performance_throughput.svg"]);
  const [times, throughput] = pictures.map((picture) => picture.svg);
  for (const text of [">64 x 8, in messages<", ">0.2<", ">typescript<"]) expect(times).toContain(text);
  expect(times).not.toContain("allocateOutput");
  for (const text of [">0.75<", ">0.3<"]) expect(throughput).toContain(text);
  expect(draw({ ...cell("64 x 1", {}), samples: { [OURS]: sample({}) } })).toEqual([]); // nothing to compare
});

test("the pictures cut a bar that would leave them, and keep its figure", () => {
  const svg = draw(cell("64 x 8", time(1010), time(20)))[0]!.svg;
  expect(svg).toContain(">100<");
  const widths = [...svg.matchAll(/rect x="\d+" y="\d+" width="([\d.]+)"/g)].map((match) => Number(match[1]));
  expect(Math.max(...widths)).toBeLessThan(860);
});
