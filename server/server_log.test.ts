// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from "vitest";
import { LastErrors, LineSplitter, LogFilter, levelOf, textOf } from "./server_log.ts";

const prefix = "1121 04:10:18.238346 7078 server.cc:241] ";

function filtered(lines: string[]): string[] {
  const filter = new LogFilter();
  return [...lines.flatMap((line) => filter.take(line)), ...filter.flush()];
}

describe("LogFilter", () => {
  it("leaves out the lines of a machine without a GPU and the tables", () => {
    const shown = [`I${prefix}"Started HTTPService at 127.0.0.1:8000"`, `E${prefix}"failed to load"`];
    expect(
      filtered([
        `W${prefix}"Unable to allocate pinned system memory, pinned memory pool will not be available"`,
        `I${prefix}"CUDA memory pool disabled"`,
        `E${prefix}"CudaDriverHelper has not been initialized."`,
        `I${prefix}`,
        "+-------+------+",
        "| Model | Path |",
        "+-------+------+",
        "",
        "Error: Failed to initialize NVML",
        `W${prefix}"DCGM unable to start: DCGM initialization error"`,
        `E${prefix}"unable to create stream for ocr: CUDA driver version is insufficient for CUDA runtime version"`,
        ...shown,
      ]),
    ).toEqual(shown);
  });

  it("keeps an empty log line that announces no table, and what looks like a table without one", () => {
    const lines = [`I${prefix}`, "a model's own text", "+- not a table", `I${prefix}`];
    expect(filtered(lines)).toEqual(lines);
  });

  it("leaves out the help that the server prints after a wrong argument", () => {
    expect(filtered(["unrecognized option '--x'", "Usage: tritonserver [options]", "  --help"])).toEqual([
      "unrecognized option '--x'",
    ]);
  });
});

describe("LastErrors", () => {
  it("keeps errors without the harmless ones, and the sentence before the help", () => {
    const errors = new LastErrors();
    for (const line of [`E${prefix}"CudaDriverHelper has not been initialized."`, `E${prefix}"bad model"`])
      errors.take(line);
    errors.take("/x/tritonserver: unrecognized option '--x'");
    errors.take("Usage: tritonserver [options]");
    expect(errors.lines.map(textOf)).toEqual(["bad model", "unrecognized option '--x'"]);
  });
});

describe("LineSplitter", () => {
  it("joins pieces, also in the middle of a character", () => {
    const splitter = new LineSplitter();
    const bytes = new TextEncoder().encode("eins\nzwölf\nrest");
    const lines = [...splitter.push(bytes.subarray(0, 8)), ...splitter.push(bytes.subarray(8))];
    expect([...lines, ...splitter.end(), ...splitter.end()]).toEqual(["eins", "zwölf", "rest"]);
  });
});

describe("levelOf", () => {
  it("reads the letter that a line begins with", () => {
    expect(levelOf(`I${prefix}x`)).toBe("info");
    expect(levelOf("text")).toBe("other");
  });
});
