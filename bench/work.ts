// SPDX-License-Identifier: Apache-2.0
// Steps of real work, in TypeScript and in Python with numpy and Pillow. About three minutes with five rounds.

import { ask, mustBe } from "./answers.ts";
import { type Cell, highlight, inRounds, over, series } from "./grid.ts";
import { type LoadSample, measureLoad, writeInputs } from "./load.ts";
import { columns } from "./markdown.ts";
import { PYTHON, withModels } from "./models.ts";
import { figure, median, withSpread } from "./numbers.ts";
import type { Part, PartContext } from "./part.ts";
import type { Server } from "./server.ts";
import { finding, type Verdict, verdict } from "./verdict.ts";
import { allSteps, modelsOf, type Step } from "./work_steps.ts";

export interface WorkCell extends Cell<LoadSample> {
  step: string;
  concurrency: number;
  /** Title of the one of ours that the first aim speaks of. */
  judged: string;
}

export interface WorkFigures {
  cells: WorkCell[];
}

const AIM = 1.5;

/** Throws unless all contestants answer alike. */
async function checkStep(server: Server, step: Step): Promise<void> {
  const [python, ...ours] = modelsOf(step);
  const reference = await ask(server.client, python!.name, step.inputs);
  if (reference.length < step.gives.length) throw new Error(`${python!.name} must answer ${step.gives.join(", ")}.`);
  for (const { name, title } of ours) {
    const answer = await ask(server.client, name, step.inputs);
    mustBe(`${title} in the step "${step.title}", beside ${PYTHON},`, answer, reference, step.tolerances);
  }
}

async function measure(context: PartContext, server: Server): Promise<WorkFigures> {
  const { concurrencies, windowMs, say } = context;
  const steps = await allSteps();
  const stepOf = (cell: WorkCell) => steps.find(({ name }) => name === cell.step)!;
  const cells = steps.flatMap(({ name, title, judged }) =>
    concurrencies.map(
      (concurrency): WorkCell => ({ label: `${title} x ${concurrency}`, step: name, concurrency, judged, samples: {} }),
    ),
  );
  const run = async () => {
    const inputFiles = new Map(steps.map(({ name, inputs }) => [name, writeInputs(`work_${name}`, inputs)]));
    for (const step of steps) await checkStep(server, step);
    say(`answers of ${steps.length} steps are alike`);
    await inRounds(context, {
      cells,
      contestants: (cell) => modelsOf(stepOf(cell)),
      measure: (who, cell) => {
        const { outputBytes: bytes, name } = stepOf(cell);
        const load = { bytes, inputData: inputFiles.get(name)!, concurrency: cell.concurrency, windowMs };
        return measureLoad(server, who, load);
      },
      tell: ({ throughput, p50Us }) => `${figure(throughput)}/s, p50 ${figure(p50Us)} us`,
    });
  };
  const later = () => Promise.resolve(); // the models of a step are compared when all of them are loaded
  await withModels(server, steps.flatMap(modelsOf), run, later);
  return { cells };
}

/** Throughput as a multiple of python_backend's. */
const overPython = (cell: WorkCell, title: string) => over(cell, title, PYTHON, "throughput");

const ours = (cell: WorkCell) => Object.keys(cell.samples).filter((title) => title !== PYTHON);

function verdicts({ cells }: WorkFigures): Verdict[] {
  const findings = (titles: (cell: WorkCell) => string[]) =>
    cells.flatMap((cell) =>
      titles(cell).flatMap((title) => finding(overPython(cell, title), `${cell.label}, ${title}`)),
    );
  return [
    verdict(
      `real work: throughput at least ${AIM} times python_backend's, at every step`,
      findings(({ judged }) => [judged]),
      { atLeast: AIM },
    ),
    verdict("real work: throughput never below python_backend's, with default settings too", findings(ours), {
      atLeast: 1,
    }),
  ];
}

/** One row for each contestant of each cell. */
function workTable({ cells }: WorkFigures): string {
  const rows = cells.flatMap((cell) => Object.keys(cell.samples).map((title) => ({ cell, title })));
  const of = ({ cell, title }: (typeof rows)[number], key: keyof LoadSample) => series(cell, title, key);
  return columns(rows, [
    ["step x concurrency", ({ cell }) => cell.label],
    ["backend", ({ title }) => title],
    ["requests/s", (row) => withSpread(of(row, "throughput"))],
    ["/ python", ({ cell, title }) => (title === PYTHON ? "1" : withSpread(overPython(cell, title)))],
    ["latency p50 / p99, us", (row) => `${figure(median(of(row, "p50Us")))} / ${figure(median(of(row, "p99Us")))}`],
    ["processor time, us", (row) => figure(median(of(row, "cpuUs")))],
  ]);
}

const HIGHLIGHTS = ["image preprocess, 640x480 JPEG", "word pieces of 128 words"];

export const work: Part<WorkFigures> = {
  name: "work",
  about: "steps of real work against numpy and Pillow",
  measure: (context) => context.withServer((server) => measure(context, server)),
  sections: (figures) => ({ "Real work": workTable(figures) }),
  verdicts,
  highlights: ({ cells }) =>
    HIGHLIGHTS.flatMap((label) => {
      const cell = cells.find((one) => one.label === `${label} x 8`);
      return highlight(`${label}, 8 clients: requests/s`, cell, cell?.judged ?? "", PYTHON, "throughput");
    }),
};
