// SPDX-License-Identifier: Apache-2.0
// Third step of the ensemble `ocr`: probability map of the detection network to boxes and text crops.

import {
  type InferenceRequest,
  InferenceResponse,
  type InitializeArgs,
  Tensor,
  TritonError,
  type TritonModel,
} from "triton-typescript";
import type { Picture } from "../../ocr/1/picture.ts";
import { type BoxOptions, boxOptionsFrom, defaultBoxOptions, findBoxes } from "./boxes.ts";
import { cropHeight, directionWidth, makeCrops, noCrops, toOriginal } from "./crops.ts";

/**
 * PROBABILITY FP32 [1, 1, map height, map width], PIXELS UINT8 [height, width, 3] and GEOMETRY FP32 [5] ->
 * BOXES FP32 [lines, 4, 2] (pixels of the original picture), CROPS UINT8 [bytes], CROP_WIDTHS INT32 [crops] and
 * DIRECTION_INPUT FP32 [windows, 3, 48, 192]. `crops` is `lines`, or 1 with width 0 where there is no line.
 */
export default class OcrCrops implements TritonModel {
  #options: BoxOptions = defaultBoxOptions;

  initialize(args: InitializeArgs): void {
    this.#options = boxOptionsFrom(args.modelConfig);
  }

  execute(requests: InferenceRequest[]): (InferenceResponse | TritonError)[] {
    return requests.map((request) => {
      try {
        return this.#cut(request);
      } catch (error) {
        if (error instanceof TritonError) return error;
        throw error;
      }
    });
  }

  #cut(request: InferenceRequest): InferenceResponse {
    const probability = request.input("PROBABILITY", "FP32");
    const pixels = request.input("PIXELS", "UINT8");
    const [height, width] = pixels.shape as [number, number];
    const picture: Picture = { data: pixels.data, width, height };
    const [mapHeight, mapWidth] = probability.shape.slice(2) as [number, number];
    const boxes = findBoxes({ data: probability.data, width: mapWidth, height: mapHeight }, picture, this.#options);
    const crops = boxes.length > 0 ? makeCrops(picture, boxes) : noCrops();
    return new InferenceResponse([
      new Tensor("BOXES", toOriginal(boxes, request.input("GEOMETRY", "FP32").data), [boxes.length, 4, 2], "FP32"),
      new Tensor("CROPS", crops.pixels, [crops.pixels.length], "UINT8"),
      new Tensor("CROP_WIDTHS", crops.widths, [crops.widths.length], "INT32"),
      new Tensor("DIRECTION_INPUT", crops.direction, [crops.windows, 3, cropHeight, directionWidth], "FP32"),
    ]);
  }
}
