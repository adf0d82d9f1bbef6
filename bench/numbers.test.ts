// SPDX-License-Identifier: Apache-2.0
import { expect, test } from "vitest";
import { columns, table } from "./markdown.ts";
import { figure, spread, withSpread } from "./numbers.ts";

test("the median is the middle of an odd and the mean of the two middles of an even count", () => {
  expect(spread([30, 10, 20])).toEqual({ median: 20, min: 10, max: 30 });
  expect(spread([4, 1, 3, 2])).toEqual({ median: 2.5, min: 1, max: 4 });
});

test("there is no median where one value is none (it might be the worst), nor without any value", () => {
  for (const values of [[3, Number.NaN, 1, 2], []]) {
    expect(spread(values)).toEqual({ median: Number.NaN, min: Number.NaN, max: Number.NaN });
    expect(withSpread(values)).toBe("-");
  }
});

test("figures have three significant digits, and a dash for what has no value", () => {
  expect([0.12345, 12.345, 1234.5, Number.NaN].map(figure)).toEqual(["0.123", "12.3", "1235", "-"]);
  expect([Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY].map(figure)).toEqual(["∞", "-∞"]);
  expect([withSpread([2, 1, 3]), withSpread([2])]).toEqual(["2 (1-3)", "2"]);
});

test("a table aligns all columns but the first to the right, or text to the left when told so", () => {
  expect(table(["a", "b"], [["1", "2"]])).toBe("| a | b |\n| --- | ---: |\n| 1 | 2 |");
  expect(table(["a", "b"], [], "left")).toBe("| a | b |\n| --- | --- |");
  const upper = (text: string) => text.toUpperCase();
  expect(
    columns(
      ["x"],
      [
        ["a", String],
        ["b", upper],
      ],
    ),
  ).toBe("| a | b |\n| --- | ---: |\n| x | X |");
});
