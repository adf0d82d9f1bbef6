// SPDX-License-Identifier: Apache-2.0
import { expect, test } from "vitest";
import { type Cell, highlight, inRounds, over, perRound, SHOWN_ROUNDS, series, turnOf } from "./grid.ts";
import type { LoadSample } from "./load.ts";
import { rounds } from "./testing.ts";

test("all take part in each round, and another one begins", () => {
  expect([0, 1, 2, 3].map((round) => turnOf(["a", "b", "c"], round).join(""))).toEqual(["abc", "bca", "cab", "abc"]);
  expect(turnOf([], 1)).toEqual([]);
});

test("who is not judged takes part in the first rounds only, so that samples of one number are of one round", () => {
  const judged = (name: string) => name !== "b";
  expect(turnOf(["a", "b", "c"], SHOWN_ROUNDS - 1, judged).toSorted()).toEqual(["a", "b", "c"]);
  expect(turnOf(["a", "b", "c"], SHOWN_ROUNDS, judged)).toEqual(["c", "a"]);
});

test("each round visits each cell, and each cell its contestants in turn", async () => {
  const cells: Cell<number>[] = ["1", "2"].map((label) => ({ label, samples: {} }));
  let clock = 0;
  await inRounds(
    { rounds: 2, say: () => {} },
    {
      cells,
      contestants: ({ label }, round) =>
        label === "2" && round > 0 ? [{ title: "b" }] : [{ title: "a" }, { title: "b" }],
      measure: () => Promise.resolve(clock++),
      tell: String,
    },
  );
  expect(cells.map(({ samples }) => samples)).toEqual([
    { a: [0, 5], b: [1, 4] },
    { a: [2], b: [3, 6] },
  ]);
});

const cell: Cell<LoadSample> = {
  label: "here",
  samples: { ours: rounds("throughput", 110, 240, 999), theirs: rounds("throughput", 100, 200) },
};

test("ratios are taken within the rounds that both were in", () => {
  expect(over(cell, "ours", "theirs", "throughput")).toEqual([1.1, 1.2]);
  expect(series(cell, "ours", "throughput")).toEqual([110, 240, 999]);
  expect(perRound(cell, ["ours", "theirs"], (a, b) => a!.throughput - b!.throughput)).toEqual([10, 40]);
});

test("there is nothing where a side was not measured", () => {
  expect(over(cell, "ours", "nobody", "throughput")).toEqual([]);
  expect(series(undefined, "ours", "throughput")).toEqual([]);
  expect(highlight("speed", cell, "ours", "nobody", "throughput")).toEqual([]);
});

test("a highlight is the median of the ratios, not the ratio of the medians", () => {
  const [row] = highlight("speed", cell, "ours", "theirs", "throughput");
  expect(row).toEqual({ what: "speed", python: 150, typescript: 240, ratio: expect.closeTo(1.15) });
});
