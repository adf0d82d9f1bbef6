// SPDX-License-Identifier: Apache-2.0
// What an instance costs before and between requests: time to load, memory and threads when idle. Under a minute.

import { setTimeout as sleep } from "node:timers/promises";
import { checkAnswers } from "./answers.ts";
import { withEmptyCache } from "./empty_cache.ts";
import { IDLE_MB, megabytes } from "./idle_memory.ts";
import { table } from "./markdown.ts";
import { mebibytes, type Spread, spread, withSpread } from "./numbers.ts";
import type { Part, PartContext } from "./part.ts";
import { type MemoryReading, memory, threadCount } from "./proc.ts";
import type { Server } from "./server.ts";
import { JUDGED, SUBJECTS, type Subject, type SubjectName } from "./subjects.ts";
import { verdict } from "./verdict.ts";

export interface InstanceFigures {
  subject: SubjectName;
  /** Milliseconds from the load call to a ready model. */
  loadMs: Spread;
  /** The instance's own processes, one second after one small request. */
  idle: MemoryReading;
  processes: number;
  /** Threads of those processes, and those that the server has gained. */
  threads: number;
  serverThreads: number;
}

const LOAD_MS = 1000;

/**
 * Loads a subject on a fresh server: once to look at it, then once a round for the time that it takes. The first load finds
 * nothing that an earlier one has compiled: whether one has must not decide what an instance holds.
 */
async function look(context: PartContext, server: Server, subject: Subject): Promise<InstanceFigures> {
  const threadsBefore = threadCount([server.pid]);
  await server.load(subject.name);
  await checkAnswers(server, subject.name, 64);
  await sleep(1000);
  const pids = server.children();
  const looked = {
    idle: memory(pids),
    processes: pids.length,
    threads: threadCount(pids),
    serverThreads: threadCount([server.pid]) - threadsBefore,
  };
  await server.unload(subject.name);

  const times: number[] = [];
  for (let i = 0; i < context.rounds; i++) {
    times.push(await server.load(subject.name));
    await server.unload(subject.name);
  }
  const loadMs = spread(times);
  const resident = (looked.idle.rssKib / 1024).toFixed(1);
  context.say(`${subject.title}: loads in ${loadMs.median.toFixed(0)} ms, ${resident} MiB resident when idle`);
  return { subject: subject.name, loadMs, ...looked };
}

function instanceTable(entries: readonly InstanceFigures[]): string {
  const rows = entries.map((entry) => [
    SUBJECTS[entry.subject].title,
    withSpread(entry.loadMs),
    mebibytes(entry.idle.rssKib),
    mebibytes(entry.idle.pssKib),
    String(entry.processes),
    String(entry.threads),
    String(entry.serverThreads),
  ]);
  const head = [
    "",
    "load, ms",
    "resident, MiB",
    "proportional, MiB",
    "processes",
    "their threads",
    "threads in the server",
  ];
  return table(head, rows);
}

export const instance: Part<InstanceFigures[]> = {
  name: "instance",
  about: "time to load, and memory and threads of an idle instance",

  /** One server for each backend, so that none inherits another's memory or threads. */
  async measure(context) {
    const all: InstanceFigures[] = [];
    for (const subject of context.subjects) {
      const sample = await withEmptyCache((env) =>
        context.withServer((server) => look(context, server, subject), { env }),
      );
      all.push(sample);
    }
    return all;
  },

  sections: (entries) => [
    {
      heading: "An instance",
      text: 'Time from the load call to a ready model, and what its processes hold one second after one small request. The\nproportional figure divides shared pages among the processes that map them, the benchmark\'s own Node among them. Memory\nis that of a first load, which finds nothing that an earlier one has compiled; the time is that of later loads. What an\ninstance holds when it rests after work stands under "Memory over many requests".',
      body: instanceTable(entries),
    },
  ],

  verdicts(entries) {
    const judged = entries.filter((entry) => JUDGED.includes(entry.subject));
    const place = (entry: InstanceFigures) => SUBJECTS[entry.subject].title;
    return [
      verdict(
        `a new idle instance at most ${IDLE_MB} MB resident`,
        judged.map((entry) => ({ value: megabytes(entry.idle.rssKib), place: place(entry) })),
        { atMost: IDLE_MB, unit: " MB" },
      ),
      verdict(
        `a model loads in at most ${LOAD_MS / 1000} s`,
        judged.map((entry) => ({ value: entry.loadMs.median, place: place(entry) })),
        { atMost: LOAD_MS, unit: " ms" },
      ),
    ];
  },
};
