// SPDX-License-Identifier: Apache-2.0
// Memory over many requests: what server and stub gain while they answer, and what stays when they rest. Under three minutes.

import { setTimeout as sleep } from "node:timers/promises";
import { IDLE_MB, megabytes } from "./idle_memory.ts";
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
  /** The same once more after a rest, of those that are held against an aim and of what they are compared with. */
  rested?: { serverKib: number; stubKib: number };
}

const STEPS = 5;
const LOAD = { bytes: 64 << 10, concurrency: 8 };
/** What server and stub may gain between the first reading and the last and still be called flat. */
const GROWTH_MIB = 8;

/** Ten seconds after the last batch a stub lets its memory be collected; this is long enough for that to be over. */
const REST_MS = 25_000;
const RESTED: readonly SubjectName[] = [...JUDGED, "python"];

/** What server and stub together have gained between the first reading and the last; no number if either has gone. */
export function growthKib({ serverKib, stubKib }: FlatnessFigures): number {
  const gained = (readings: readonly number[]) => {
    const [first = 0, last = 0] = [readings.at(0), readings.at(-1)];
    return first > 0 === last > 0 ? last - first : Number.NaN;
  };
  return gained(serverKib) + gained(stubKib);
}

/** Sends all requests to one subject, after a fifth of that as a warm-up, and watches the memory. */
async function watch(context: PartContext, server: Server, subject: Subject): Promise<FlatnessFigures> {
  const step = Math.ceil(context.requests / STEPS);
  await server.load(subject.name);
  const result: FlatnessFigures = { subject: subject.name, step, serverKib: [], stubKib: [] };
  const read = () => ({ serverKib: memory([server.pid]).rssKib, stubKib: memory(server.children()).rssKib });
  for (let i = 0; i <= STEPS; i++) {
    await drive(context.bench, server, { model: subject.name, ...LOAD, requests: step });
    const { serverKib, stubKib } = read();
    result.serverKib.push(serverKib);
    result.stubKib.push(stubKib);
  }
  if (RESTED.includes(subject.name)) {
    await sleep(context.quick ? 500 : REST_MS);
    result.rested = read();
  }
  const gained = (growthKib(result) / 1024).toFixed(1);
  context.say(`${subject.title}: ${step * STEPS} requests changed the memory by ${gained} MiB`);
  return result;
}

function flatnessTable(entries: readonly FlatnessFigures[]): string {
  const both = (serverKib: number, stubKib: number) => `${mebibytes(serverKib)} + ${mebibytes(stubKib)}`;
  const rows = entries.map((entry) => [
    SUBJECTS[entry.subject].title,
    ...entry.serverKib.map((kib, i) => both(kib, entry.stubKib[i] ?? 0)),
    mebibytes(growthKib(entry)),
    entry.rested ? both(entry.rested.serverKib, entry.rested.stubKib) : "-",
  ]);
  const readings = entries[0]?.serverKib.map((_, i) => `after ${(i + 1) * entries[0]!.step}`) ?? [];
  return table(["server + stub, MiB", ...readings, "gained", `${REST_MS / 1000} s later`], rows);
}

const TEXT = `Resident memory of the server and of the stub while requests of 64 KiB come in at concurrency 8. The first reading is
taken after a warm-up, and what is gained counts from there. The last one is taken ${REST_MS / 1000} s after the last request: a stub that
has had nothing to do for ten seconds collects what it no longer needs. An instance that rests after work is held against the same
${IDLE_MB} MB (${mebibytes((IDLE_MB * 1e6) / 1024)} MiB) as a new one.`;

export const flatness: Part<FlatnessFigures[]> = {
  name: "flatness",
  about: "memory of server and stub over many requests, and after them",

  /** One server for each backend, so that none inherits another's memory. */
  async measure(context) {
    const all: FlatnessFigures[] = [];
    for (const subject of context.subjects) {
      all.push(await context.withServer((server) => watch(context, server, subject)));
    }
    return all;
  },

  sections: (entries) => [{ heading: "Memory over many requests", text: TEXT, body: flatnessTable(entries) }],

  verdicts(entries) {
    const judged = entries.filter((entry) => JUDGED.includes(entry.subject));
    const place = (entry: FlatnessFigures) => SUBJECTS[entry.subject].title;
    return [
      verdict(
        `memory flat over the requests: at most ${GROWTH_MIB} MiB gained`,
        judged.map((entry) => ({ value: growthKib(entry) / 1024, place: place(entry) })),
        { atMost: GROWTH_MIB, unit: " MiB" },
      ),
      verdict(
        `an instance that is idle after these requests at most ${IDLE_MB} MB resident, as a new one`,
        judged.flatMap((entry) =>
          entry.rested ? [{ value: megabytes(entry.rested.stubKib), place: place(entry) }] : [],
        ),
        { atMost: IDLE_MB, unit: " MB" },
      ),
    ];
  },
};
