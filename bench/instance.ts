// SPDX-License-Identifier: Apache-2.0
// What an instance costs before and between requests: time to load, memory and threads when idle, memory over many requests.

import { setTimeout as sleep } from "node:timers/promises";
import { checkAnswers } from "./answers.ts";
import { type Spread, spread } from "./numbers.ts";
import { drive } from "./perf_analyzer.ts";
import { type MemoryReading, memory, threadCount } from "./proc.ts";
import type { Server } from "./server.ts";
import type { Workbench } from "./setup.ts";
import type { Subject, SubjectName } from "./subjects.ts";

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

export interface FlatnessFigures {
  subject: SubjectName;
  /** Requests before the first reading, and between two readings. */
  step: number;
  /** Resident memory of server and stub, in KiB, after each step. */
  serverKib: number[];
  stubKib: number[];
}

/** Loads a subject on a fresh server: once to look at it, then `loads` times for the time that it takes. */
export async function runInstance(
  server: Server,
  subject: Subject,
  loads: number,
  say: (text: string) => void,
): Promise<InstanceFigures> {
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
  for (let i = 0; i < loads; i++) {
    times.push(await server.load(subject.name));
    await server.unload(subject.name);
  }
  const loadMs = spread(times);
  const resident = (looked.idle.rssKib / 1024).toFixed(1);
  say(`${subject.title}: loads in ${loadMs.median.toFixed(0)} ms, ${resident} MiB resident when idle`);
  return { subject: subject.name, loadMs, ...looked };
}

const FLATNESS_STEPS = 5;
const FLATNESS_LOAD = { bytes: 64 << 10, concurrency: 8 };

/** Sends `requests` requests to one subject, after a fifth of that as a warm-up, and watches the memory. */
export async function runFlatness(
  bench: Workbench,
  server: Server,
  subject: Subject,
  requests: number,
  say: (text: string) => void,
): Promise<FlatnessFigures> {
  const step = Math.ceil(requests / FLATNESS_STEPS);
  await server.load(subject.name);
  const result: FlatnessFigures = { subject: subject.name, step, serverKib: [], stubKib: [] };
  for (let i = 0; i <= FLATNESS_STEPS; i++) {
    await drive(bench, server, { model: subject.name, ...FLATNESS_LOAD, requests: step });
    result.serverKib.push(memory([server.pid]).rssKib);
    result.stubKib.push(memory(server.children()).rssKib);
  }
  const gained = (growthKib(result) / 1024).toFixed(1);
  say(`${subject.title}: ${step * FLATNESS_STEPS} requests changed the memory by ${gained} MiB`);
  return result;
}

/** What server and stub together have gained between the first reading and the last. */
export function growthKib(result: FlatnessFigures): number {
  const at = (i: number) => (result.serverKib.at(i) ?? 0) + (result.stubKib.at(i) ?? 0);
  return at(-1) - at(0);
}
