// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { figure, spread, withSpread } from "./numbers.ts";

describe("numbers", () => {
  it("takes the middle of an odd and the mean of the two middles of an even count", () => {
    expect(spread([30, 10, 20])).toEqual({ median: 20, min: 10, max: 30 });
    expect(spread([4, 1, 3, 2])).toEqual({ median: 2.5, min: 1, max: 4 });
  });

  it("has no median where one value is none: it might be the worst", () => {
    expect(spread([3, Number.NaN, 1, 2])).toEqual({ median: Number.NaN, min: Number.NaN, max: Number.NaN });
    expect(withSpread(spread([3, Number.NaN]))).toBe("-");
  });

  it("refuses to summarise nothing", () => {
    expect(() => spread([])).toThrow("at least one value");
  });

  it("prints three significant digits, and a dash for what has no value", () => {
    expect([0.12345, 12.345, 1234.5, Number.NaN].map(figure)).toEqual(["0.123", "12.3", "1235", "-"]);
    expect([Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY].map(figure)).toEqual(["∞", "-∞"]);
    expect(withSpread(spread([2, 1, 3]))).toBe("2 (1-3)");
    expect(withSpread(spread([2]))).toBe("2");
  });
});
