// SPDX-License-Identifier: Apache-2.0
// A server with ten models of two instances each: until it is ready, what it holds, and a model loaded anew.
// Over two minutes with five rounds.

import { randomInt } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { withEmptyCache } from "./empty_cache.ts";
import { request } from "./http.ts";
import { table } from "./markdown.ts";
import { figure, type Spread, spread, withSpread } from "./numbers.ts";
import type { Part, PartContext, Verdict } from "./part.ts";
import { memory } from "./proc.ts";
import type { Server } from "./server.ts";
import { BENCH_DIR, writeModel } from "./setup.ts";
import { SUBJECTS } from "./subjects.ts";
import { turnOf } from "./turn.ts";
import { type Finding, verdict } from "./verdict.ts";

const MODELS = 10;
const INSTANCES = 2;
const NAMES = Array.from({ length: MODELS }, (_, i) => `add_sub_${i}`);
const RELOADED = NAMES[0]!;
const RELOAD_MS = 300;
/** How long a reloaded model may go on answering as before, milliseconds. */
const PATIENCE_MS = 30_000;

interface Contestant {
  title: string;
  /** The backend's name in config.pbtxt. */
  backend: string;
  /** Below bench/models; the floor needs no source, and answers with its inputs. */
  source?: string;
  /** Nothing that an earlier server has compiled is found again. */
  empty?: boolean;
}

const CONTESTANTS: readonly Contestant[] = [
  { title: SUBJECTS.floor.title, backend: SUBJECTS.floor.backend },
  { title: SUBJECTS.python.title, backend: "python", source: "add_sub_python/model.py" },
  { title: "typescript, first start", backend: "typescript", source: "add_sub/model.ts", empty: true },
  { title: "typescript, started before", backend: "typescript", source: "add_sub/model.ts" },
];

/** One start of a server. */
export interface StartSample {
  /** From the start of its process until it says that it is ready, with all models loaded. */
  readyMs: number;
  /** Server and stubs, one second after each model has answered once. */
  rssMib: number;
  pssMib: number;
  /** The stubs. */
  processes: number;
  /** From the load call on a changed model until it answers as the change wants. */
  reloadMs: number;
}

export interface StartFigures {
  title: string;
  backend: string;
  /** One for each round. */
  samples: StartSample[];
}

function config(contestant: Contestant): string {
  const tensors = (kind: "input" | "output") =>
    [0, 1].map((i) => `${kind} [ { name: "${kind.toUpperCase()}${i}" data_type: TYPE_FP32 dims: [ 4 ] } ]`);
  return [
    `backend: "${contestant.backend}"`,
    "max_batch_size: 8",
    ...tensors("input"),
    ...tensors("output"),
    `instance_group [ { kind: KIND_CPU count: ${INSTANCES} } ]`,
    "",
  ].join("\n");
}

function writeRepository(contestant: Contestant): string {
  const repository = path.join(BENCH_DIR, "start", contestant.backend);
  const { source } = contestant;
  for (const name of NAMES) {
    writeModel(repository, name, { config: config(contestant), sources: source === undefined ? [] : [source] });
  }
  return repository;
}

const A = [1, 2, 3, 4];
const B = [5, 7, 11, 13];

function expected(contestant: Contestant, revision: number): number[][] {
  if (contestant.source === undefined) return [A, B];
  return [A.map((a, i) => a + B[i]! + revision), A.map((a, i) => a - B[i]!)];
}

interface InferReply {
  outputs: { name: string; data: number[] }[];
}

/** OUTPUT0 and OUTPUT1. */
async function ask(server: Server, model: string): Promise<(number[] | undefined)[]> {
  const inputs = [A, B].map((data, i) => ({ name: `INPUT${i}`, datatype: "FP32", shape: [1, 4], data }));
  const reply = await request(server, `/v2/models/${model}/infer`, {
    method: "POST",
    body: JSON.stringify({ inputs }),
  });
  const text = await reply.text();
  if (!reply.ok) throw new Error(`The model ${model} answered with status ${reply.status}: ${text}`);
  const { outputs } = JSON.parse(text) as InferReply;
  return [0, 1].map((i) => outputs.find((output) => output.name === `OUTPUT${i}`)?.data);
}

async function check(server: Server, model: string, contestant: Contestant): Promise<void> {
  const wanted = JSON.stringify(expected(contestant, 0));
  const answer = JSON.stringify(await ask(server, model));
  if (answer !== wanted) {
    throw new Error(`The model ${model} in ${contestant.title} must answer ${wanted}, but answered ${answer}.`);
  }
}

/** Changes the model's file, or touches the configuration of a model without one; gives the revision to expect. */
function change(repository: string, { source }: Contestant): number {
  const folder = path.join(repository, RELOADED);
  const file = source === undefined ? path.join(folder, "config.pbtxt") : path.join(folder, "1", path.basename(source));
  const text = readFileSync(file, "utf8");
  // One that no earlier run has had, so that nothing compiled is found again.
  const revision = source === undefined ? 0 : randomInt(1, 1_000_000);
  const changed = text.replace("REVISION = 0", `REVISION = ${revision}`);
  if (revision !== 0 && changed === text) throw new Error(`${file} must have a line with "REVISION = 0".`);
  writeFileSync(file, changed);
  return revision;
}

async function reload(server: Server, repository: string, contestant: Contestant): Promise<number> {
  const wanted = JSON.stringify(expected(contestant, change(repository, contestant)));
  const began = performance.now();
  await server.load(RELOADED);
  for (;;) {
    const answer = JSON.stringify(await ask(server, RELOADED));
    const took = performance.now() - began;
    if (answer === wanted) return took;
    if (took > PATIENCE_MS) {
      throw new Error(`The model ${RELOADED} must answer ${wanted} when it is loaded anew, but answers ${answer}.`);
    }
  }
}

