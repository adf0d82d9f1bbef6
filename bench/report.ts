// SPDX-License-Identifier: Apache-2.0
// The results as a page: docs/performance.md.

import type { Conditions } from "./conditions.ts";
import { table } from "./markdown.ts";
import { figure } from "./numbers.ts";
import type { Section, Verdict } from "./part.ts";
import type { Reading, Results } from "./results.ts";
import { SHOWN_ROUNDS } from "./turn.ts";

function conditionsTable(c: Conditions, rounds: number, windowMs: number): string {
  return table(
    ["condition", "value"],
    [
      ["date", c.date],
      ["command", `\`${c.command}\``],
      ["processor", `${c.cpu}, ${c.cores} cores; client, server and stubs share them`],
      ["memory", `${c.memoryGib} GiB`],
      ["system", `${c.distribution}, Linux ${c.kernel}`],
      ["load before the run", figure(c.loadAverage)],
      ["server", `${c.triton}, no GPU`],
      ["this package", `${c.package}, commit ${c.commit}, stubs on Node ${c.node}`],
      ["python_backend", `of the same server, Python ${c.python}, numpy ${c.numpy}`],
      [
        "rounds",
        `${rounds} (at most ${SHOWN_ROUNDS} for what stands beside the aims and decides none; idle and memory: one reading), each measurement of \`perf_analyzer\` three windows of ${windowMs} ms`,
      ],
    ],
    "left",
  );
}

export const worst = (entry: Verdict): string => entry.worst ?? "not measured";

const emphasised = (result: string): string => (result === "missed" ? `**${result}**` : result);

export const resultOf = (entry: Verdict, quick: boolean): string =>
  quick ? "not judged" : entry.met ? "met" : "missed";

export function verdictsTable(verdicts: readonly Verdict[], quick = false): string {
  if (verdicts.length === 0) return "This run measured nothing that an aim is set for.";
  const rows = verdicts.map((entry) => [entry.aim, emphasised(resultOf(entry, quick)), worst(entry)]);
  const missed = verdicts.filter((entry) => !entry.met).length;
  const summary = quick
    ? "A quick run is not judged."
    : missed === 0
      ? "All aims are met."
      : `${missed} of ${verdicts.length} aims are missed.`;
  return `${table(["aim", "result", "worst median"], rows, "left")}\n\n${summary}`;
}

const HOW = `Everything is measured in one run, on a real server. In each round every contestant is measured in turn, a few
seconds apart, and another one begins in each round, so that a disturbance of the machine meets all alike. Before anything
is timed, the answers of all contestants are checked.

Figures are medians over the rounds, with the lowest and the highest round in brackets. Ratios are taken within a round
first.`;

const REPEATING = `The command makes all it needs below \`build/bench\`. It wants an otherwise idle machine.

\`\`\`sh
npm run bench                          # everything, about half an hour; rewrites this page
npm run bench -- identity --only 64B   # one part, one size
npm run bench -- --help                # the parts and the options
npm run bench -- --quick               # says whether it works, not how fast
\`\`\``;

function section({ heading, text, body }: Section): string {
  return [`## ${heading}`, text, body].filter((block) => block !== "").join("\n\n");
}

/** Title and origin. Only a run of everything may stand there without saying what it is. */
function opening({ complete, conditions, figures }: Results): string[] {
  const origin = "This page is written by `npm run bench`; do not edit it by hand.";
  if (complete) return ["# Performance", origin];
  const part = `This is not a run of everything, but \`${conditions.command}\`: it does not speak for the project.`;
  return [`# Performance of ${Object.keys(figures).join(", ")}`, part, origin];
}

/** The whole page: `notes` are added as they are. */
export function page(results: Results, reading: Reading, notes = ""): string {
  const aims = "The aims of the project against the worst figure of this run.";
  const blocks = [
    ...opening(results),
    section({ heading: "Result", text: aims, body: verdictsTable(reading.verdicts, results.quick) }),
    ...reading.pictures.map((picture) => `![${picture.alt}](images/${picture.file})`),
    section({
      heading: "How it is measured",
      text: HOW,
      body: conditionsTable(results.conditions, results.rounds, results.windowMs),
    }),
    ...reading.sections.map(section),
    notes.trim(),
    section({ heading: "Repeating it", text: REPEATING, body: "" }),
  ];
  return `${blocks.filter((block) => block !== "").join("\n\n")}\n`;
}
