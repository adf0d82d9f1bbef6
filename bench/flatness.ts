// SPDX-License-Identifier: Apache-2.0
// Memory over many requests: what server and stub gain while they answer. About two minutes.

import { table } from "./markdown.ts";
import { mebibytes } from "./numbers.ts";
import type { Part, PartContext } from "./part.ts";
import { drive } from "./perf_analyzer.ts";
import { memory } from "./proc.ts";
import type { Server } from "./server.ts";
import { JUDGED, SUBJECTS, type Subject, type SubjectName } from "./subjects.ts";
import { verdict } from "./verdict.ts";

export interface FlatnessFigures {
  subject: SubjectName;
  /** Requests before the first reading, and between two readings. */
  step: number;
  /** Resident memory of server and stub, in KiB, after each step. */
  serverKib: number[];
  stubKib: number[];
}

const STEPS = 5;
const LOAD = { bytes: 64 << 10, concurrency: 8 };
/** What server and stub may gain between the first reading and the last and still be called flat. */
const GROWTH_MIB = 8;

/** What server and stub together have gained between the first reading and the last. */
export function growthKib(result: FlatnessFigures): number {
  const at = (i: number) => (result.serverKib.at(i) ?? 0) + (result.stubKib.at(i) ?? 0);
  return at(-1) - at(0);
}

/** Sends all requests to one subject, after a fifth of that as a warm-up, and watches the memory. */
async function watch(context: PartContext, server: Server, subject: Subject): Promise<FlatnessFigures> {
  const step = Math.ceil(context.requests / STEPS);
  await server.load(subject.name);
  const result: FlatnessFigures = { subject: subject.name, step, serverKib: [], stubKib: [] };
  for (let i = 0; i <= STEPS; i++) {
    await drive(context.bench, server, { model: subject.name, ...LOAD, requests: step });
    result.serverKib.push(memory([server.pid]).rssKib);
    result.stubKib.push(memory(server.children()).rssKib);
  }
  const gained = (growthKib(result) / 1024).toFixed(1);
  context.say(`${subject.title}: ${step * STEPS} requests changed the memory by ${gained} MiB`);
  return result;
}

function flatnessTable(entries: readonly FlatnessFigures[]): string {
  const rows = entries.map((entry) => [
    SUBJECTS[entry.subject].title,
    ...entry.serverKib.map((kib, i) => `${mebibytes(kib)} + ${mebibytes(entry.stubKib[i] ?? 0)}`),
    mebibytes(growthKib(entry)),
  ]);
  const readings = entries[0]?.serverKib.map((_, i) => `after ${(i + 1) * entries[0]!.step}`) ?? [];
  return table(["server + stub, MiB", ...readings, "gained"], rows);
}

export const flatness: Part<FlatnessFigures[]> = {
  name: "flatness",
  about: "memory of server and stub over many requests",

  /** One server for each backend, so that none inherits another's memory. */
  async measure(context) {
    const all: FlatnessFigures[] = [];
    for (const subject of context.subjects) {
      all.push(await context.withServer((server) => watch(context, server, subject)));
    }
    return all;
  },

  sections: (entries) => [
    {
      heading: "Memory over many requests",
      text: "Resident memory of the server and of the stub while requests of 64 KiB come in at concurrency 8. The first reading is\ntaken after a warm-up, and what is gained counts from there.",
      body: flatnessTable(entries),
    },
  ],

  verdicts: (entries) =>
    verdict(
      `memory flat over the requests: at most ${GROWTH_MIB} MiB gained`,
      entries
        .filter((entry) => JUDGED.includes(entry.subject))
        .map((entry) => ({ value: growthKib(entry) / 1024, place: SUBJECTS[entry.subject].title })),
      { atMost: GROWTH_MIB, unit: " MiB" },
    ),
};
