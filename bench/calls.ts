// SPDX-License-Identifier: Apache-2.0
// Calls of another model: one that calls a step beside an ensemble of that step, and many calls at once. About two minutes
// with five rounds.

import { ask, tensor } from "./answers.ts";
import { type Cell, highlight, inRounds, over, series } from "./grid.ts";
import { type LoadSample, measureLoad } from "./load.ts";
import { columns } from "./markdown.ts";
import { checkEcho, type Model, OURS, PYTHON, withModels } from "./models.ts";
import { figure, median, withSpread } from "./numbers.ts";
import { type Part, type PartContext, SIZES } from "./part.ts";
import type { Server } from "./server.ts";
import { finding, verdict } from "./verdict.ts";

/** The cheapest that there is: what is measured beside it is the way to it. */
const STEP: Model = { name: "calls_step", backend: "native_identity" };
const parameters = { STEP: STEP.name };

const ENSEMBLE = "ensemble of the step";
const JUDGED = `${OURS}, 8 batches in flight`;
const CONTESTANTS = [
  { title: ENSEMBLE, name: "calls_ensemble", backend: "", steps: [STEP.name] },
  {
    ...{ title: JUDGED, name: "calls_typescript", backend: "typescript", source: "call" },
    parameters: { ...parameters, MAX_IN_FLIGHT_BATCHES: "8" },
  },
  { title: OURS, name: "calls_typescript_one", backend: "typescript", source: "call", parameters },
  { title: PYTHON, name: "calls_python", backend: "python", source: "call_python", parameters },
];

const MANY: Model = {
  ...{ name: "calls_many", backend: "typescript", source: "call_many", parameters },
  ...{ inputs: ["PLAN FP32 2"], outputs: ["RESULT FP32 2"] },
};
const FEW = { title: "100", inFlight: 100 };
const MOST = { title: "1000", inFlight: 1000 };
const CALLS = 20_000;

const AIMS = [
  { other: ENSEMBLE, atMost: 1.3 },
  { other: PYTHON, atMost: 0.5 },
];

export interface CallsFigures {
  cells: Cell<LoadSample>[];
  /** Calls a second of one instance, by how many are in flight. */
  many: Cell<{ throughput: number }>;
}

/** Throws when a call failed. */
async function callMany({ client }: Server, inFlight: number, count: number): Promise<{ throughput: number }> {
  const [result] = await ask(client, MANY.name, [tensor("PLAN", "FP32", Float32Array.of(inFlight, count))]);
  const [ms, failures] = new Float32Array(Uint8Array.from(result!.bytes).buffer);
  if (failures !== 0) throw new Error(`${failures} of ${count} calls failed with ${inFlight} in flight.`);
  return { throughput: count / (ms! / 1000) };
}

async function measure(context: PartContext, server: Server): Promise<CallsFigures> {
  const { windowMs, quick } = context;
  const sizes = SIZES.filter(({ label }) => label === "64B" || label === "1MiB");
  const cells = sizes.flatMap(({ label, bytes }) =>
    [1, 8].map((concurrency) => ({ label: `${label} x ${concurrency}`, bytes, concurrency, samples: {} })),
  );
  const many: CallsFigures["many"] = { label: "calls in flight", samples: {} };
  const run = async () => {
    await inRounds(context, {
      cells,
      contestants: () => CONTESTANTS,
      isJudged: ({ title }) => title !== OURS,
      measure: (who, { bytes, concurrency }) => measureLoad(server, who, { bytes, concurrency, windowMs }),
      tell: ({ p50Us, throughput }) => `p50 ${figure(p50Us)} us, ${figure(throughput)}/s`,
    });
    const count = quick ? CALLS / 10 : CALLS;
    await callMany(server, FEW.inFlight, count / 10);
    await inRounds(context, {
      cells: [many],
      contestants: () => [FEW, MOST],
      measure: ({ inFlight }) => callMany(server, inFlight, count),
      tell: ({ throughput }) => `${figure(throughput)} calls/s`,
    });
    return { cells, many };
  };
  const check = (model: Model) => (model === MANY ? Promise.resolve() : checkEcho(server.client, model));
  return withModels(server, [STEP, ...CONTESTANTS, MANY], run, check);
}

const times = (cell: Cell<LoadSample>, title: string, other: string) => over(cell, title, other, "p50Us");

function body({ cells, many }: CallsFigures): string {
  const rows = cells.flatMap((cell) => Object.keys(cell.samples).map((title) => ({ cell, title })));
  const beside = columns(rows, [
    ["tensor x clients", ({ cell }) => cell.label],
    ["one call of the step by", ({ title }) => title],
    ["median latency, us", ({ cell, title }) => withSpread(series(cell, title, "p50Us"))],
    ["/ ensemble", ({ cell, title }) => withSpread(times(cell, title, ENSEMBLE))],
    ["/ python", ({ cell, title }) => withSpread(times(cell, title, PYTHON))],
    ["requests/s", ({ cell, title }) => figure(median(series(cell, title, "throughput")))],
    ["CPU a request, us", ({ cell, title }) => figure(median(series(cell, title, "cpuUs")))],
  ]);
  const inFlight = columns(Object.keys(many.samples), [
    ["calls in flight on one instance", (title) => title],
    ["calls/s", (title) => withSpread(series(many, title, "throughput"))],
    ["/ 100 in flight", (title) => withSpread(over(many, title, FEW.title, "throughput"))],
  ]);
  return `${beside}\n\n${inFlight}`;
}

export const calls: Part<CallsFigures> = {
  name: "calls",
  about: "a model that calls another one, beside an ensemble of it; many calls at once",
  measure: (context) => context.withServer((server) => measure(context, server)),
  sections: (figures) => ({ Calls: body(figures) }),
  verdicts: ({ cells, many }) => [
    ...AIMS.map(({ other, atMost }) =>
      verdict(
        `a call of one step: at most ${atMost} times the time of ${other === PYTHON ? `${PYTHON}'s` : `an ${other}`}`,
        cells.flatMap((cell) => finding(times(cell, JUDGED, other), cell.label)),
        { atMost },
      ),
    ),
    verdict(
      `${MOST.title} calls in flight: none fails, and at least the calls a second of ${FEW.title}`,
      finding(over(many, MOST.title, FEW.title, "throughput"), "one instance"),
      { atLeast: 1 },
    ),
  ],
  highlights: ({ cells }) =>
    highlight("a call of another model, 64 bytes, 8 clients: requests/s", cells[1], JUDGED, PYTHON, "throughput"),
};
