// SPDX-License-Identifier: Apache-2.0
// Decoupled streams of many small responses, over gRPC. About a minute and a half with five rounds.

import { type Ask, mustBe, tensor } from "./answers.ts";
import { type Cell, type Contestant, highlight, inRounds, over, series } from "./grid.ts";
import { type StreamSample, sendStreams, writeInputs } from "./load.ts";
import { columns } from "./markdown.ts";
import { type Model, OURS, PYTHON, withModels } from "./models.ts";
import { figure, withSpread } from "./numbers.ts";
import type { Part, PartContext } from "./part.ts";
import type { Server } from "./server.ts";
import { finding, verdict } from "./verdict.ts";

const RESPONSES = 10_000;
const RATE_AIM = 3;
const FIRST_AIM = 1.2;

const SHAPE = { inputs: ["COUNT INT32 1"], outputs: ["OUTPUT INT32 1"] };
const ORDINARY = `${OURS}, one answer in default mode`;
const CONTESTANTS: readonly (Model & Contestant)[] = [
  { ...SHAPE, title: OURS, name: "stream_typescript", backend: "typescript", source: "stream", decoupled: true },
  { ...SHAPE, title: ORDINARY, name: "stream_ordinary", backend: "typescript", source: "ordinary" },
  { ...SHAPE, title: PYTHON, name: "stream_python", backend: "python", source: "stream_python", decoupled: true },
];

export interface Sample extends StreamSample {
  /** From when a request was handed to the model's process until the server had the first response; 0 where nobody says. */
  serverUs: number;
}

export type StreamsFigures = Cell<Sample>;

/** Where ours say that on /metrics: of streams, and of batches with one answer. */
const METRICS: Readonly<Record<string, string>> = {
  [OURS]: "triton_typescript_first_response_seconds",
  [ORDINARY]: "triton_typescript_round_trip_duration_seconds",
};

/** Sum and number of what a histogram of a model has seen; the text is that of /metrics. */
export function histogramOf(text: string, metric: string, model: string): { sum: number; count: number } {
  const read = (end: string) => {
    const line = text
      .split("\n")
      .find((one) => one.startsWith(`${metric}_${end}{`) && one.includes(`model="${model}"`));
    return line === undefined ? 0 : Number(line.slice(line.lastIndexOf(" ") + 1));
  };
  return { sum: read("sum"), count: read("count") };
}

/** What `measure` gives, and the mean of what the server has seen meanwhile. */
async function withServerSide(
  server: Server,
  { title, name }: Model & Contestant,
  measure: () => Promise<StreamSample>,
): Promise<Sample> {
  const metric = METRICS[title];
  if (metric === undefined) return { ...(await measure()), serverUs: 0 };
  const read = async () => histogramOf(await (await fetch(server.metricsUrl)).text(), metric, name);
  const before = await read();
  const sample = await measure();
  const after = await read();
  return { ...sample, serverUs: ((after.sum - before.sum) / (after.count - before.count)) * 1e6 };
}

const count = (responses: number) => [tensor("COUNT", "INT32", Int32Array.of(responses))];

/** One response, at the place where decoupled models may be asked, too. */
const askForOne: Ask = async (client, model) => {
  const { OUTPUT } = await client.generate(model, { COUNT: 1 });
  return [tensor("OUTPUT", "INT32", Int32Array.of(OUTPUT as number))];
};

async function measure(context: PartContext, server: Server): Promise<StreamsFigures> {
  const responses = context.quick ? RESPONSES / 10 : RESPONSES;
  const inputData = writeInputs("streams", count(responses));
  const cell: StreamsFigures = { label: "streams", samples: {} };
  const run = () =>
    inRounds(context, {
      cells: [cell],
      contestants: () => CONTESTANTS,
      measure: (who) => {
        const load = { concurrency: 1, memory: "message" as const, inputData };
        const [requests, each] = who.decoupled ? [1, responses] : [100, 1];
        return withServerSide(server, who, () => sendStreams(server, who, load, requests, each));
      },
      tell: ({ rate, firstUs, serverUs }) =>
        `${figure(rate)} responses/s, the first after ${figure(firstUs)} us, with the server after ${figure(serverUs)}`,
    });
  await withModels(server, CONTESTANTS, run, async ({ name }) => {
    mustBe(`The model ${name}`, await askForOne(server.client, name, []), [
      tensor("OUTPUT", "INT32", Int32Array.of(0)),
    ]);
  });
  return cell;
}

function body(cell: StreamsFigures): string {
  return columns(Object.keys(cell.samples), [
    [`streams of ${RESPONSES} responses`, (title) => title],
    ["responses/s", (title) => withSpread(series(cell, title, "rate"))],
    ["/ python", (title) => withSpread(over(cell, title, PYTHON, "rate"))],
    ["to the first response, us", (title) => withSpread(series(cell, title, "firstUs"))],
    ["/ one answer", (title) => withSpread(over(cell, title, ORDINARY, "firstUs"))],
    ["until the server has it, us", (title) => (title in METRICS ? withSpread(series(cell, title, "serverUs")) : "-")],
  ]);
}

export const streams: Part<StreamsFigures> = {
  name: "streams",
  about: "decoupled streams of many small responses",
  measure: (context) => context.withServer((server) => measure(context, server)),
  sections: (cell) => ({ Streams: body(cell) }),
  verdicts: (cell) => [
    verdict(
      `a stream of ${RESPONSES} responses: at least ${RATE_AIM} times python_backend's rate`,
      finding(over(cell, OURS, PYTHON, "rate"), "one client"),
      { atLeast: RATE_AIM },
    ),
    verdict(
      `its first response after at most ${FIRST_AIM} times the time of an ordinary answer`,
      finding(over(cell, OURS, ORDINARY, "firstUs"), "one client"),
      { atMost: FIRST_AIM },
    ),
    verdict(
      `the server has it after at most ${FIRST_AIM} times that`,
      finding(over(cell, OURS, ORDINARY, "serverUs"), "one client"),
      { atMost: FIRST_AIM },
    ),
  ],
  highlights: (cell) => highlight(`a stream of ${RESPONSES} small responses: responses/s`, cell, OURS, PYTHON, "rate"),
};
