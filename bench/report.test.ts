// SPDX-License-Identifier: Apache-2.0
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import type { Part } from "./part.ts";
import { PARTS } from "./parts.ts";
import { page, summary, verdictsTable } from "./report.ts";
import { lastResults, type Reading, type Results, read, saveResults } from "./results.ts";
import { verdict } from "./verdict.ts";

const met = { aim: "fast", met: true, worst: "1 (here)" };
const missed = { aim: "small", met: false, worst: "2 (there)" };

describe("the table of verdicts", () => {
  test("shows a missed aim and one that nothing was measured for, and counts them", () => {
    const text = verdictsTable([met, missed, { aim: "seen", met: false }]);
    expect(text).toContain("| small | **missed** | 2 (there) |");
    expect(text).toContain("| seen | **missed** | not measured |");
    expect(summary([met, missed, { aim: "seen", met: false }])).toBe("2 of 3 aims are missed.");
  });

  test("says when all are met, and does not say so when nothing was judged", () => {
    expect(summary([met])).toBe("All aims are met.");
    expect(verdictsTable([met, missed], true)).toMatch(/not judged.*not judged/s);
    expect(summary([met, missed], true)).toBe("A quick run is not judged.");
    expect(summary([])).not.toContain("aims are met");
  });
});

const run = (values: Partial<Results> = {}): Results => ({
  ...{ complete: true, quick: false, figures: {}, verdicts: [] },
  conditions: { command: "`npm run bench`", processor: "a processor" },
  ...values,
});

describe("the page", () => {
  const template = readFileSync(path.join(import.meta.dirname, "..", "docs", "performance.md"), "utf8");
  const reading: Reading = {
    highlights: [{ what: "speed", python: 2, typescript: 5, ratio: 2.51 }],
    verdicts: [met],
    pictures: [{ file: "p.svg", alt: "a picture", svg: "" }],
    sections: { Start: "| a |\n\nBehind it." },
  };
  const full = page(template, run(), reading);

  test("begins with highlights and pictures, and has verdicts, conditions and sections behind them", () => {
    const order = [
      "| speed | 2 | 5 | 2.51 |",
      "All aims are met.",
      "![a picture](images/p.svg)",
      "| fast |",
      "a processor",
    ];
    const places = [...order, "| a |\n\nBehind it.\n\n## An instance"].map((part) => full.indexOf(part));
    expect(places).not.toContain(-1);
    expect(places).toEqual(places.toSorted((a, b) => a - b));
  });

  test("keeps what was written by hand, and is the same when it is written again", () => {
    expect(full).toContain("A server with 10 models that add and subtract");
    expect(full).toContain("| encode    |");
    expect(full).not.toContain("python_backend | 4920");
    expect(page(full, run(), reading)).toBe(full);
  });

  test("of a part has its sections only, and says what it is a page of", () => {
    const conditions = { command: "`npm run bench -- scale idle`" };
    const text = page(template, run({ complete: false, figures: { idle: [], scale: {} }, conditions }), reading);
    expect(text.match(/^#.*/gm)).toEqual([
      "# Performance of idle, scale",
      "## Aims",
      "## How it is measured",
      "## Start",
    ]);
    expect(text).toContain("not a run of everything, but `npm run bench -- scale idle`");
    expect(full).not.toContain("not a run of everything");
  });

  test("judges nothing of a quick run", () => {
    expect(page(template, run({ quick: true }), reading)).not.toContain("All aims are met.");
  });

  test("has a section for the figures of each part", () => {
    const nothing = { cells: [], subjects: [], memory: {}, versions: {}, steps: [], samples: {} };
    const figures = (name: string) =>
      ["ocr_bls", "instance", "idle", "flatness"].includes(name) ? [] : { ...nothing, pairs: nothing, many: nothing };
    const sections = Object.assign({}, ...PARTS.map((part) => part.sections(figures(part.name))));
    expect(Object.keys(sections)).toHaveLength(18);
    expect(() => page(template, run(), { ...reading, sections })).not.toThrow();
    expect(() => page(template, run(), { ...reading, sections: { New: "| a |" } })).toThrow("no section for New");
  });
});

describe("the figures of a run", () => {
  /** A part that shows its figures as they are. */
  const part = (name: string, values: Partial<Part<number>> = {}): Part<unknown> => ({
    ...{ name, about: "", measure: () => Promise.resolve(0) },
    sections: (figures: number) => ({ [name]: String(figures) }),
    verdicts: (figures: number) => [{ aim: name, met: figures > 1, worst: String(figures) }],
    ...values,
  });
  const drawn = { pictures: (figures: number) => [{ file: `${figures}.svg`, alt: "", svg: "" }] };
  const parts = [part("one", drawn), part("two"), part("three", drawn)];

  test("are read by their own parts, in the order of the parts, as far as they were measured", () => {
    const all = read(parts, { figures: { three: 3, two: 2, one: 1 }, complete: true });
    expect(Object.entries(all.sections).flat()).toEqual(["one", "1", "two", "2", "three", "3"]);
    expect(all.pictures.map((picture) => picture.file)).toEqual(["1.svg", "3.svg"]);
    expect(all.verdicts.map((entry) => entry.met)).toEqual([false, true, true]);
    const some = read(parts, { figures: { two: 2 }, complete: false });
    expect(some).toMatchObject({ sections: { two: "2" }, pictures: [], verdicts: [{ aim: "two" }] });
  });

  test("say nothing of an aim that nothing was measured for, but in a complete run it is missed", () => {
    const empty = [part("empty", { verdicts: () => [verdict("seen", [], { atMost: 1 })] })];
    expect(read(empty, { figures: { empty: 1 }, complete: false }).verdicts).toEqual([]);
    expect(read(empty, { figures: { empty: 1 }, complete: true }).verdicts).toEqual([{ aim: "seen", met: false }]);
  });

  const scratch = () => {
    const folder = mkdtempSync(path.join(os.tmpdir(), "bench-results-"));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    return folder;
  };

  test("of a complete run stay whatever is measured afterwards", () => {
    const folder = scratch();
    expect(() => lastResults(folder)).toThrow("There are no figures yet");
    for (const [complete, command, last] of [
      [false, "first", "first"],
      [true, "second", "second"],
      [false, "third", "second"],
    ] as const) {
      saveResults(folder, run({ complete, conditions: { command } }));
      expect(lastResults(folder).conditions["command"]).toBe(last);
    }
    expect(readdirSync(folder).sort()).toEqual(["results.json", "results.partial.json"]);
  });

  test.each(['{"complete": tr', "{}"])("that cannot be read are called that: %s", (text) => {
    const folder = scratch();
    writeFileSync(path.join(folder, "results.json"), text);
    expect(() => lastResults(folder)).toThrow(/results\.json cannot be read: .*\. Run the benchmark without --page/s);
  });
});
