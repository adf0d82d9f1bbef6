// SPDX-License-Identifier: Apache-2.0
// What one instance costs: when it is new (under a minute), while nobody asks it anything (about a minute), and over many
// requests and after them (under three minutes).

import { setTimeout as sleep } from "node:timers/promises";
import {
  type Activity,
  activityBetween,
  type MemoryReading,
  memory,
  readThreads,
  type ThreadReading,
  threadCount,
} from "../server/processes.ts";
import { sendRequests } from "./load.ts";
import { type Column, columns } from "./markdown.ts";
import { checkEcho, install, isJudged, OURS, PYTHON, type Subject } from "./models.ts";
import { figure, mebibytes, median, withSpread } from "./numbers.ts";
import type { Part, PartContext } from "./part.ts";
import type { Server, ServerOptions } from "./server.ts";
import { type Finding, finding, verdict } from "./verdict.ts";

/** One server for each backend, so that none inherits another's memory or threads. */
async function eachAlone<T>(
  context: PartContext,
  look: (server: Server, subject: Subject) => Promise<T>,
  options: ServerOptions = {},
): Promise<T[]> {
  const all: T[] = [];
  for (const subject of context.subjects) {
    all.push(await context.withServer((server) => look(server, subject), options));
  }
  return all;
}

/** Loads a subject and asks it once. */
async function loadAndAsk(server: Server, subject: Subject): Promise<void> {
  install(server.bench.repository, subject);
  await server.load(subject.name);
  await checkEcho(server.client, subject, 64);
}

/** What an idle instance may hold, whether it is new or has done a day's work: megabytes, as the aim has it. */
const IDLE_MB = 60;
const LOAD_MS = 1000;

/** Nothing is no reading: a process that is gone holds nothing, and must not meet an aim by that. */
const inMegabytes = (kib: number, place: string): Finding => ({
  value: kib > 0 ? (kib * 1024) / 1e6 : Number.NaN,
  place,
});

export interface InstanceFigures extends MemoryReading {
  title: string;
  /** Milliseconds from the load call to a ready model, by round. */
  loadMs: number[];
  /** The instance's own, one second after one small request; the memory is theirs. */
  processes: number;
  threads: number;
  /** Those that the server has gained. */
  serverThreads: number;
}

/**
 * Loads a subject on a fresh server: once to look at it, then once a round for the time that it takes. The first load finds
 * nothing that an earlier one has compiled: whether one has must not decide what an instance holds.
 */
async function lookAtNew(context: PartContext, server: Server, subject: Subject): Promise<InstanceFigures> {
  const { name, title } = subject;
  const threadsBefore = threadCount([server.pid]);
  await loadAndAsk(server, subject);
  await sleep(1000);
  const pids = server.children();
  const serverThreads = threadCount([server.pid]) - threadsBefore;
  const looked = { ...memory(pids), processes: pids.length, threads: threadCount(pids), serverThreads };
  await server.unload(name);
  const loadMs: number[] = [];
  for (let i = 0; i < context.rounds; i++) {
    loadMs.push(await server.load(name));
    await server.unload(name);
  }
  const resident = mebibytes(looked.rssKib);
  context.say(`${title}: loads in ${median(loadMs).toFixed(0)} ms, ${resident} MiB resident when idle`);
  return { title, loadMs, ...looked };
}

const instanceTable = (entries: readonly InstanceFigures[]) =>
  columns(entries, [
    ["", ({ title }) => title],
    ["load, ms", ({ loadMs }) => withSpread(loadMs)],
    ["resident, MiB", ({ rssKib }) => mebibytes(rssKib)],
    ["proportional, MiB", ({ pssKib }) => mebibytes(pssKib)],
    ["processes", ({ processes }) => String(processes)],
    ["their threads", ({ threads }) => String(threads)],
    ["threads in the server", ({ serverThreads }) => String(serverThreads)],
  ]);

export const instance: Part<InstanceFigures[]> = {
  name: "instance",
  about: "time to load, and memory and threads of an idle instance",
  measure: (context) =>
    eachAlone(context, (server, subject) => lookAtNew(context, server, subject), { emptyCache: true }),
  sections: (entries) => ({ "An instance": instanceTable(entries) }),
  verdicts(entries) {
    const judged = entries.filter(isJudged);
    return [
      verdict(
        `a new idle instance at most ${IDLE_MB} MB resident`,
        judged.map(({ rssKib, title }) => inMegabytes(rssKib, title)),
        { atMost: IDLE_MB, unit: " MB" },
      ),
      verdict(
        `a model loads in at most ${LOAD_MS / 1000} s`,
        judged.flatMap(({ loadMs, title }) => finding(loadMs, title)),
        { atMost: LOAD_MS, unit: " ms" },
      ),
    ];
  },
};

