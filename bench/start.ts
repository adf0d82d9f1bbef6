// SPDX-License-Identifier: Apache-2.0
// A server with ten models of two instances each: until it is ready, what it holds, and a model loaded anew.
// Over two minutes with five rounds.

import { randomInt } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { memory } from "../server/processes.ts";
import { ask, differences, mustBe, tensor } from "./answers.ts";
import { type Cell, type Contestant, highlight, inRounds, over, series } from "./grid.ts";
import { columns } from "./markdown.ts";
import { FLOOR, install, type Model, OURS, PYTHON } from "./models.ts";
import { figure, withSpread } from "./numbers.ts";
import type { Part, PartContext } from "./part.ts";
import type { Server } from "./server.ts";
import { BENCH_DIR } from "./setup.ts";
import { finding, type Verdict, verdict } from "./verdict.ts";

const MODELS = 10;
const INSTANCES = 2;
const NAMES = Array.from({ length: MODELS }, (_, i) => `add_sub_${i}`);
const RELOADED = NAMES[0]!;
const RELOAD_MS = 300;
/** How long a reloaded model may go on answering as before, milliseconds. */
const PATIENCE_MS = 30_000;

type Starting = Contestant & Pick<Model, "backend" | "source">;

/** The floor answers with its inputs. */
const CONTESTANTS: readonly Starting[] = [
  { title: FLOOR, backend: "native_identity" },
  { title: PYTHON, backend: "python", source: "add_sub_python" },
  { title: `${OURS}, first start`, backend: "typescript", source: "add_sub" },
  { title: `${OURS}, started before`, backend: "typescript", source: "add_sub" },
];
const [, , FIRST, LATER] = CONTESTANTS;
const OUR_TITLES = [FIRST!.title, LATER!.title];

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

export type StartFigures = Cell<StartSample>;

function writeRepository({ backend, source }: Starting): string {
  const repository = path.join(BENCH_DIR, "start", backend);
  const side = (kind: string) => [0, 1].map((i) => `${kind}${i} FP32 4`);
  const shape = { inputs: side("INPUT"), outputs: side("OUTPUT"), instances: INSTANCES, maxBatchSize: 8 };
  for (const name of NAMES) install(repository, { ...shape, name, backend, ...(source ? { source } : {}) });
  return repository;
}

const tensors = (kind: string, ...data: number[][]) =>
  data.map((row, i) => tensor(`${kind}${i}`, "FP32", Float32Array.from(row), [1, 4]));
const A = [1, 2, 3, 4];
const B = [5, 7, 11, 13];
const INPUTS = tensors("INPUT", A, B);

function expected({ source }: Starting, revision: number) {
  const [sums, differences] = [A.map((a, i) => a + B[i]! + revision), A.map((a, i) => a - B[i]!)];
  return source ? tensors("OUTPUT", sums, differences) : tensors("OUTPUT", A, B);
}

/** Changes the model's file, or touches the configuration of a model without one; gives the revision to expect. */
function change(repository: string, { backend, source }: Starting): number {
  const file = source ? path.join("1", backend === "python" ? "model.py" : "model.ts") : "config.pbtxt";
  const changed = path.join(repository, RELOADED, file);
  const text = readFileSync(changed, "utf8");
  // One that no earlier run has had, so that nothing compiled is found again.
  const revision = source ? randomInt(1, 1_000_000) : 0;
  if (source && !text.includes("REVISION = 0")) throw new Error(`${changed} must have a line with "REVISION = 0".`);
  writeFileSync(changed, text.replace("REVISION = 0", `REVISION = ${revision}`));
  return revision;
}

async function reload(server: Server, repository: string, contestant: Starting): Promise<number> {
  const wanted = expected(contestant, change(repository, contestant));
  const began = performance.now();
  await server.load(RELOADED);
  for (;;) {
    const answer = await ask(server.client, RELOADED, INPUTS);
    const took = performance.now() - began;
    if (differences(answer, wanted).length === 0) return took;
    if (took > PATIENCE_MS) mustBe(`The model ${RELOADED}, loaded anew,`, answer, wanted);
  }
}

