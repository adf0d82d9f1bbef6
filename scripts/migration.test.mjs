// SPDX-License-Identifier: Apache-2.0
// Every row of docs/migration.md names a test that is there, by its file and title, or says why there is none.
import { existsSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { inRoot } from "./lib/paths.mjs";

const text = readFileSync(inRoot("docs/migration.md"), "utf8");
const rows = text
  .split("\n")
  .filter((line) => line.startsWith("| "))
  .map((line) => line.split(/(?<!\\)\|/).slice(1, -1))
  .map((cells) => cells.map((cell) => cell.trim()))
  .filter(([first]) => first !== "Python" && !first.startsWith("---"));

/** `file > title` in backticks, or a file alone. */
const references = (cell) => [...cell.matchAll(/`([\w./-]+\.(?:test\.m?[jt]s|c))(?: > ([^`]+))?`/g)];

/** The strings of a file, with the place-holders of `test.each` as what matches any text. */
function titles(source) {
  const strings = [...source.matchAll(/"((?:[^"\\\n]|\\.)*)"|'([^'\n]*)'|`([^`\n]*)`/g)];
  const texts = strings.map(([, ...found]) => found.find((text) => text !== undefined));
  const patterns = texts.filter((text) => /%[sdjo]/.test(text) && text.replaceAll(/%[sdjo]/g, "").trim().length > 1);
  return {
    texts: new Set(texts),
    patterns: patterns.map(
      (text) =>
        new RegExp(
          `^${text
            .split(/%[sdjo]/)
            .map(RegExp.escape)
            .join(".+")}$`,
        ),
    ),
  };
}

/** Whether a file has a test of this title: the string of a call or of a table of cases, or in C a function. */
function hasTest(file, title) {
  const source = readFileSync(inRoot(file), "utf8");
  if (file.endsWith(".c")) return new RegExp(`^static .*\\b${title}\\(`, "m").test(source);
  const { texts, patterns } = titles(source);
  return title.split(" > ").every((part) => {
    // A table of cases may have its titles as keys.
    const isKey = /^\w+$/.test(part) && new RegExp(`^\\s*${part}: `, "m").test(source);
    return texts.has(part) || isKey || patterns.some((pattern) => pattern.test(part));
  });
}

const named = [...new Set(references(text).map(([whole]) => whole))];

describe("docs/migration.md", () => {
  it.each(named)("%s is there", (whole) => {
    const [[, file, title]] = references(whole);
    expect(existsSync(inRoot(file))).toBe(true);
    if (title !== undefined) expect(hasTest(file, title)).toBe(true);
  });

  it.each(rows)("the row of %s has a test, or says why not", (_python, _typescript, shown) => {
    expect(references(shown).length > 0 || shown.startsWith("not tested: ")).toBe(true);
  });

  it("finds no test that is not there", () => {
    expect(hasTest("scripts/migration.test.mjs", ["no test", "of this title"].join(" "))).toBe(false);
    expect(hasTest("test/fake-triton/test_library.c", "test_of_no_name")).toBe(false);
  });
});
