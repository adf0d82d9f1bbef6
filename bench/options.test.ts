// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it, vi } from "vitest";
import { parseOptions } from "./options.ts";

const parts = [
  { name: "one", about: "the first" },
  { name: "two", about: "the second" },
];

const parse = (...argv: string[]) => parseOptions(parts, argv);

describe("the command line", () => {
  it("measures everything, five rounds, unless told otherwise", () => {
    expect(parse()).toMatchObject({ parts: ["one", "two"], rounds: 5, concurrencies: [1, 8], quick: false, port: 0 });
  });

  it("calls a run of everything complete", () => {
    expect(parse().complete).toBe(true);
    expect(parse("two", "one", "--rounds", "7", "--concurrency", "8", "1", "16").complete).toBe(true);
  });

  it.each([
    ["a part is left out", ["one"]],
    ["a size is left out", ["--only", "64B", "1MiB", "16MiB"]],
    ["a concurrency is left out", ["--concurrency", "8"]],
    ["a backend is left out", ["--backends", "floor", "python", "typescript"]],
    ["there are too few rounds", ["--rounds", "4"]],
    ["windows are too short", ["--window", "299"]],
    ["there are too few requests", ["--requests", "99999"]],
    ["it is a quick one", ["--quick"]],
  ])("does not call a run complete when %s", (_, argv) => {
    expect(parse(...argv).complete).toBe(false);
  });

  it.each([
    [["one", "--page"], "--page measures nothing and so takes no parts"],
    [["one", "--only", "64B"], "--only is for identity"],
    [["one", "--requests", "5"], "--requests is for flatness"],
    [["two", "--backends", "floor"], "--backends is for identity, instance, flatness"],
  ])("refuses options that would do nothing: %s", (argv, part) => {
    const exit = vi.spyOn(process, "exit").mockImplementation((code) => {
      throw new Error(`exit ${code}`);
    });
    const write = vi.spyOn(process.stderr, "write").mockReturnValue(true);
    expect(() => parse(...argv)).toThrow("exit 1");
    expect(write.mock.calls.join("")).toContain(part);
    exit.mockRestore();
    write.mockRestore();
  });

  it("keeps the order of the backends, however they are given", () => {
    expect(parse("--backends", "typescript", "floor").subjects.map(({ name }) => name)).toEqual([
      "floor",
      "typescript",
    ]);
  });

  it("makes a quick run short, whatever else is said", () => {
    expect(parse("--quick", "--rounds", "9")).toMatchObject({ rounds: 1, windowMs: 250, requests: 5000 });
  });
});
