// SPDX-License-Identifier: Apache-2.0
// The identity cells: every subject in turn, in every cell, in every round. About ten minutes.

import { checkAnswers } from "./answers.ts";
import { charts } from "./chart.ts";
import { identityVerdicts } from "./identity_aims.ts";
import { type Cell, type IdentityFigures, label, type Sample } from "./identity_cells.ts";
import { identitySections } from "./identity_sections.ts";
import { figure } from "./numbers.ts";
import type { Part, PartContext } from "./part.ts";
import { drive } from "./perf_analyzer.ts";
import { cpuMicroseconds } from "./proc.ts";
import type { Server } from "./server.ts";
import { checkSharedAnswers } from "./shared_answers.ts";
import type { Subject } from "./subjects.ts";

/** Sizes that are also measured with the tensors inside the messages. */
const IN_MESSAGES: readonly string[] = ["64KiB", "1MiB"];

async function measure(context: PartContext, server: Server, subject: Subject, cell: Cell): Promise<Sample> {
  const pids = [server.pid, ...server.children()];
  const before = await server.totals(subject.name);
  const cpuBefore = cpuMicroseconds(pids);
  const client = await drive(context.bench, server, {
    model: subject.name,
    bytes: cell.size.bytes,
    concurrency: cell.concurrency,
    memory: cell.memory,
    windowMs: context.windowMs,
  });
  const cpuUs = cpuMicroseconds(pids) - cpuBefore;
  const after = await server.totals(subject.name);
  const requests = after.requests - before.requests;
  if (requests <= 0 || after.failures > before.failures) {
    throw new Error(
      `${subject.title} answered ${requests} requests and failed ${after.failures - before.failures} in the cell ${label(cell)}; a cell counts only without failures.`,
    );
  }
  return {
    ...client,
    backendUs: (after.backendNs - before.backendNs) / requests / 1000,
    cpuUs: cpuUs / requests,
  };
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
      // Another one begins in each round, so that none always follows the same neighbour.
      const turn = subjects.map((_, i) => subjects[(i + round) % subjects.length]!);
      for (const subject of turn) {
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
