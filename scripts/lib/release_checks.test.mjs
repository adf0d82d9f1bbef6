// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import { readElf } from "./elf.mjs";
import { releaseProblems } from "./release_checks.mjs";
import { newerVersion } from "./versions.mjs";

describe("what is wrong with a part of a release", () => {
  // The running Node: a real program, which needs more than a part may.
  let bytes;
  let processor;
  const glibcOf = () => readElf(bytes).versions.filter((version) => version.startsWith("GLIBC_"));
  const check = (more) => releaseProblems("the part", bytes, { processor, glibc: "99.9", places: [], ...more });

  beforeAll(() => {
    bytes = readFileSync(process.execPath);
    processor = { x64: "x86_64", arm64: "aarch64" }[process.arch];
  });

  it("is nothing but the libraries and symbols that are not glibc's", () => {
    expect(glibcOf().length).toBeGreaterThan(3);
    const problems = check({});
    expect(problems).toContain("the part needs libstdc++.so.6, which not every system has.");
    expect(problems).toContain("the part needs symbols of GLIBCXX_3.4, which are none of glibc's.");
    expect(problems.join("\n")).not.toMatch(/libc\.so\.6|GLIBC_|processors|path/);
  });

  it("is each version of a symbol that is newer than the oldest glibc", () => {
    const newest = glibcOf().reduce((a, b) => (newerVersion(a.slice(6), b.slice(6)) ? a : b));
    const oldest = glibcOf().reduce((a, b) => (newerVersion(a.slice(6), b.slice(6)) ? b : a));
    const told = `the part needs symbols of ${newest}, but is to run where glibc is ${oldest.slice(6)}.`;
    const problems = check({ glibc: oldest.slice(6) });
    expect(problems).toContain(told);
    expect(problems.join("\n")).not.toContain(`symbols of ${oldest},`);
    expect(check({ glibc: newest.slice(6) })).toEqual(check({}));
  });

  it("is another processor", () => {
    const other = processor === "aarch64" ? "x86_64" : "aarch64";
    expect(check({ processor: other })).toContain(`the part is for ${processor} processors, not for ${other}.`);
  });

  it("is a path of the machine that made it", () => {
    const place = bytes.toString("latin1", 0x1000, 0x1040);
    expect(check({ places: [Buffer.from(place, "latin1"), "/nowhere/at/all/1"] })).toHaveLength(check({}).length + 1);
  });

  it("is that it is no library", () => {
    expect(() => releaseProblems("the part", Buffer.from("!<arch>\n".repeat(20)), {})).toThrow("no library for 64-bit");
    expect(() => readElf(Buffer.alloc(3))).toThrow("no library for 64-bit");
  });
});

it("versions are compared number by number", () => {
  expect(newerVersion("2.31", "2.4")).toBe(true);
  expect(newerVersion("2.4", "2.31")).toBe(false);
  expect(newerVersion("2.2.5", "2.2")).toBe(true);
  expect(newerVersion("2.31", "2.31")).toBe(false);
  expect(newerVersion("3", "2.31")).toBe(true);
});
