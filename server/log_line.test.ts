// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from "vitest";
import { parseLogLine, textIn } from "./log_line.ts";

describe("parseLogLine", () => {
  it.each([
    ['E1121 04:10:18.238346 7078 server.cc:241] "a\\nb"', "error", "a\nb"],
    ['2026-11-29T07:20:04Z E 18791 model_lifecycle.cc:642] "a\\nb"', "error", "a\nb"],
    ["W1121 04:10:18.238346 7078 server.cc:241] not a string", "warning", "not a string"],
    ['I1121 04:10:18.2 1 model:0] "an "old" server"', "info", 'an "old" server'],
    ["I1121 04:10:18.2 1 server.cc:604] ", "info", ""],
  ])("reads %s", (line, level, text) => {
    expect(parseLogLine(line)).toEqual({ level, text });
    expect(textIn(line)).toBe(text);
  });

  it("knows a line of something else, whose text may be at its end", () => {
    expect(parseLogLine("text")).toBeUndefined();
    expect(textIn("text")).toBe("text");
    expect(textIn('time=12 level=error msg="failed to load \\"x\\""')).toBe(
      'time=12 level=error msg="failed to load \\"x\\""',
    );
    expect(textIn('[error] 12:00 x.cc:1 "failed to load \\"x\\""')).toBe('failed to load "x"');
  });
});
