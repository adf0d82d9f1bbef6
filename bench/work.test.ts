// SPDX-License-Identifier: Apache-2.0
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import sharp from "sharp";
import { afterAll, describe, expect, test } from "vitest";
import { inputData } from "./load.ts";
import { configOf, install } from "./models.ts";
import { rounds } from "./testing.ts";
import { type WorkCell, work } from "./work.ts";
import { detections, logits, picture, randomNumbers, text, vocabulary } from "./work_inputs.ts";
import { allSteps, modelsOf } from "./work_steps.ts";

const speeds = (...values: number[]) => rounds("throughput", ...values);
const IN_FLIGHT = "typescript, 4 batches in flight";
const cell = (values: Partial<WorkCell> = {}): WorkCell => ({
  label: "image x 8",
  step: "image",
  judged: IN_FLIGHT,
  concurrency: 8,
  samples: {
    python_backend: speeds(100, 200, 100),
    typescript: speeds(110, 240, 130),
    [IN_FLIGHT]: speeds(150, 340, 160),
  },
  ...values,
});

test("the first aim speaks of the judged contestant, the second of all of ours, each within a round", () => {
  const [first, second] = work.verdicts({ cells: [cell()] });
  expect(first).toMatchObject({ met: true, worst: "1.6 (image x 8, typescript, 4 batches in flight)" });
  expect(second).toMatchObject({ met: true, worst: "1.2 (image x 8, typescript)" });
});

test("what is too slow is missed", () => {
  const slow = cell({ judged: "typescript", samples: { python_backend: speeds(100), typescript: speeds(99) } });
  expect(work.verdicts({ cells: [cell(), slow] }).map(({ met }) => met)).toEqual([false, false]);
});

test("the table has a row for each contestant, losers too", () => {
  const cells = [cell(), cell({ samples: { python_backend: speeds(10) } })];
  const rows = work.sections({ cells })["Real work"]!.split("\n").slice(2);
  expect(rows).toHaveLength(4);
  expect(rows[0]).toBe("| image x 8 | python_backend | 100 (100-200) | 1 | 1 / 1 | 1 |");
  expect(rows[2]).toContain("| 1.6 (1.5-1.7) |");
});

const scratch = mkdtempSync(path.join(os.tmpdir(), "triton-typescript-work-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const steps = await allSteps();

test("there are four steps, and each has its judged contestant", () => {
  expect(steps.map(({ name }) => name)).toEqual(["image", "topk", "boxes", "tokens"]);
  for (const step of steps) expect(modelsOf(step).map(({ title }) => title)).toContain(step.judged);
});

describe.each(steps)("$name", (step) => {
  test("all contestants have one configuration but for the backend and the batches in flight", () => {
    const [python, plain, inFlight] = modelsOf(step).map(configOf);
    expect(plain).toBe(python!.replace('backend: "python"', 'backend: "typescript"'));
    expect((inFlight ?? plain)!.replace(/^parameters .*\n/m, "")).toBe(plain);
    expect(plain).not.toMatch(/^parameters/m);
  });

  test("every input and output that is sent or compared is in the configuration", () => {
    for (const name of [...step.inputs.map((tensor) => tensor.name), ...Object.keys(step.tolerances)]) {
      expect(configOf(modelsOf(step)[0]!)).toContain(`name: "${name}"`);
    }
  });

  test("the models have all their files", () => {
    for (const model of modelsOf(step)) {
      install(scratch, model);
      const version = path.join(scratch, model.name, "1");
      const file = model.backend === "python" ? "model.py" : "model.ts";
      expect(readdirSync(version)).toEqual(expect.arrayContaining([file, ...Object.keys(step.files ?? {})]));
      for (const [, helper] of readFileSync(path.join(version, file), "utf8").matchAll(/from "(\.\/[^"]+)"/g)) {
        expect(existsSync(path.join(version, helper!))).toBe(true);
      }
    }
  });

  test("perf_analyzer gets the bytes of each input", () => {
    const [row] = JSON.parse(inputData(step.inputs)).data;
    for (const { name, shape, bytes } of step.inputs) {
      expect(row[name].shape).toEqual(shape);
      expect(Buffer.from(row[name].content.b64, "base64").equals(bytes)).toBe(true);
    }
  });
});

describe("the inputs", () => {
  test("random numbers lie from 0 up to 1 and depend on the seed alone", () => {
    const [a, again, other] = [7, 7, 8].map((seed) => Array.from({ length: 1000 }, randomNumbers(seed))) as number[][];
    expect(Math.min(...a!)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...a!)).toBeLessThan(1);
    expect(a).toEqual(again);
    expect(a).not.toEqual(other);
    expect(a!.reduce((sum, value) => sum + value) / 1000).toBeCloseTo(0.5, 1);
  });

  test("the picture is a JPEG of 640 x 480", async () => {
    expect(await sharp(await picture()).metadata()).toMatchObject({ format: "jpeg", width: 640, height: 480 });
  });

  test("no two classes are equally likely, so that their order is certain", () => {
    expect(new Set(logits(1000)).size).toBe(1000);
  });

  test("boxes have an area and a score, ten of them around one thing", () => {
    const { boxes, scores } = detections(50);
    expect([boxes.length, scores.length]).toEqual([200, 50]);
    for (let i = 0; i < 50; i++) {
      const [left, top, right, bottom] = boxes.subarray(i * 4);
      expect(right).toBeGreaterThan(left!);
      expect(bottom).toBeGreaterThan(top!);
      // None is further off than the jitter allows: 15 % of at most 150 pixels to either side.
      expect(Math.abs(left! - boxes[Math.floor(i / 10) * 40]!)).toBeLessThanOrEqual(45);
    }
  });

  test("the vocabulary has as many pieces as asked for, each once, and the special ones first", () => {
    const pieces = vocabulary(3000);
    expect([pieces.length, new Set(pieces).size]).toEqual([3000, 3000]);
    expect(pieces.slice(0, 4)).toEqual(["[PAD]", "[UNK]", "[CLS]", "[SEP]"]);
    expect(pieces.filter((piece) => piece.startsWith("##")).length).toBeGreaterThan(300);
  });

  test("the text has as many words as asked for, some of which are no piece of the vocabulary", () => {
    const pieces = vocabulary(3000);
    const words = text(128, pieces).split(" ");
    expect(words).toHaveLength(128);
    const unknown = words.filter((word) => !pieces.includes(word.toLowerCase().replace(/[.,]$/, "")));
    expect(unknown.length).toBeGreaterThan(16);
    expect(unknown.length).toBeLessThanOrEqual(32);
  });
});
