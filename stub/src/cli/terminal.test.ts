// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from "vitest";
import { paintLine } from "./log_view.ts";
import { columns, hasColours } from "./terminal.ts";

const prefix = "1121 04:10:18.238346 7078 server.cc:241] ";

describe("colours", () => {
  it("follow the level of a line", () => {
    const paint = (style: string, text: string) => `${style}(${text.length})`;
    expect(paintLine(`E${prefix}`, paint)).toMatch(/^red/);
    expect(paintLine(`W${prefix}`, paint)).toMatch(/^yellow/);
    expect(paintLine(`I${prefix}`, paint)).toBe(`I${prefix}`);
  });

  it("are for terminals only, and not with NO_COLOR", () => {
    const terminal = { isTTY: true } as NodeJS.WriteStream;
    expect(hasColours(terminal, {})).toBe(true);
    expect(hasColours(terminal, { NO_COLOR: "1" })).toBe(false);
    expect(hasColours({} as NodeJS.WriteStream, {})).toBe(false);
  });

  it("stand in columns that fit the longest cell", () => {
    expect(
      columns([
        ["a", "b"],
        ["long", ""],
        ["x", "yy"],
      ]),
    ).toEqual(["a     b", "long", "x     yy"]);
  });
});
