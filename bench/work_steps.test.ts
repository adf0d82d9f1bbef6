// SPDX-License-Identifier: Apache-2.0
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { allSteps, inputData, modelName, stepConfig, writeStep } from "./work_steps.ts";

const scratch = mkdtempSync(path.join(os.tmpdir(), "triton-typescript-work-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const steps = await allSteps();

test("there are four steps, and each has its judged contestant", () => {
  expect(steps.map(({ name }) => name)).toEqual(["image", "topk", "boxes", "tokens"]);
  for (const { contestants, judged } of steps) expect(contestants).toContain(judged);
});

describe.each(steps)("$name", (step) => {
  test("all contestants have one configuration but for the backend and the batches in flight", () => {
    const common = (config: string) => config.replace(/^backend: .*$/m, "").replace(/^parameters .*\n/m, "");
    const reference = common(stepConfig(step, "python"));
    for (const contestant of step.contestants) expect(common(stepConfig(step, contestant))).toBe(reference);
    expect(stepConfig(step, "python")).not.toMatch(/^parameters/m);
    expect(stepConfig(step, "typescript")).not.toMatch(/^parameters/m);
  });

  test("every input and output that is sent or compared is in the configuration", () => {
    for (const name of [...step.inputs.map((tensor) => tensor.name), ...Object.keys(step.outputs)]) {
      expect(step.signature).toContain(`name: "${name}"`);
    }
  });

  test("the models have all their files", () => {
    writeStep(scratch, step);
    for (const contestant of step.contestants) {
      const version = path.join(scratch, modelName(step, contestant), "1");
      const model = contestant === "python" ? "model.py" : "model.ts";
      expect(readdirSync(version)).toEqual(expect.arrayContaining([model, ...Object.keys(step.files ?? {})]));
      if (contestant === "python") continue;
      for (const [, helper] of readFileSync(path.join(version, model), "utf8").matchAll(/from "(\.\/[^"]+)"/g)) {
        expect(existsSync(path.join(version, helper!))).toBe(true);
      }
    }
  });

  test("perf_analyzer gets the bytes of each input", () => {
    const [row] = JSON.parse(inputData(step)).data;
    for (const { name, shape, data } of step.inputs) {
      expect(row[name].shape).toEqual(shape);
      expect(Buffer.from(row[name].content.b64, "base64").equals(data)).toBe(true);
    }
  });
});
