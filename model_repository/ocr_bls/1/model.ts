// SPDX-License-Identifier: Apache-2.0
// The ensemble `ocr` in one model: the same functions in the same order, and the networks are called.

import {
  InferenceRequest,
  type InferenceResponse,
  type InitializeArgs,
  Tensor,
  TritonError,
  type TritonModel,
} from "triton-typescript";
import { numberParameter } from "../../ocr/1/parameters.ts";
import { type BoxOptions, boxOptionsFrom, defaultBoxOptions, findBoxes } from "../../ocr_crops/1/boxes.ts";
import { type Crops, cropHeight, directionWidth, makeCrops, toOriginal } from "../../ocr_crops/1/crops.ts";
import { loadAlphabet } from "../../ocr_decode/1/alphabet.ts";
import { answerWith, scoresOf } from "../../ocr_decode/1/answer.ts";
import { readLines, type Scores } from "../../ocr_decode/1/decode.ts";
import { decodePicture } from "../../ocr_preprocess/1/decode_picture.ts";
import {
  defaultLimits,
  detectionSize,
  geometryToArray,
  limitsFrom,
  type Prepared,
  preparePicture,
  type SizeLimits,
  writeDetectionInput,
} from "../../ocr_preprocess/1/detection_input.ts";
import { type Batch, batchShape, rowsOf, splitByWidth, upsideDown, writeBatch } from "../../ocr_upright/1/batches.ts";

/** Inputs and outputs of the networks, as their files name them. */
const NETWORK_INPUT = "x";
const DETECTION_OUTPUT = "sigmoid_0.tmp_0";
const DIRECTION_OUTPUT = "softmax_0.tmp_0";
const RECOGNITION_OUTPUT = "softmax_11.tmp_0";

/** IMAGE UINT8 [bytes] -> TEXT BYTES [found], CONFIDENCE FP32 [found] and BOX FP32 [found, 4, 2]. */
export default class OcrBls implements TritonModel {
  #limits: SizeLimits = defaultLimits;
  #boxOptions: BoxOptions = defaultBoxOptions;
  #directionThreshold = 0.9;
  #minConfidence = 0.5;
  #alphabet: string[] = [];

  initialize({ modelConfig }: InitializeArgs): void {
    this.#limits = limitsFrom(modelConfig);
    this.#boxOptions = boxOptionsFrom(modelConfig);
    this.#directionThreshold = numberParameter(modelConfig, "DIRECTION_THRESHOLD", this.#directionThreshold);
    this.#minConfidence = numberParameter(modelConfig, "MIN_CONFIDENCE", this.#minConfidence);
    this.#alphabet = loadAlphabet();
  }

  execute(requests: InferenceRequest[]): Promise<(InferenceResponse | TritonError)[]> {
    return Promise.all(
      requests.map((request) =>
        this.#read(request).catch((error: unknown) => {
          if (error instanceof TritonError) return error;
          throw error;
        }),
      ),
    );
  }

  async #read(request: InferenceRequest): Promise<InferenceResponse> {
    const { picture, geometry } = await this.#prepare(request.input("IMAGE", "UINT8").data);
    const map = await this.#detect(request, picture);
    const found = findBoxes(map, picture, this.#boxOptions);
    // Nothing to turn, nothing to read: the two other networks are not called. An ensemble has no such choice.
    if (found.length === 0) return answerWith([], new Float32Array());

    const crops = makeCrops(picture, found);
    const turned = await this.#directions(request, crops);
    const { narrow, wide } = splitByWidth(crops.widths);
    const [narrowScores, wideScores] = await Promise.all([
      this.#recognise(request, narrow, crops, turned),
      this.#recognise(request, wide, crops, turned),
    ]);
    const rows = rowsOf(narrow, wide, crops.widths.length);
    const lines = readLines([narrowScores, wideScores], rows, this.#alphabet, this.#minConfidence);
    return answerWith(lines, toOriginal(found, geometryToArray(geometry)));
  }

  async #prepare(encoded: Uint8Array): Promise<Prepared> {
    try {
      return preparePicture(await decodePicture(encoded), this.#limits);
    } catch (error) {
      // What cannot be decoded is the client's mistake.
      throw error instanceof TritonError ? error : new TritonError((error as Error).message, "INVALID_ARG");
    }
  }

  async #detect(request: InferenceRequest, picture: Prepared["picture"]) {
    const size = detectionSize(picture, this.#limits);
    const input = request.allocateOutput(NETWORK_INPUT, "FP32", [1, 3, size.height, size.width]);
    writeDetectionInput(picture, size, input.data);
    const { data, shape } = await ask(request, "ocr_detection", input, DETECTION_OUTPUT);
    return { data, width: shape[3]!, height: shape[2]! };
  }

  async #directions(request: InferenceRequest, crops: Crops): Promise<boolean[]> {
    const input = new Tensor(NETWORK_INPUT, crops.direction, [crops.windows, 3, cropHeight, directionWidth], "FP32");
    const { data } = await ask(request, "ocr_direction", input, DIRECTION_OUTPUT);
    return upsideDown(data, crops.widths, this.#directionThreshold);
  }

  async #recognise(request: InferenceRequest, batch: Batch, crops: Crops, turned: readonly boolean[]): Promise<Scores> {
    // Of one line there is a narrow batch only.
    if (batch.crops.length === 0) return { data: new Float32Array(), steps: 0, letters: this.#alphabet.length };
    const input = request.allocateOutput(NETWORK_INPUT, "FP32", batchShape(batch));
    writeBatch(batch, crops, turned, input.data);
    return scoresOf(await ask(request, "ocr_recognition", input, RECOGNITION_OUTPUT), this.#alphabet);
  }
}

/** Asks a network, and ends with the request. An input of `allocateOutput` lies where the network can read it. */
async function ask(
  request: InferenceRequest,
  modelName: string,
  input: Tensor<"FP32">,
  output: string,
): Promise<Tensor<"FP32">> {
  const call = new InferenceRequest({ modelName, inputs: [input], signal: request.signal });
  return (await call.exec()).output(output, "FP32");
}
