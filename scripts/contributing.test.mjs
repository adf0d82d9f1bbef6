// SPDX-License-Identifier: Apache-2.0
// The tables of folders and files in CONTRIBUTING.md are what is there.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { fuzzTargets } from "./lib/fuzz.mjs";
import { inRoot } from "./lib/paths.mjs";

const lines = readFileSync(inRoot("CONTRIBUTING.md"), "utf8").split("\n");

/** What stands in backticks in the first column of the table with this title. */
function named(title) {
  const head = lines.findIndex((line) => line.startsWith(`| ${title} `));
  const end = lines.findIndex((line, index) => index > head && !line.startsWith("|"));
  const cells = lines.slice(head + 2, end).map((line) => line.split("|")[1]);
  return cells.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map((match) => match[1]));
}

it.each(named("folder").filter((folder) => !["dist/", "build/", "prebuilds/"].includes(folder)))(
  "there is a folder %s",
  (folder) => {
    expect(existsSync(inRoot(folder))).toBe(true);
  },
);

it.each(["backend-shim/src/", "stub/src/ipc/"])("the rooms of %s are those in the table", (folder) => {
  const sources = readdirSync(inRoot(folder)).filter((name) => /\.(c|h|ts)$/.test(name) && !/\.test\.ts$/.test(name));
  const rooms = new Set(sources.map((name) => name.replace(/\.\w+$/, "")));
  const table = named(`files of \`${folder}\``).map((name) => name.replace(/\.h$/, ""));
  expect(table.sort()).toEqual([...rooms].sort());
});

it("the fuzz targets are those in the table", () => {
  expect(named("target").sort()).toEqual(fuzzTargets());
});
