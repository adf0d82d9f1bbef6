// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { verdict } from "./verdict.ts";

const findings = [
  { value: 2, place: "here" },
  { value: 5, place: "there" },
  { value: 3, place: "elsewhere" },
];

describe("a verdict", () => {
  it("judges the highest figure against an upper limit, which is allowed itself", () => {
    expect(verdict("a", findings, { atMost: 5 })).toEqual({ aim: "a", met: true, worst: "5 (there)" });
    expect(verdict("a", findings, { atMost: 4.99, unit: " ms" })).toEqual({
      aim: "a",
      met: false,
      worst: "5 ms (there)",
    });
  });

  it("judges the lowest figure against a lower limit, which is allowed itself", () => {
    expect(verdict("a", findings, { atLeast: 2 })).toEqual({ aim: "a", met: true, worst: "2 (here)" });
    expect(verdict("a", findings, { atLeast: 2.01 }).met).toBe(false);
  });

  it("misses where a figure is not a number", () => {
    const broken = [...findings, { value: Number.NaN, place: "nowhere" }];
    expect(verdict("a", broken, { atMost: 100 })).toEqual({ aim: "a", met: false, worst: "- (nowhere)" });
  });

  it("misses an upper limit where a figure has none", () => {
    const endless = [...findings, { value: Number.POSITIVE_INFINITY, place: "nowhere" }];
    expect(verdict("a", endless, { atMost: 100 })).toEqual({ aim: "a", met: false, worst: "∞ (nowhere)" });
  });

  it("is not met by what was not measured", () => {
    expect(verdict("a", [], { atMost: 1 })).toEqual({ aim: "a", met: false });
  });
});
