// SPDX-License-Identifier: Apache-2.0

import { expect, test } from "vitest";
import { SHOWN_ROUNDS, turnOf } from "./turn.ts";

test("all take part in each round, and another one begins", () => {
  expect([0, 1, 2, 3].map((round) => turnOf(["a", "b", "c"], round).join(""))).toEqual(["abc", "bca", "cab", "abc"]);
  expect(turnOf([], 1)).toEqual([]);
});

test("who is not judged takes part in the first rounds only, so that samples of one number are of one round", () => {
  const judged = (name: string) => name !== "b";
  expect(turnOf(["a", "b", "c"], SHOWN_ROUNDS - 1, judged).toSorted()).toEqual(["a", "b", "c"]);
  expect(turnOf(["a", "b", "c"], SHOWN_ROUNDS, judged)).toEqual(["c", "a"]);
});
