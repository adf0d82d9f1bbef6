// SPDX-License-Identifier: Apache-2.0
// Steps of real work, in TypeScript and in Python with numpy and Pillow. About three minutes with five rounds.

import { writeFileSync } from "node:fs";
import path from "node:path";
import { measureLoad } from "./measured_load.ts";
import { figure } from "./numbers.ts";
import type { Part, PartContext } from "./part.ts";
import type { Server } from "./server.ts";
import { BENCH_DIR } from "./setup.ts";
import { turnOf } from "./turn.ts";
import { ask } from "./wire.ts";
import { difference } from "./work_answers.ts";
import {
  emptyCells,
  type WorkCell,
  type WorkFigures,
  type WorkSample,
  workSections,
  workVerdicts,
} from "./work_cells.ts";
import { allSteps, type ContestantName, inputData, modelName, type Step, TITLES, writeStep } from "./work_steps.ts";

/** Throws unless all contestants answer alike. */
async function checkStep(server: Server, step: Step): Promise<void> {
  const names = Object.keys(step.outputs);
  const reference = await ask(server, modelName(step, "python"), step.inputs, names);
  for (const contestant of step.contestants) {
    const answer = await ask(server, modelName(step, contestant), step.inputs, names);
    answer.forEach((tensor, i) => {
      const found = difference(tensor, reference[i]!, step.outputs[tensor.name] ?? {});
      if (found) {
        throw new Error(
          `${TITLES[contestant]} and ${TITLES.python} must answer alike in the step "${step.title}", but ${found}. Their timing would mean nothing.`,
        );
      }
    });
  }
}

async function measure(
  context: PartContext,
  server: Server,
  step: Step,
  cell: WorkCell,
  contestant: ContestantName,
): Promise<WorkSample> {
  const { throughput, p50Us, p99Us, cpuUs } = await measureLoad(context.bench, server, {
    model: modelName(step, contestant),
    bytes: step.outputBytes,
    inputData: inputFile(step),
    concurrency: cell.concurrency,
    windowMs: context.windowMs,
  });
  return { throughput, p50Us, p99Us, cpuUs };
}

const inputFile = (step: Step) => path.join(BENCH_DIR, `work_${step.name}.json`);

async function run(context: PartContext, server: Server, steps: readonly Step[]): Promise<WorkFigures> {
  const { rounds, concurrencies, say } = context;
  for (const step of steps) {
    writeFileSync(inputFile(step), inputData(step));
    for (const contestant of step.contestants) await server.load(modelName(step, contestant));
    await checkStep(server, step);
  }
  say(`answers of ${steps.length} steps are alike`);

  const cells = emptyCells(steps, concurrencies);
  for (let round = 0; round < rounds; round++) {
    for (const cell of cells) {
      const step = steps.find(({ name }) => name === cell.step)!;
      for (const contestant of turnOf(step.contestants, round)) {
        const sample = await measure(context, server, step, cell, contestant);
        cell.samples[contestant] = [...(cell.samples[contestant] ?? []), sample];
        say(
          `round ${round + 1}/${rounds}  ${cell.step} x ${cell.concurrency}  ${TITLES[contestant].padEnd(31)}` +
            ` ${figure(sample.throughput)}/s, p50 ${figure(sample.p50Us)} us`,
        );
      }
    }
  }
  return { cells };
}

export const work: Part<WorkFigures> = {
  name: "work",
  about: "steps of real work against numpy and Pillow",
  pythonPackages: ["pillow==11.3.0"],
  measure: async (context) => {
    const steps = await allSteps();
    for (const step of steps) writeStep(context.bench.repository, step);
    return context.withServer((server) => run(context, server, steps));
  },
  sections: workSections,
  verdicts: workVerdicts,
};
