// SPDX-License-Identifier: Apache-2.0
// The results as a page. The text of docs/performance.md is written by hand; in each section whose figures are known, all
// from its first table on is written here.

import type { Highlight } from "./grid.ts";
import { columns, table } from "./markdown.ts";
import { figure } from "./numbers.ts";
import type { Reading, Results } from "./results.ts";
import type { Verdict } from "./verdict.ts";

export const worst = (entry: Verdict): string => entry.worst ?? "not measured";

export const resultOf = (entry: Verdict, quick: boolean): string =>
  quick ? "not judged" : entry.met ? "met" : "missed";

/** How many aims are met, in one sentence; of a quick run nobody says so. */
export function summary(verdicts: readonly Verdict[], quick = false): string {
  const missed = verdicts.filter((entry) => !entry.met).length;
  if (verdicts.length === 0) return "This run measured nothing that an aim is set for.";
  if (quick) return "A quick run is not judged.";
  return missed === 0 ? "All aims are met." : `${missed} of ${verdicts.length} aims are missed.`;
}

const highlightsTable = (highlights: readonly Highlight[]) =>
  columns(highlights, [
    ["medians", ({ what }) => what],
    ["Python", ({ python }) => figure(python)],
    ["TypeScript", ({ typescript }) => figure(typescript)],
    ["TypeScript / Python", ({ ratio }) => figure(ratio)],
  ]);

export function verdictsTable(verdicts: readonly Verdict[], quick = false): string {
  const emphasised = (result: string) => (result === "missed" ? `**${result}**` : result);
  const rows = verdicts.map((entry) => [entry.aim, emphasised(resultOf(entry, quick)), worst(entry)]);
  return table(["aim", "result", "worst median"], rows, "left");
}

/** `template` is docs/performance.md as it is. Only a run of everything may stand there without saying what it is. */
export function page(template: string, { complete, quick, conditions, figures }: Results, reading: Reading): string {
  const { verdicts, highlights, pictures } = reading;
  const judged = summary(verdicts, quick);
  const images = pictures.map(({ alt, file }) => `![${alt}](images/${file})`);
  const known = new Map([
    ["Performance", [highlightsTable(highlights), judged, ...images].join("\n\n")],
    ["Aims", `${verdictsTable(verdicts, quick)}\n\n${judged}`],
    ["How it is measured", table(["condition", "value"], Object.entries(conditions), "left")],
    ...Object.entries(reading.sections),
  ]);
  const sections = template.split(/^(?=##? )/m).flatMap((section) => {
    const heading = /^##? (.*)/.exec(section)?.[1] ?? "";
    const tables = known.get(heading);
    known.delete(heading);
    if (tables === undefined) return complete ? [section.trimEnd()] : [];
    return [`${section.split(/^\|/m, 1)[0]!.trimEnd()}\n\n${tables}`];
  });
  if (known.size > 0) throw new Error(`The page has no section for ${[...known.keys()].join(", ")}.`);
  if (complete) return `${sections.join("\n\n")}\n`;
  const part = `# Performance of ${Object.keys(figures).join(", ")}\n\nThis is not a run of everything, but ${conditions["command"]}: it does not speak for the project.`;
  return `${sections.join("\n\n").replace(/^# .*/, part)}\n`;
}
