// SPDX-License-Identifier: Apache-2.0
// The identity cells: every subject in turn, in every cell, in every round. About seven minutes.

import { checkAnswers } from "./answers.ts";
import { charts } from "./chart.ts";
import { identityVerdicts } from "./identity_aims.ts";
import { type Cell, type IdentityFigures, label, type Sample } from "./identity_cells.ts";
import { identitySections } from "./identity_sections.ts";
import { measureLoad } from "./measured_load.ts";
import { figure } from "./numbers.ts";
import type { Part, PartContext } from "./part.ts";
import type { Server } from "./server.ts";
import { checkSharedAnswers } from "./shared_answers.ts";
import { JUDGED, type Subject } from "./subjects.ts";
import { turnOf } from "./turn.ts";

/** Sizes that are also measured with the tensors inside the messages. */
const IN_MESSAGES: readonly string[] = ["64KiB", "1MiB"];

/** The references decide with those that the aims speak of. */
const isJudged = ({ name }: Subject) => JUDGED.includes(name) || name === "floor" || name === "python";

async function measure(context: PartContext, server: Server, subject: Subject, cell: Cell): Promise<Sample> {
  const { throughput, p50Us, p99Us, backendUs, cpuUs } = await measureLoad(context.bench, server, {
    model: subject.name,
    bytes: cell.size.bytes,
    concurrency: cell.concurrency,
    memory: cell.memory,
    windowMs: context.windowMs,
  });
  return { throughput, p50Us, p99Us, backendUs, cpuUs };
}

function emptyCells({ sizes, concurrencies }: PartContext): Cell[] {
  const inMessages = sizes.filter((size) => IN_MESSAGES.includes(size.label));
  const cells = (memory: Cell["memory"], of: PartContext["sizes"]): Cell[] =>
    of.flatMap((size) => concurrencies.map((concurrency) => ({ size, concurrency, memory, samples: {} })));
  return [...cells("shared", sizes), ...cells("message", inMessages)];
}

/** Loads the subjects, checks their answers, and measures all cells round by round. */
async function run(context: PartContext, server: Server): Promise<IdentityFigures> {
  const { subjects, sizes, rounds, say } = context;
  for (const subject of subjects) {
    await server.load(subject.name);
    for (const size of sizes) {
      await checkAnswers(server, subject.name, size.bytes);
      await checkSharedAnswers(server, subject.name, size.bytes);
    }
  }
  say(`answers of ${subjects.length} backends checked at ${sizes.map((size) => size.label).join(", ")}`);

  const cells = emptyCells(context);
  for (let round = 0; round < rounds; round++) {
    for (const cell of cells) {
      for (const subject of turnOf(subjects, round, isJudged)) {
        const sample = await measure(context, server, subject, cell);
        const samples = cell.samples[subject.name] ?? [];
        cell.samples[subject.name] = samples;
        samples.push(sample);
        say(
          `round ${round + 1}/${rounds}  ${label(cell).padStart(22)}  ${subject.title.padEnd(26)}` +
            ` backend ${figure(sample.backendUs)} us, ${figure(sample.throughput)}/s`,
        );
      }
    }
  }
  return { subjects: subjects.map((subject) => subject.name), cells };
}

export const identity: Part<IdentityFigures> = {
  name: "identity",
  about: "what a request costs, by size and concurrency",
  measure: (context) => context.withServer((server) => run(context, server)),
  sections: identitySections,
  verdicts: (figures) => identityVerdicts(figures.cells),
  pictures: charts,
};
