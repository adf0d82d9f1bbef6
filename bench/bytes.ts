// SPDX-License-Identifier: Apache-2.0
// Many short strings, decoded and encoded again. Under a minute with five rounds.

import { serializeBytes } from "../stub/src/api/index.ts";
import { ask, mustBe, tensor } from "./answers.ts";
import { type Cell, highlight, inRounds, over, series } from "./grid.ts";
import { type LoadSample, measureLoad, writeInputs } from "./load.ts";
import { columns } from "./markdown.ts";
import { OURS, PYTHON, withModels } from "./models.ts";
import { figure, median, withSpread } from "./numbers.ts";
import type { Part, PartContext } from "./part.ts";
import type { Server } from "./server.ts";
import { finding, verdict } from "./verdict.ts";

const STRINGS = 100_000;
const AIM = 5;

const SHAPE = { inputs: ["INPUT BYTES -1"], outputs: ["OUTPUT BYTES -1"] };
const CONTESTANTS = [
  { ...SHAPE, title: OURS, name: "bytes_typescript", backend: "typescript", source: "strings" },
  { ...SHAPE, title: PYTHON, name: "bytes_python", backend: "python", source: "strings_python" },
];

export type BytesFigures = Cell<LoadSample>;

/** One in ten is no ASCII. */
const words = () => Array.from({ length: STRINGS }, (_, i) => `${i % 10 === 0 ? "größe" : "word"} ${i}`);

async function measure(context: PartContext, server: Server): Promise<BytesFigures> {
  const input = tensor("INPUT", "BYTES", serializeBytes(words()), [STRINGS]);
  const inputData = writeInputs("bytes", [input]);
  const { windowMs } = context;
  const cell: BytesFigures = { label: "strings", samples: {} };
  const run = () =>
    inRounds(context, {
      cells: [cell],
      contestants: () => CONTESTANTS,
      measure: (who) => measureLoad(server, who, { concurrency: 1, bytes: input.bytes.length, inputData, windowMs }),
      tell: ({ throughput, backendUs }) => `${figure(throughput)}/s, backend ${figure(backendUs / 1000)} ms`,
    });
  await withModels(server, CONTESTANTS, run, async ({ name }) => {
    mustBe(`The model ${name}`, await ask(server.client, name, [input]), [{ ...input, name: "OUTPUT" }]);
  });
  return cell;
}

function body(cell: BytesFigures): string {
  return columns(Object.keys(cell.samples), [
    [`${STRINGS} strings a request`, (title) => title],
    ["requests/s", (title) => withSpread(series(cell, title, "throughput"))],
    ["/ python", (title) => withSpread(over(cell, title, PYTHON, "throughput"))],
    ["in the backend, ms", (title) => figure(median(series(cell, title, "backendUs")) / 1000)],
    ["CPU a request, ms", (title) => figure(median(series(cell, title, "cpuUs")) / 1000)],
  ]);
}

export const bytes: Part<BytesFigures> = {
  name: "bytes",
  about: "many short strings, decoded and encoded again",
  measure: (context) => context.withServer((server) => measure(context, server)),
  sections: (cell) => ({ Strings: body(cell) }),
  verdicts: (cell) => [
    verdict(
      `${STRINGS} short strings decoded and encoded: at least ${AIM} times python_backend's rate`,
      finding(over(cell, OURS, PYTHON, "throughput"), "one client"),
      { atLeast: AIM },
    ),
  ],
  highlights: (cell) =>
    highlight(`${STRINGS} strings decoded and encoded: requests/s`, cell, OURS, PYTHON, "throughput"),
};
