// SPDX-License-Identifier: Apache-2.0
import { expect, it } from "vitest";
import { longLines } from "./c_lines.mjs";

it("tells lines of more than 120 characters, counted as characters", () => {
  const text = [`// ${"x".repeat(117)}`, `// ${"µ".repeat(117)}`, `// ${"x".repeat(118)}`, ""].join("\n");
  expect(longLines(new Map([["shared/a.def", text]]))).toEqual([
    "shared/a.def:3: a line may have 120 characters, this has 121.",
  ]);
});
