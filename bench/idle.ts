// SPDX-License-Identifier: Apache-2.0
// What loaded models do while nobody asks them anything. About a minute.

import { setTimeout as sleep } from "node:timers/promises";
import { type Activity, activityBetween, readThreads } from "./activity.ts";
import { checkAnswers } from "./answers.ts";
import { table } from "./markdown.ts";
import { figure } from "./numbers.ts";
import type { Part, PartContext } from "./part.ts";
import type { Server } from "./server.ts";
import { SUBJECTS, type Subject, type SubjectName } from "./subjects.ts";
import { verdict } from "./verdict.ts";

export interface IdleFigures {
  subject: SubjectName;
  seconds: number;
  /** The instance's own processes. */
  stubs: Activity;
  /** The threads that the server has gained with the model, Triton's own for the instance among them. */
  serverThreads: Activity;
}

/**
 * After a load and a first request something is compiled, kept on disk and freed for a while. A stub that has had nothing to
 * do for ten seconds collects what it no longer needs: that is over by then, too, and not in the figures.
 */
const SETTLE_MS = 20_000;
/** Long enough for what comes seldom: V8's look at its heap every eight seconds begins half a minute after a load. */
const WATCH_MS = 30_000;

/** What belongs to one loaded subject. */
interface Loaded {
  subject: SubjectName;
  stubs: readonly number[];
  /** Threads that the server has gained with it. */
  serverThreads: ReadonlySet<string>;
}

async function loadAll(server: Server, subjects: readonly Subject[]): Promise<Loaded[]> {
  const all: Loaded[] = [];
  let children = server.children();
  let threads = readThreads([server.pid]);
  for (const { name, source } of subjects) {
    await server.load(name);
    await checkAnswers(server, name, 64);
    const stubs = server.children().filter((pid) => !children.includes(pid));
    if (source !== undefined && stubs.length === 0) throw new Error(`The model ${name} has no process to be watched.`);
    const now = readThreads([server.pid]);
    const serverThreads = new Set([...now.keys()].filter((place) => !threads.has(place)));
    all.push({ subject: name, stubs, serverThreads });
    children = [...children, ...stubs];
    threads = now;
  }
  return all;
}

async function watch(context: PartContext, server: Server): Promise<IdleFigures[]> {
  const loaded = await loadAll(server, context.subjects);
  await sleep(context.quick ? 500 : SETTLE_MS);

  const reading = () => ({
    stubs: loaded.map((entry) => readThreads(entry.stubs)),
    server: readThreads([server.pid]),
  });
  const began = performance.now();
  const before = reading();
  await sleep(context.quick ? 2000 : WATCH_MS);
  const after = reading();
  const seconds = (performance.now() - began) / 1000;
  return loaded.map(({ subject, serverThreads }, i) => ({
    subject,
    seconds,
    stubs: activityBetween(before.stubs[i]!, after.stubs[i]!),
    serverThreads: activityBetween(
      before.server,
      new Map([...after.server].filter(([place]) => serverThreads.has(place))),
    ),
  }));
}

/** Microseconds of processor time in each second, stub and server together. */
function perSecond(entry: IdleFigures): number {
  return (entry.stubs.cpuUs + entry.serverThreads.cpuUs) / entry.seconds;
}

function idleTable(entries: readonly IdleFigures[]): string {
  const rows = entries.map((entry) => [
    SUBJECTS[entry.subject].title,
    figure(entry.stubs.cpuUs / entry.seconds),
    String(entry.stubs.switches),
    figure(entry.serverThreads.cpuUs / entry.seconds),
    String(entry.serverThreads.switches),
  ]);
  const head = ["", "stub, us/s", "its switches", "threads in the server, us/s", "their switches"];
  return table(head, rows);
}

export const idle: Part<IdleFigures[]> = {
  name: "idle",
  about: "what loaded models do while nobody asks them anything",

  measure: (context) => context.withServer((server) => watch(context, server)),

  sections: (entries) => [
    {
      heading: "Idle instances",
      text: `One loaded instance of each backend, after one small request and a pause of ${SETTLE_MS / 1000} s, long enough for the one collection that
a stub makes after ten idle seconds to be over, over ${WATCH_MS / 1000} seconds without requests:
microseconds of processor time in each second, and how often a thread gave up its processor in all of that time. Threads in
the server are those that it has gained with the model, Triton's own for the instance among them.`,
      body: idleTable(entries),
    },
  ],

  verdicts: (entries) => [
    verdict(
      "an idle instance uses no processor time",
      entries
        .filter((entry) => SUBJECTS[entry.subject].backend === "typescript")
        .map((entry) => ({ value: perSecond(entry), place: SUBJECTS[entry.subject].title })),
      { atMost: 0, unit: " us in each second" },
    ),
  ],
};