export interface IdleFigures {
  title: string;
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

/** Loads a subject and gives its processes and the places of the threads that the server has gained with it. */
async function loadToWatch(server: Server, subject: Subject) {
  const [childrenBefore, threadsBefore] = [server.children(), readThreads([server.pid])];
  await loadAndAsk(server, subject);
  const stubs = server.children().filter((pid) => !childrenBefore.includes(pid));
  if (subject.source && stubs.length === 0) throw new Error(`The model ${subject.name} has no process to be watched.`);
  const gained = [...readThreads([server.pid]).keys()].filter((place) => !threadsBefore.has(place));
  return { title: subject.title, stubs, gained: new Set(gained) };
}

async function watchIdle(context: PartContext, server: Server): Promise<IdleFigures[]> {
  const loaded: Awaited<ReturnType<typeof loadToWatch>>[] = [];
  for (const subject of context.subjects) loaded.push(await loadToWatch(server, subject));
  await sleep(context.quick ? 500 : SETTLE_MS);
  const read = () => ({ stubs: loaded.map(({ stubs }) => readThreads(stubs)), server: readThreads([server.pid]) });
  const began = performance.now();
  const before = read();
  await sleep(context.quick ? 2000 : WATCH_MS);
  const after = read();
  const seconds = (performance.now() - began) / 1000;
  return loaded.map(({ title, gained }, i) => {
    const own: ThreadReading = new Map([...after.server].filter(([place]) => gained.has(place)));
    const stubs = activityBetween(before.stubs[i]!, after.stubs[i]!);
    return { title, seconds, stubs, serverThreads: activityBetween(before.server, own) };
  });
}

const idleTable = (entries: readonly IdleFigures[]) =>
  columns(entries, [
    ["", ({ title }) => title],
    ["stub, us/s", ({ stubs, seconds }) => figure(stubs.cpuUs / seconds)],
    ["its switches", ({ stubs }) => String(stubs.switches)],
    ["threads in the server, us/s", ({ serverThreads, seconds }) => figure(serverThreads.cpuUs / seconds)],
    ["their switches", ({ serverThreads }) => String(serverThreads.switches)],
  ]);

export const idle: Part<IdleFigures[]> = {
  name: "idle",
  about: "what loaded models do while nobody asks them anything",
  measure: (context) => context.withServer((server) => watchIdle(context, server)),
  sections: (entries) => ({ "Idle instances": idleTable(entries) }),
  verdicts(entries) {
    const ours = entries.filter(({ title }) => title.startsWith(OURS));
    const perSecond = ours.map(({ title, stubs, serverThreads, seconds }) => ({
      value: (stubs.cpuUs + serverThreads.cpuUs) / seconds,
      place: title,
    }));
    return [verdict("an idle instance uses no processor time", perSecond, { atMost: 0, unit: " us in each second" })];
  },
};

/** Resident memory, KiB. */
interface Held {
  server: number;
  stub: number;
}

export interface FlatnessFigures {
  title: string;
  /** Requests before the first reading, and between two readings. */
  step: number;
  readings: Held[];
  /** Once more after a rest, of those that are held against an aim and of what they are compared with. */
  rested?: Held;
}

const STEPS = 5;
const LOAD = { bytes: 64 << 10, concurrency: 8 };
/** What server and stub may gain between the first reading and the last and still be called flat. */
const GROWTH_MIB = 8;
/** Ten seconds after the last batch a stub lets its memory be collected; this is long enough for that to be over. */
const REST_MS = 25_000;

/** What server and stub together have gained between the first reading and the last; no number if either has gone. */
export function growthKib({ readings }: FlatnessFigures): number {
  const gained = (who: keyof Held) => {
    const [first, last] = [readings[0]![who], readings.at(-1)![who]];
    return first > 0 === last > 0 ? last - first : Number.NaN;
  };
  return gained("server") + gained("stub");
}

/** Sends all requests to one subject, after a fifth of that as a warm-up, and watches the memory. */
async function watchWork(context: PartContext, server: Server, subject: Subject): Promise<FlatnessFigures> {
  const step = Math.ceil(context.requests / STEPS);
  await loadAndAsk(server, subject);
  const result: FlatnessFigures = { title: subject.title, step, readings: [] };
  const read = () => ({ server: memory([server.pid]).rssKib, stub: memory(server.children()).rssKib });
  for (let i = 0; i <= STEPS; i++) {
    await sendRequests(server, subject, LOAD, step);
    result.readings.push(read());
  }
  if (isJudged(subject) || subject.title === PYTHON) {
    await sleep(context.quick ? 500 : REST_MS);
    result.rested = read();
  }
  context.say(`${subject.title}: ${step * STEPS} requests changed the memory by ${mebibytes(growthKib(result))} MiB`);
  return result;
}

function flatnessTable(entries: readonly FlatnessFigures[]): string {
  const both = (held: Held | undefined) => (held ? `${mebibytes(held.server)} + ${mebibytes(held.stub)}` : "-");
  const { readings = [], step = 0 } = entries[0] ?? {};
  return columns(entries, [
    ["server + stub, MiB", ({ title }) => title],
    ...readings.map((_, i): Column<FlatnessFigures> => [`after ${(i + 1) * step}`, (entry) => both(entry.readings[i])]),
    ["gained", (entry) => mebibytes(growthKib(entry))],
    [`${REST_MS / 1000} s later`, ({ rested }) => both(rested)],
  ]);
}

export const flatness: Part<FlatnessFigures[]> = {
  name: "flatness",
  about: "memory of server and stub over many requests, and after them",
  measure: (context) => eachAlone(context, (server, subject) => watchWork(context, server, subject)),
  sections: (entries) => ({ "Memory over many requests": flatnessTable(entries) }),
  verdicts(entries) {
    const judged = entries.filter(isJudged);
    return [
      verdict(
        `memory flat over the requests: at most ${GROWTH_MIB} MiB gained`,
        judged.map((entry) => ({ value: growthKib(entry) / 1024, place: entry.title })),
        { atMost: GROWTH_MIB, unit: " MiB" },
      ),
      verdict(
        `an instance that is idle after these requests at most ${IDLE_MB} MB resident, as a new one`,
        judged.flatMap(({ rested, title }) => (rested ? [inMegabytes(rested.stub, title)] : [])),
        { atMost: IDLE_MB, unit: " MB" },
      ),
    ];
  },
};
