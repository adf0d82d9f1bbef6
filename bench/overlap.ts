// SPDX-License-Identifier: Apache-2.0
// Overlap: models that wait 10 ms for something else before they answer. Over a minute with five rounds.

import { setTimeout as sleep } from "node:timers/promises";
import { table } from "./markdown.ts";
import { type LoadSample, measureLoad } from "./measured_load.ts";
import { figure, mebibytes, spread, withSpread } from "./numbers.ts";
import type { Part, PartContext, Section, Verdict } from "./part.ts";
import { memory } from "./proc.ts";
import type { Server } from "./server.ts";
import { turnOf } from "./turn.ts";
import { type Variant, withVariants } from "./variant.ts";
import { verdict } from "./verdict.ts";

const CONCURRENCIES = [1, 64] as const;
const BYTES = 64;
const AIM = 50;
const WINDOW_MS = 500;
const QUICK_WINDOW_MS = 200;

interface Contestant {
  title: string;
  variant: Variant;
}

const IN_FLIGHT = { MAX_IN_FLIGHT_BATCHES: "64" };
const PYTHON = { backend: "python", source: "wait_python" };
const TYPESCRIPT = { backend: "typescript", source: "wait" };
const BATCHED = { maxBatchSize: 64, dynamicBatching: true };

const OURS = "typescript, 64 batches in flight";
const REFERENCE = "python_backend";
/** These two are compared in the aim, at 64 clients. */
const JUDGED: readonly string[] = [OURS, REFERENCE];

const CONTESTANTS: readonly Contestant[] = [
  {
    title: OURS,
    variant: { ...TYPESCRIPT, name: "wait_typescript", parameters: IN_FLIGHT },
  },
  { title: REFERENCE, variant: { ...PYTHON, name: "wait_python" } },
  {
    title: "typescript, one batch in flight (its default)",
    variant: { ...TYPESCRIPT, name: "wait_typescript_one" },
  },
  {
    title: "typescript, 64 batches in flight, dynamic batching",
    variant: { ...TYPESCRIPT, ...BATCHED, name: "wait_typescript_batched", parameters: IN_FLIGHT },
  },
  {
    title: "python_backend, dynamic batching",
    variant: { ...PYTHON, ...BATCHED, name: "wait_python_batched" },
  },
  {
    title: "python_backend, decoupled, over a stream",
    variant: { backend: "python", source: "wait_python_decoupled", name: "wait_python_decoupled", decoupled: true },
  },
];

export interface OverlapRow {
  title: string;
  /** By concurrency, one for each round. */
  samples: Record<number, LoadSample[]>;
  /** The instance's processes after the load, KiB. */
  rssKib: number;
  pssKib: number;
}

export interface OverlapFigures {
  rounds: number;
  rows: OverlapRow[];
}

/** Loads the model anew: its processes are those that come with it. */
async function processesOf(server: Server, variant: Variant): Promise<number[]> {
  await server.unload(variant.name);
  const before = new Set(server.children());
  await server.load(variant.name);
  return server.children().filter((pid) => !before.has(pid));
}

async function measure(context: PartContext): Promise<OverlapFigures> {
  const { bench, rounds, quick, say } = context;
  const available = new Set(context.subjects.map((subject) => subject.backend));
  const contestants = CONTESTANTS.filter(({ variant }) => available.has(variant.backend));
  const rows = contestants.map(({ title }): OverlapRow => ({ title, samples: {}, rssKib: 0, pssKib: 0 }));
  const variants = contestants.map(({ variant }) => variant);
  const windowMs = quick ? QUICK_WINDOW_MS : WINDOW_MS;
  await context.withServer((server) =>
    withVariants(bench, server, variants, async () => {
      const processes: number[][] = [];
      for (const variant of variants) processes.push(await processesOf(server, variant));
      say(`overlap: answers of ${variants.length} models checked`);
      for (let round = 0; round < rounds; round++) {
        for (const concurrency of CONCURRENCIES) {
          const judged = ([, { title }]: readonly [number, Contestant]) => concurrency === 64 && JUDGED.includes(title);
          for (const [i, { variant }] of turnOf([...contestants.entries()], round, judged)) {
            const load = { model: variant.name, bytes: BYTES, concurrency, windowMs };
            const sample = await measureLoad(bench, server, { ...load, streaming: variant.decoupled ?? false });
            const row = rows[i]!;
            row.samples[concurrency] = [...(row.samples[concurrency] ?? []), sample];
            say(`overlap: round ${round + 1}/${rounds}, ${row.title} x ${concurrency}: ${figure(sample.throughput)}/s`);
          }
        }
      }
      await sleep(1000);
      for (const [i, row] of rows.entries()) Object.assign(row, memory(processes[i]!));
    }),
  );
  return { rounds, rows };
}

