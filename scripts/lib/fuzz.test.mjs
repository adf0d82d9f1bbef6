// SPDX-License-Identifier: Apache-2.0
import { expect, it } from "vitest";
import { countsOf, findClang, fuzzPlan, fuzzTargets } from "./fuzz.mjs";

const known = ["json", "reader", "ring", "walk"];

it("knows the targets by their files", () => {
  expect(fuzzTargets()).toEqual(expect.arrayContaining(["json", "reader", "response_record", "ring", "stub_channel"]));
});

it.each([
  [["10"], known, 300],
  [[], known, 30],
  [["0.5", "ring"], ["ring"], 30],
  [["1", "ring", "json"], ["ring", "json"], 60],
])("shares the minutes %j among the targets on two cores", (args, targets, secondsEach) => {
  expect(fuzzPlan(args, known, 2)).toEqual({ targets, secondsEach });
});

it.each([
  [["ring"], "'ring' is no time."],
  [["-1"], "'-1' is no time."],
  [["1", "rings"], "There is no fuzz target rings. Targets: json, reader, ring, walk."],
])("says what is wrong with %j", (args, message) => {
  expect(() => fuzzPlan(args, known, 2)).toThrow(message);
});

it("reads what libFuzzer counts", () => {
  const log =
    "#9\tDONE   cov: 136 ft: 724 corp: 80/5411b\nstat::number_of_executed_units: 9\nstat::new_units_added: 3\n";
  expect(countsOf(log)).toEqual({ inputs: 9, added: 3, reached: 136 });
});

it("finds no clang where there is none, or one without libFuzzer", () => {
  expect(findClang({ PATH: "" })).toBeUndefined();
  expect(findClang({ PATH: process.env.PATH, CLANG: "false" })).toBeUndefined();
});
