// SPDX-License-Identifier: Apache-2.0

import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Results } from "./results.ts";
import { lastResults, saveResults } from "./results_file.ts";

const results = (complete: boolean, rounds: number) =>
  ({ complete, rounds, conditions: {}, figures: {}, verdicts: [] }) as unknown as Results;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), "bench-results-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

describe("the figures of runs", () => {
  it("of a complete run stay whatever is measured afterwards", () => {
    saveResults(folder, results(false, 1));
    expect(lastResults(folder).rounds).toBe(1);
    saveResults(folder, results(true, 2));
    saveResults(folder, results(false, 3));
    expect(lastResults(folder).rounds).toBe(2);
    expect(readdirSync(folder).sort()).toEqual(["results.json", "results.partial.json"]);
  });

  it("are asked for where there are none", () => {
    expect(() => lastResults(folder)).toThrow("There are no figures yet");
  });

  it.each(['{"complete": tr', "{}"])("that cannot be read are called that: %s", (text) => {
    writeFileSync(path.join(folder, "results.json"), text);
    expect(() => lastResults(folder)).toThrow(/results\.json cannot be read: .*\. Run the benchmark without --page/s);
  });
});
