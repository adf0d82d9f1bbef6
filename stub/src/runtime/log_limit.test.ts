// SPDX-License-Identifier: Apache-2.0
import { expect, test } from "vitest";
import { LogLimit } from "./log_limit.ts";

test("some at once, then one each second, which says how many were left out", () => {
  let now = 0;
  const limit = new LogLimit(() => now);
  const takes = (count: number) => Array.from({ length: count }, () => limit.take());
  expect(takes(103)).toEqual([...new Array(100).fill(0), undefined, undefined, undefined]);
  now += 999;
  expect(takes(1)).toEqual([undefined]);
  now += 1;
  expect(takes(2)).toEqual([4, undefined]);
  now += 3600_000;
  expect(takes(101)).toEqual([1, ...new Array(99).fill(0), undefined]);
});
