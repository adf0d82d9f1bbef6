// SPDX-License-Identifier: Apache-2.0
// What a run gives: where it was taken, the figures of each part, and what these have to say. Kept on disk.

import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import path from "node:path";
import type { Conditions } from "./conditions.ts";
import type { Highlight } from "./grid.ts";
import type { Part, Picture } from "./part.ts";
import type { Verdict } from "./verdict.ts";

export interface Results {
  conditions: Conditions;
  /** Everything was measured, and often enough to speak for the project. */
  complete: boolean;
  /** One short round that shows that everything works: its figures are not judged. */
  quick: boolean;
  /** By name of the part; only those that were measured. */
  figures: Record<string, unknown>;
  verdicts: readonly Verdict[];
}

/** Everything that the parts have to say about their figures, in the order of the parts. */
export interface Reading {
  highlights: Highlight[];
  /** Tables, by the heading under which they stand. */
  sections: Record<string, string>;
  pictures: Picture[];
  verdicts: Verdict[];
}

/** In a complete run an aim that nothing was measured for is missed; in any other one it is nobody's concern. */
export function read(
  parts: readonly Part<unknown>[],
  { figures, complete }: Pick<Results, "figures" | "complete">,
): Reading {
  const all = <T>(ask: (part: Part<unknown>, figures: unknown) => readonly T[] | undefined): T[] =>
    parts.flatMap((part) => (part.name in figures ? (ask(part, figures[part.name]) ?? []) : []));
  return {
    highlights: all((part, own) => part.highlights?.(own)),
    sections: Object.assign({}, ...all((part, own) => [part.sections(own)])),
    pictures: all((part, own) => part.pictures?.(own)),
    verdicts: all((part, own) => part.verdicts(own)).filter(({ worst }) => complete || worst !== undefined),
  };
}

/** The figures of the last complete run, and those of the last other one. */
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
