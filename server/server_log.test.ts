// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from "vitest";
import { LastErrors, LineSplitter, LogFilter, plainText } from "./server_log.ts";

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

  it("leaves out the tables of a log in ISO8601, too", () => {
    expect(
      filtered(["2026-11-29T07:20:05Z I 18791 server.cc:604] ", "+----+", "| a  |", "+----+", "", "text"]),
    ).toEqual(["text"]);
  });

  it("keeps an empty log line that announces no table, and what looks like a table without one", () => {
    const lines = [`I${prefix}`, "a model's own text", "+- not a table", `I${prefix}`];
    expect(filtered(lines)).toEqual(lines);
  });

  it("leaves out the help that the server prints after a wrong argument", () => {
    const help = [
      "Usage: tritonserver [options]",
      "  --help",
      "\tPrint usage",
      "",
      "Model Repository:",
      "  --x <integer>",
    ];
    expect(filtered(["unrecognized option '--x'", ...help])).toEqual(["unrecognized option '--x'"]);
    expect(filtered([...help, 'Bad option: "--x".', "invalid argument for --x", ""])).toEqual([
      'Bad option: "--x".',
      "invalid argument for --x",
      "",
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
    expect(errors.lines.map(plainText)).toEqual(["bad model"]);
    expect(errors.complaints).toEqual(["unrecognized option '--x'"]);
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
