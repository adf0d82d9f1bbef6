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

export type StreamsFigures = Cell<StreamSample>;

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
        return who.decoupled ? sendStreams(server, who, load, 1, responses) : sendStreams(server, who, load, 100, 1);
      },
      tell: ({ rate, firstUs }) => `${figure(rate)} responses/s, the first after ${figure(firstUs)} us`,
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
  ],
  highlights: (cell) => highlight(`a stream of ${RESPONSES} small responses: responses/s`, cell, OURS, PYTHON, "rate"),
};