async function measure(context: PartContext, contestant: Starting): Promise<StartSample> {
  const repository = writeRepository(contestant);
  const use = async (server: Server): Promise<StartSample> => {
    for (const name of NAMES) {
      const who = `The model ${name} in ${contestant.title}`;
      mustBe(who, await ask(server.client, name, INPUTS), expected(contestant, 0));
    }
    await sleep(1000);
    const stubs = server.children();
    const { rssKib, pssKib } = memory([server.pid, ...stubs]);
    return {
      readyMs: server.readyMs,
      rssMib: rssKib / 1024,
      pssMib: pssKib / 1024,
      processes: stubs.length,
      reloadMs: await reload(server, repository, contestant),
    };
  };
  const options = { repository, args: ["--load-model=*"] };
  return context.withServer(use, { ...options, emptyCache: contestant === FIRST });
}

async function run(context: PartContext): Promise<StartFigures> {
  const cell: StartFigures = { label: "start", samples: {} };
  await inRounds(context, {
    cells: [cell],
    contestants: () => CONTESTANTS,
    // The verdicts hold ours against python_backend.
    isJudged: ({ title }) => title !== FLOOR,
    measure: (who) => measure(context, who),
    tell: ({ readyMs, pssMib, reloadMs }) =>
      `ready in ${readyMs.toFixed(0)} ms, ${pssMib.toFixed(0)} MiB, reload in ${reloadMs.toFixed(0)} ms`,
  });
  return cell;
}

function startTable(cell: StartFigures): string {
  const plain = (key: keyof StartSample) => (title: string) => withSpread(series(cell, title, key));
  const share = (key: keyof StartSample) => (title: string) => withSpread(over(cell, title, PYTHON, key));
  return columns(Object.keys(cell.samples), [
    ["", (title) => title],
    ["ready, ms", plain("readyMs")],
    ["proportional, MiB", plain("pssMib")],
    ["resident, MiB", plain("rssMib")],
    ["stubs", plain("processes")],
    ["a model loaded anew, ms", plain("reloadMs")],
    ["proportional / python", share("pssMib")],
    ["resident / python", share("rssMib")],
  ]);
}

/** Ours as shares of python_backend's, the median of the rounds. */
const shares = (cell: StartFigures, key: keyof StartSample) =>
  OUR_TITLES.flatMap((title) => finding(over(cell, title, PYTHON, key), title));

/** The aim takes a page that many processes share as what it is, one page; what is resident in each is said beside it. */
function memoryVerdict(cell: StartFigures): Verdict {
  const judged = verdict(
    "the same models in less proportional memory (PSS: a shared page counts once) than in python_backend",
    shares(cell, "pssMib"),
    { atMost: 1, unit: " of its memory" },
  );
  const resident = Math.max(...shares(cell, "rssMib").map(({ value }) => value));
  return judged.worst ? { ...judged, worst: `${judged.worst}; resident: ${figure(resident)} of its` } : judged;
}

const HIGHLIGHTS: readonly (readonly [keyof StartSample, what: string])[] = [
  ["readyMs", "ready after a first start, ms"],
  ["pssMib", "proportional memory, MiB"],
  ["rssMib", "resident memory, MiB"],
];

export const start: Part<StartFigures> = {
  name: "start",
  about: "ten models of two instances: time to start, memory, a model loaded anew",
  measure: run,
  sections: (cell) => ({ Start: startTable(cell) }),
  verdicts: (cell) => [
    verdict(
      `${MODELS} models of ${INSTANCES} instances ready in less time than in python_backend`,
      shares(cell, "readyMs"),
      {
        atMost: 1,
        unit: " of its time",
      },
    ),
    memoryVerdict(cell),
    verdict(
      `a changed model answers at most ${RELOAD_MS} ms after the load call`,
      OUR_TITLES.flatMap((title) => finding(series(cell, title, "reloadMs"), title)),
      { atMost: RELOAD_MS, unit: " ms" },
    ),
  ],
  highlights: (cell) =>
    HIGHLIGHTS.flatMap(([key, what]) => highlight(`${MODELS} models: ${what}`, cell, FIRST!.title, PYTHON, key)),
};
