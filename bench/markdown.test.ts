// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { table } from "./markdown.ts";

describe("a table", () => {
  it("aligns all columns but the first to the right", () => {
    expect(table(["a", "b"], [["1", "2"]])).toBe("| a | b |\n| --- | ---: |\n| 1 | 2 |");
  });

  it("aligns text to the left when told so", () => {
    expect(table(["a", "b"], [], "left")).toBe("| a | b |\n| --- | --- |");
  });
});
