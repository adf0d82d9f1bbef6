// SPDX-License-Identifier: Apache-2.0
// The steps of the work part: what each takes and gives, and who makes it.

import { writeFileSync } from "node:fs";
import path from "node:path";
import { serializeBytes } from "../stub/src/api/index.ts";
import { writeModel } from "./setup.ts";
import type { WireTensor } from "./wire.ts";
import type { Tolerance } from "./work_answers.ts";
import { detections, logits, picture, text, vocabulary } from "./work_inputs.ts";

export const CONTESTANT_NAMES = ["python", "typescript", "inFlight"] as const;
export type ContestantName = (typeof CONTESTANT_NAMES)[number];

export const TITLES: Readonly<Record<ContestantName, string>> = {
  python: "python_backend",
  typescript: "typescript",
  inFlight: "typescript, 4 batches in flight",
};

export type StepName = "image" | "topk" | "boxes" | "tokens";

export interface Step {
  name: StepName;
  title: string;
  contestants: readonly ContestantName[];
  /** The one of ours that the aims speak of: with the settings that its author would choose. */
  judged: ContestantName;
  /** Inputs and outputs in config.pbtxt. */
  signature: string;
  /** Sources of the TypeScript model and of the Python model, below bench/models. */
  sources: { typescript: readonly string[]; python: readonly string[] };
  inputs: readonly WireTensor[];
  /** Each output with what the two answers may differ by. */
  outputs: Readonly<Record<string, Tolerance>>;
  /** Bytes of the largest output, which perf_analyzer has to know. */
  outputBytes: number;
  /** Further files of the version folder, by name. */
  files?: Readonly<Record<string, string>>;
}

const CLASSES = 1000;
const BOXES = 1000;
const WORDS = 128;
const PIECES = 30_000;
const SIDE = 224;

const bytesOf = (array: Float32Array) => new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
const fp32 = (name: string, data: Float32Array, shape: readonly number[]): WireTensor => ({
  name,
  datatype: "FP32",
  shape,
  data: bytesOf(data),
});
const oneString = (name: string, value: string | Uint8Array): WireTensor => ({
  name,
  datatype: "BYTES",
  shape: [1],
  data: serializeBytes([value]),
});

async function imageStep(): Promise<Step> {
  return {
    name: "image",
    title: "image preprocess, 640x480 JPEG",
    contestants: ["python", "typescript", "inFlight"],
    judged: "inFlight",
    signature: `
input [ { name: "IMAGE" data_type: TYPE_STRING dims: [ 1 ] } ]
output [ { name: "PIXELS" data_type: TYPE_FP32 dims: [ 3, ${SIDE}, ${SIDE} ] } ]`,
    sources: {
      typescript: ["work_image/model.ts", "work_image/picture.ts"],
      python: ["work_image_python/model.py"],
    },
    inputs: [oneString("IMAGE", await picture())],
    // The two libraries resize differently. One step of a byte is 0.017; white and black are 4.4 apart.
    outputs: { PIXELS: { mean: 0.02, largest: 0.5 } },
    outputBytes: 3 * SIDE * SIDE * 4,
  };
}

function topkStep(): Step {
  return {
    name: "topk",
    title: `softmax and the 5 best of ${CLASSES} classes`,
    contestants: ["python", "typescript"],
    judged: "typescript",
    signature: `
input [ { name: "LOGITS" data_type: TYPE_FP32 dims: [ ${CLASSES} ] } ]
output [
  { name: "SCORES" data_type: TYPE_FP32 dims: [ 5 ] },
  { name: "INDICES" data_type: TYPE_INT64 dims: [ 5 ] }
]`,
    sources: {
      typescript: ["work_topk/model.ts", "work_topk/topk.ts"],
      python: ["work_topk_python/model.py"],
    },
    inputs: [fp32("LOGITS", logits(CLASSES), [CLASSES])],
    outputs: { SCORES: { largest: 1e-5 }, INDICES: {} },
    outputBytes: 5 * 8,
  };
}

function boxesStep(): Step {
  const { boxes, scores } = detections(BOXES);
  return {
    name: "boxes",
    title: `non-maximum suppression of ${BOXES} boxes`,
    contestants: ["python", "typescript"],
    judged: "typescript",
    signature: `
input [
  { name: "BOXES" data_type: TYPE_FP32 dims: [ -1, 4 ] },
  { name: "SCORES" data_type: TYPE_FP32 dims: [ -1 ] }
]
output [
  { name: "KEPT_BOXES" data_type: TYPE_FP32 dims: [ -1, 4 ] },
  { name: "KEPT_SCORES" data_type: TYPE_FP32 dims: [ -1 ] }
]`,
    sources: {
      typescript: ["work_boxes/model.ts", "work_boxes/suppress.ts"],
      python: ["work_boxes_python/model.py"],
    },
    inputs: [fp32("BOXES", boxes, [BOXES, 4]), fp32("SCORES", scores, [BOXES])],
    outputs: { KEPT_BOXES: {}, KEPT_SCORES: {} },
    outputBytes: BOXES * 4 * 4,
  };
}

function tokensStep(): Step {
  const pieces = vocabulary(PIECES);
  return {
    name: "tokens",
    title: `word pieces of ${WORDS} words`,
    contestants: ["python", "typescript"],
    judged: "typescript",
    signature: `
input [ { name: "TEXT" data_type: TYPE_STRING dims: [ 1 ] } ]
output [ { name: "IDS" data_type: TYPE_INT64 dims: [ -1 ] } ]`,
    sources: {
      typescript: ["work_tokens/model.ts", "work_tokens/tokeniser.ts"],
      python: ["work_tokens_python/model.py"],
    },
    inputs: [oneString("TEXT", text(WORDS, pieces))],
    outputs: { IDS: {} },
    outputBytes: 16 << 10,
    files: { "vocabulary.txt": `${pieces.join("\n")}\n` },
  };
}

export async function allSteps(): Promise<Step[]> {
  return [await imageStep(), topkStep(), boxesStep(), tokensStep()];
}

export function modelName(step: Step, contestant: ContestantName): string {
  return `work_${step.name}_${contestant}`;
}

/** The same for all contestants: no batching, one instance on the CPU. Only the last one has a setting of its own. */
export function stepConfig(step: Step, contestant: ContestantName): string {
  return [
    `backend: "${contestant === "python" ? "python" : "typescript"}"`,
    `max_batch_size: 0${step.signature}`,
    "instance_group [ { kind: KIND_CPU count: 1 } ]",
    ...(contestant === "inFlight" ? ['parameters { key: "MAX_IN_FLIGHT_BATCHES" value { string_value: "4" } }'] : []),
    "",
  ].join("\n");
}

/** Writes the models of a step into the repository. */
export function writeStep(repository: string, step: Step): void {
  for (const contestant of step.contestants) {
    const folder = writeModel(repository, modelName(step, contestant), {
      config: stepConfig(step, contestant),
      sources: step.sources[contestant === "python" ? "python" : "typescript"],
    });
    for (const [name, content] of Object.entries(step.files ?? {}))
      writeFileSync(path.join(folder, "1", name), content);
  }
}

/** The inputs as perf_analyzer reads them. */
export function inputData(step: Step): string {
  const tensors = step.inputs.map(({ name, shape, data }) => [
    name,
    { content: { b64: Buffer.from(data).toString("base64") }, shape },
  ]);
  return JSON.stringify({ data: [Object.fromEntries(tensors)] });
}
