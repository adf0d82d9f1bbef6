// SPDX-License-Identifier: Apache-2.0
// The steps of the work part: what each takes and gives, and who makes it.

import type { BinaryTensor } from "../server/binary_infer.ts";
import { serializeBytes } from "../stub/src/api/index.ts";
import { type Tolerance, tensor } from "./answers.ts";
import type { Contestant } from "./grid.ts";
import { type Model, OURS, PYTHON } from "./models.ts";
import { detections, logits, picture, text, vocabulary } from "./work_inputs.ts";

const IN_FLIGHT = 4;
export const OURS_IN_FLIGHT = `${OURS}, ${IN_FLIGHT} batches in flight`;

export interface Step {
  /** Also in the names of its models and of the folders below bench/models. */
  name: string;
  title: string;
  /** Title of the one of ours that the aims speak of: with the settings that its author would choose. */
  judged: string;
  /** As the configuration states them: see models.ts. */
  takes: readonly string[];
  gives: readonly string[];
  inputs: readonly BinaryTensor[];
  /** Each output with what the two answers may differ by. */
  tolerances: Readonly<Record<string, Tolerance>>;
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

const oneString = (name: string, value: string | Uint8Array) => tensor(name, "BYTES", serializeBytes([value]), [1]);

export async function allSteps(): Promise<Step[]> {
  const { boxes, scores } = detections(BOXES);
  const pieces = vocabulary(PIECES);
  return [
    {
      name: "image",
      title: "image preprocess, 640x480 JPEG",
      judged: OURS_IN_FLIGHT,
      takes: ["IMAGE BYTES 1"],
      gives: [`PIXELS FP32 3 ${SIDE} ${SIDE}`],
      inputs: [oneString("IMAGE", await picture())],
      // The two libraries resize differently. One step of a byte is 0.017; white and black are 4.4 apart.
      tolerances: { PIXELS: { mean: 0.02, largest: 0.5 } },
      outputBytes: 3 * SIDE * SIDE * 4,
    },
    {
      name: "topk",
      title: `softmax and the 5 best of ${CLASSES} classes`,
      judged: OURS,
      takes: [`LOGITS FP32 ${CLASSES}`],
      gives: ["SCORES FP32 5", "INDICES INT64 5"],
      inputs: [tensor("LOGITS", "FP32", logits(CLASSES))],
      tolerances: { SCORES: { largest: 1e-5 }, INDICES: {} },
      outputBytes: 5 * 8,
    },
    {
      name: "boxes",
      title: `non-maximum suppression of ${BOXES} boxes`,
      judged: OURS,
      takes: ["BOXES FP32 -1 4", "SCORES FP32 -1"],
      gives: ["KEPT_BOXES FP32 -1 4", "KEPT_SCORES FP32 -1"],
      inputs: [tensor("BOXES", "FP32", boxes, [BOXES, 4]), tensor("SCORES", "FP32", scores)],
      tolerances: { KEPT_BOXES: {}, KEPT_SCORES: {} },
      outputBytes: BOXES * 4 * 4,
    },
    {
      name: "tokens",
      title: `word pieces of ${WORDS} words`,
      judged: OURS,
      takes: ["TEXT BYTES 1"],
      gives: ["IDS INT64 -1"],
      inputs: [oneString("TEXT", text(WORDS, pieces))],
      tolerances: { IDS: {} },
      outputBytes: 16 << 10,
      files: { "vocabulary.txt": `${pieces.join("\n")}\n` },
    },
  ];
}

/** The models of a step, alike in all but the backend: no batching, one instance. Only the last one has a setting of its own. */
export function modelsOf(step: Step): (Model & Contestant)[] {
  const { name, takes: inputs, gives: outputs, files = {} } = step;
  const common = { inputs, outputs, files };
  const ours = { ...common, backend: "typescript", source: `work_${name}` };
  const inFlight = {
    ...{ ...ours, title: OURS_IN_FLIGHT, name: `work_${name}_inFlight` },
    parameters: { MAX_IN_FLIGHT_BATCHES: String(IN_FLIGHT) },
  };
  return [
    { ...common, title: PYTHON, name: `work_${name}_python`, backend: "python", source: `work_${name}_python` },
    { ...ours, title: OURS, name: `work_${name}_typescript` },
    ...(step.judged === OURS_IN_FLIGHT ? [inFlight] : []),
  ];
}
