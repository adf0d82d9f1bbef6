// SPDX-License-Identifier: Apache-2.0
// Where the figures of runs are kept: those of the last complete run, and those of the last other one.

import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import path from "node:path";
import type { Results } from "./results.ts";

const COMPLETE = "results.json";
const PARTIAL = "results.partial.json";

/** Writes the figures; a file that is there is whole, whenever this process ends. Gives its name. */
export function saveResults(folder: string, results: Results): string {
  const name = results.complete ? COMPLETE : PARTIAL;
  const file = path.join(folder, name);
  mkdirSync(folder, { recursive: true });
  writeFileSync(`${file}.new`, `${JSON.stringify(results, null, 2)}\n`);
  renameSync(`${file}.new`, file);
  return name;
}

/** The figures of the last complete run, or of the last one at all. Throws when there are none, or none that can be read. */
export function lastResults(folder: string): Results {
  const file = [COMPLETE, PARTIAL].map((name) => path.join(folder, name)).find(existsSync);
  if (file === undefined) throw new Error("There are no figures yet: run the benchmark without --page first.");
  try {
    const results = JSON.parse(readFileSync(file, "utf8")) as Partial<Results>;
    if (results.figures === undefined || results.conditions === undefined) throw new Error("it holds no figures");
    return results as Results;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new Error(`${file} cannot be read: ${why}. Run the benchmark without --page, which writes it anew.`);
  }
}
