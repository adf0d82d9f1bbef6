// SPDX-License-Identifier: Apache-2.0
// Overlap: models that wait 10 ms for something else before they answer. Over a minute with five rounds.

import { setTimeout as sleep } from "node:timers/promises";
import { type MemoryReading, memory } from "../server/processes.ts";
import { type Cell, type Contestant, highlight, inRounds, over, perRound, series } from "./grid.ts";
import { type LoadSample, measureLoad } from "./load.ts";
import { type Column, columns } from "./markdown.ts";
import { type Model, OURS, PYTHON, withModels } from "./models.ts";
import { figure, mebibytes, withSpread } from "./numbers.ts";
import type { Part, PartContext } from "./part.ts";
import type { Server } from "./server.ts";
import { finding, verdict } from "./verdict.ts";

const CONCURRENCIES = [1, 64] as const;
const AIM = 50;
const WINDOW_MS = 500;
const QUICK_WINDOW_MS = 200;

type Waiting = Model & Contestant;

const IN_FLIGHT = { MAX_IN_FLIGHT_BATCHES: "64" };
const WAITING_PYTHON = { backend: "python", source: "wait_python" };
const WAITING = { backend: "typescript", source: "wait" };
const BATCHED = { maxBatchSize: 64, dynamicBatching: true };

const JUDGED = `${OURS}, 64 batches in flight`;

/** The first two are compared in the aim, at 64 clients. */
const CONTESTANTS: readonly Waiting[] = [
  { ...WAITING, title: JUDGED, name: "wait_typescript", parameters: IN_FLIGHT },
  { ...WAITING_PYTHON, title: PYTHON, name: "wait_python" },
  { ...WAITING, title: `${OURS}, one batch in flight (its default)`, name: "wait_typescript_one" },
  {
    ...{ ...WAITING, ...BATCHED, name: "wait_typescript_batched", parameters: IN_FLIGHT },
    title: `${JUDGED}, dynamic batching`,
  },
  { ...WAITING_PYTHON, ...BATCHED, title: `${PYTHON}, dynamic batching`, name: "wait_python_batched" },
  {
    ...{ backend: "python", source: "wait_python_decoupled", name: "wait_python_decoupled", decoupled: true },
    title: `${PYTHON}, decoupled, over a stream`,
  },
];

interface OverlapCell extends Cell<LoadSample> {
  concurrency: number;
}

export interface OverlapFigures {
  cells: OverlapCell[];
  /** By title: the instance's processes after the load. */
  memory: Record<string, MemoryReading>;
}

/** Loads the model anew: its processes are those that come with it. */
async function processesOf(server: Server, { name }: Model): Promise<number[]> {
  await server.unload(name);
  const before = server.children();
  await server.load(name);
  return server.children().filter((pid) => !before.includes(pid));
}

async function measure(context: PartContext, server: Server): Promise<OverlapFigures> {
  const contestants = CONTESTANTS.filter(({ backend }) => context.subjects.some((one) => one.backend === backend));
  const windowMs = context.quick ? QUICK_WINDOW_MS : WINDOW_MS;
  const cells = CONCURRENCIES.map(
    (concurrency): OverlapCell => ({ label: `overlap x ${concurrency}`, concurrency, samples: {} }),
  );
  return withModels(server, contestants, async () => {
    const processes = new Map<string, number[]>();
    for (const who of contestants) processes.set(who.title, await processesOf(server, who));
    context.say(`overlap: answers of ${contestants.length} models checked`);
    await inRounds(context, {
      cells,
      contestants: () => contestants,
      isJudged: ({ title }, { concurrency }) => concurrency === 64 && (title === JUDGED || title === PYTHON),
      measure: (who, { concurrency }) => measureLoad(server, who, { concurrency, windowMs }),
      tell: ({ throughput }) => `${figure(throughput)}/s`,
    });
    await sleep(1000);
    const readings = [...processes].map(([title, pids]) => [title, memory(pids)] as const);
    return { cells, memory: Object.fromEntries(readings) };
  });
}

const at = ({ cells }: OverlapFigures, clients: number) => cells.find(({ concurrency }) => concurrency === clients);

/** Throughput at 64 clients as a multiple of plain python_backend's. */
const overPython = (figures: OverlapFigures, title: string) => over(at(figures, 64), title, PYTHON, "throughput");

function body(figures: OverlapFigures): string {
  const busy = at(figures, 64);
  const all: Column<string>[] = [
    ["one instance", (title) => title],
    ...CONCURRENCIES.map(
      (n): Column<string> => [`requests/s at ${n}`, (title) => withSpread(series(at(figures, n), title, "throughput"))],
    ),
    ["times python_backend at 64", (title) => withSpread(overPython(figures, title))],
    ["median latency at 64, ms", (title) => withSpread(perRound(busy, [title], (sample) => sample!.p50Us / 1000))],
    ["CPU a request at 64, us", (title) => withSpread(series(busy, title, "cpuUs"))],
    [
      "resident / proportional, MiB",
      (title) => `${mebibytes(figures.memory[title]!.rssKib)} / ${mebibytes(figures.memory[title]!.pssKib)}`,
    ],
  ];
  return columns(Object.keys(figures.memory), all);
}

export const overlap: Part<OverlapFigures> = {
  name: "overlap",
  about: "models that wait for something else, many requests at once",
  measure: (context) => context.withServer((server) => measure(context, server)),
  sections: (figures) => ({ Overlap: body(figures) }),
  verdicts: (figures) => [
    verdict(
      `a model that waits 10 ms: at least ${AIM} times python_backend's throughput`,
      finding(overPython(figures, JUDGED), "64 clients"),
      { atLeast: AIM },
    ),
  ],
  highlights: (figures) =>
    highlight("a model that waits 10 ms, 64 clients: requests/s", at(figures, 64), JUDGED, PYTHON, "throughput"),
};
