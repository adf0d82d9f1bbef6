// SPDX-License-Identifier: Apache-2.0
import { expect, test } from "vitest";
import { finding, verdict } from "./verdict.ts";

const findings = [2, 5, 3].map((value) => ({ value, place: `at ${value}` }));
const beside = (value: number) => [...findings, { value, place: "nowhere" }];

test.each([
  ["the highest against an upper limit, which is allowed itself", findings, { atMost: 5 }, true, "5 (at 5)"],
  ["the highest beyond it", findings, { atMost: 4.99, unit: " ms" }, false, "5 ms (at 5)"],
  ["the lowest against a lower limit, which is allowed itself", findings, { atLeast: 2 }, true, "2 (at 2)"],
  ["the lowest below it", findings, { atLeast: 2.01 }, false, "2 (at 2)"],
  ["a figure that is no number, as missed", beside(Number.NaN), { atMost: 100 }, false, "- (nowhere)"],
  ["a figure without end", beside(Number.POSITIVE_INFINITY), { atMost: 100 }, false, "∞ (nowhere)"],
])("judges %s", (_, found, limit, met, worst) => {
  expect(verdict("a", found, limit)).toEqual({ aim: "a", met, worst });
});

test("what was not measured meets no aim", () => {
  expect(verdict("a", finding([], "here"), { atMost: 1 })).toEqual({ aim: "a", met: false });
  expect(finding([1, 9, 2], "here")).toEqual([{ value: 2, place: "here" }]);
});