async function measure(context: PartContext, contestant: Contestant): Promise<StartSample> {
  const repository = writeRepository(contestant);
  const use = async (server: Server): Promise<StartSample> => {
    for (const name of NAMES) await check(server, name, contestant);
    await sleep(1000);
    const stubs = server.children();
    const held = memory([server.pid, ...stubs]);
    return {
      readyMs: server.readyMs,
      rssMib: held.rssKib / 1024,
      pssMib: held.pssKib / 1024,
      processes: stubs.length,
      reloadMs: await reload(server, repository, contestant),
    };
  };
  const options = { repository, args: ["--load-model=*"] };
  if (!contestant.empty) return context.withServer(use, options);
  return withEmptyCache((env) => context.withServer(use, { ...options, env }));
}

/** The verdicts hold ours against python_backend. */
const isJudged = ([, { backend }]: readonly [number, Contestant]) => backend !== SUBJECTS.floor.backend;

async function run(context: PartContext): Promise<StartFigures[]> {
  const { rounds } = context;
  const samples = CONTESTANTS.map((): StartSample[] => []);
  for (let round = 0; round < rounds; round++) {
    for (const [i, contestant] of turnOf([...CONTESTANTS.entries()], round, isJudged)) {
      const sample = await measure(context, contestant);
      samples[i]!.push(sample);
      context.say(
        `round ${round + 1}/${rounds}  ${contestant.title.padEnd(26)} ready in ${sample.readyMs.toFixed(0)} ms,` +
          ` ${sample.pssMib.toFixed(0)} MiB, reload in ${sample.reloadMs.toFixed(0)} ms`,
      );
    }
  }
  return CONTESTANTS.map(({ title, backend }, i) => ({ title, backend, samples: samples[i]! }));
}

type Measure = keyof StartSample;

const ours = (all: readonly StartFigures[]) => all.filter((entry) => entry.backend === "typescript");

const over = (entry: StartFigures, key: Measure): Spread => spread(entry.samples.map((sample) => sample[key]));

/** A figure as a share of python_backend's in the same round; nothing where either was not measured. */
function shareOfPython(all: readonly StartFigures[], entry: StartFigures, key: Measure): Spread | undefined {
  const python = all.find(({ backend }) => backend === "python")?.samples ?? [];
  const values = entry.samples.flatMap((sample, i) => (python[i] ? [sample[key] / python[i][key]] : []));
  return values.length > 0 ? spread(values) : undefined;
}

function startTable(all: readonly StartFigures[]): string {
  const columns: readonly (readonly [Measure, string])[] = [
    ["readyMs", "ready, ms"],
    ["pssMib", "proportional, MiB"],
    ["rssMib", "resident, MiB"],
    ["processes", "stubs"],
    ["reloadMs", "a model loaded anew, ms"],
  ];
  const shares: readonly (readonly [Measure, string])[] = [
    ["pssMib", "proportional / python"],
    ["rssMib", "resident / python"],
  ];
  const rows = all.map((entry) => [
    entry.title,
    ...columns.map(([key]) => withSpread(over(entry, key))),
    ...shares.map(([key]) => {
      const share = shareOfPython(all, entry, key);
      return share ? withSpread(share) : "-";
    }),
  ]);
  return table(["", ...[...columns, ...shares].map(([, head]) => head)], rows);
}

/** Ours as shares of python_backend's, the median of the rounds. */
function shares(all: readonly StartFigures[], key: Measure): Finding[] {
  return ours(all).flatMap((entry) => {
    const share = shareOfPython(all, entry, key);
    return share ? [{ value: share.median, place: entry.title }] : [];
  });
}

/** The aim takes a page that many processes share as what it is, one page; what is resident in each is said beside it. */
function memoryVerdict(all: readonly StartFigures[]): Verdict {
  const judged = verdict(
    "the same models in less proportional memory (PSS: a shared page counts once) than in python_backend",
    shares(all, "pssMib"),
    { atMost: 1, unit: " of its memory" },
  );
  const resident = shares(all, "rssMib").map(({ value }) => value);
  if (judged.worst === undefined || resident.length === 0) return judged;
  return { ...judged, worst: `${judged.worst}; resident: ${figure(Math.max(...resident))} of its` };
}

export const start: Part<StartFigures[]> = {
  name: "start",
  about: "ten models of two instances: time to start, memory, a model loaded anew",
  measure: run,

  sections: (all) => [
    {
      heading: "Start",
      text: `A server with ${MODELS} models that add and subtract, ${INSTANCES} instances each, all loaded at its start: from the start of its
process until it says that it is ready. A first start finds nothing that an earlier one has compiled, as in a new
container. Memory is that of the server and all stubs, after each model has answered once; the proportional figure counts
a page that many of them share once, the resident one as often as it is shared. The aim is on the proportional one, which is what
the machine gives. At last one model's file is changed while the model is loaded: from the load call to the first answer of the
new file.`,
      body: startTable(all),
    },
  ],

  verdicts: (all) => [
    verdict(
      `${MODELS} models of ${INSTANCES} instances ready in less time than in python_backend`,
      shares(all, "readyMs"),
      {
        atMost: 1,
        unit: " of its time",
      },
    ),
    memoryVerdict(all),
    verdict(
      `a changed model answers at most ${RELOAD_MS} ms after the load call`,
      ours(all).map((entry) => ({ value: over(entry, "reloadMs").median, place: entry.title })),
      { atMost: RELOAD_MS, unit: " ms" },
    ),
  ],
};
