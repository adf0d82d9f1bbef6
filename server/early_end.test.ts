// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from "vitest";
import { explainEarlyEnd, type ServerEnd } from "./early_end.ts";
import { LastErrors } from "./server_log.ts";

function explained(end: ServerEnd, ...lines: string[]) {
  const errors = new LastErrors();
  for (const line of lines) errors.take(line);
  return explainEarlyEnd(end, errors, [], "above");
}

describe("explainEarlyEnd", () => {
  it("names a library that the system lacks", () => {
    const line = "tritonserver: error while loading shared libraries: libb64.so.0d: cannot open shared object file";
    expect(explained({ code: 127, signal: null }, line).message).toContain("libb64.so.0d");
  });
  it("says what the server says about an argument that it refuses, behind its help or before it", () => {
    const help = [
      "Usage: tritonserver [options]",
      "  --help",
      "\tPrint usage",
      "",
      "Memory/Device Management:",
      "  --x <integer>",
    ];
    const refused = (before: string[], after: string[]) =>
      explained({ code: 1, signal: null }, ...before, ...help, ...after, "");
    expect(refused([], ['Bad option: "--log-verbose".', "Invalid option value. Got x"])).toMatchObject({
      code: "ARGUMENT",
      message: 'The Triton server refuses an argument: Bad option: "--log-verbose". Invalid option value. Got x.',
    });
    expect(refused(["/opt/tritonserver: unrecognized option '--nonsense'"], []).message).toBe(
      "The Triton server refuses an argument: unrecognized option '--nonsense'.",
    );
    expect(refused([], ["Error: Use of '--load-model' requires '--model-control-mode=explicit'."]).message).toBe(
      "The Triton server refuses an argument: Use of '--load-model' requires '--model-control-mode=explicit'.",
    );
  });
  it("has a sentence when the server said nothing", () => {
    expect(explained({ code: null, signal: "SIGSEGV" }).message).toBe(
      "The Triton server was ended by SIGSEGV before it was ready. Its log is above.",
    );
  });
});