function throughputs(row: OverlapRow | undefined, concurrency: number): number[] {
  return (row?.samples[concurrency] ?? []).map((sample) => sample.throughput);
}

/** Throughput of a row as a multiple of plain python_backend's, taken round by round. */
function overPython(figures: OverlapFigures, row: OverlapRow, concurrency: number): number[] {
  const python = throughputs(
    figures.rows.find((other) => other.title === REFERENCE),
    concurrency,
  );
  const own = throughputs(row, concurrency);
  return own.slice(0, python.length).map((value, round) => value / python[round]!);
}

const orDash = (values: readonly number[]) => (values.length > 0 ? withSpread(spread(values)) : "-");

function body(figures: OverlapFigures): string {
  const rows = figures.rows.map((row) => [
    row.title,
    ...CONCURRENCIES.map((n) => orDash(throughputs(row, n))),
    orDash(overPython(figures, row, 64)),
    orDash((row.samples[64] ?? []).map((sample) => sample.p50Us / 1000)),
    orDash((row.samples[64] ?? []).map((sample) => sample.cpuUs)),
    `${mebibytes(row.rssKib)} / ${mebibytes(row.pssKib)}`,
  ]);
  const head = [
    "one instance",
    ...CONCURRENCIES.map((n) => `requests/s at ${n}`),
    "times python_backend at 64",
    "median latency at 64, ms",
    "CPU a request at 64, us",
    "resident / proportional, MiB",
  ];
  return table(head, rows);
}

const TEXT = [
  "A model waits 10 ms, as for an answer of another service, and then answers with its input of 64 bytes; one instance each.",
  "The waits are `await setTimeout(10)` and `await asyncio.sleep(0.01)`. The aim compares the first two rows: the same",
  "`config.pbtxt` without batching, with `MAX_IN_FLIGHT_BATCHES: 64` for typescript. In its default mode python_backend has one batch in",
  "its `async def execute` at a time, whatever the number of clients, so that 64 waits at once would take 64 instances, of the",
  "memory in the last column each.",
  "",
  "What else a user can do is in the other rows, and is no part of the aim. With dynamic batching (up to 64 requests) an `execute` that",
  "gathers its batch waits once for all of it; a request that comes later waits for the whole batch before it, and one",
  "slow answer holds up all others. In decoupled mode python_backend runs coroutines in the background, too; its clients must then use a",
  "gRPC stream (tensors inside the messages here, since the load generator has no shared memory for streams).",
].join("\n");

function sections(figures: OverlapFigures): Section[] {
  return [{ heading: "Overlap", text: TEXT, body: body(figures) }];
}

function verdicts(figures: OverlapFigures): Verdict[] {
  const ours = figures.rows.find((row) => row.title === OURS);
  const ratios = ours ? overPython(figures, ours, 64) : [];
  const findings = ratios.length > 0 ? [{ value: spread(ratios).median, place: "64 clients" }] : [];
  return [
    verdict(`a model that waits 10 ms: at least ${AIM} times python_backend's throughput`, findings, { atLeast: AIM }),
  ];
}

export const overlap: Part<OverlapFigures> = {
  name: "overlap",
  about: "models that wait for something else, many requests at once",
  measure,
  sections,
  verdicts,
};
