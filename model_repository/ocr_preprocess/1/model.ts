// SPDX-License-Identifier: Apache-2.0
// First step of the ensemble `ocr`: encoded picture to the input of the text detection network.

import {
  type InferenceRequest,
  InferenceResponse,
  type InitializeArgs,
  Tensor,
  TritonError,
  type TritonModel,
} from "triton-typescript";
import { decodePicture } from "./decode_picture.ts";
import {
  defaultLimits,
  detectionSize,
  geometryLength,
  geometryToArray,
  limitsFrom,
  preparePicture,
  type SizeLimits,
  writeDetectionInput,
} from "./detection_input.ts";

/**
 * IMAGE UINT8 [bytes] -> DETECTION_INPUT FP32 [1, 3, height, width], PIXELS UINT8 [height, width, 3] (blue, green, red)
 * and GEOMETRY FP32 [5] (width and height of the original, scale in x and y, black rows on top).
 */
export default class OcrPreprocess implements TritonModel {
  #limits: SizeLimits = defaultLimits;

  initialize(args: InitializeArgs): void {
    this.#limits = limitsFrom(args.modelConfig);
  }

  execute(requests: InferenceRequest[]): Promise<(InferenceResponse | TritonError)[]> {
    return Promise.all(requests.map((request) => this.#prepare(request)));
  }

  async #prepare(request: InferenceRequest): Promise<InferenceResponse | TritonError> {
    try {
      const original = await decodePicture(request.input("IMAGE", "UINT8").data);
      const { picture, geometry } = preparePicture(original, this.#limits);
      const size = detectionSize(picture, this.#limits);
      const input = request.allocateOutput("DETECTION_INPUT", "FP32", [1, 3, size.height, size.width]);
      writeDetectionInput(picture, size, input.data);
      return new InferenceResponse([
        input,
        new Tensor("PIXELS", picture.data, [picture.height, picture.width, 3], "UINT8"),
        new Tensor("GEOMETRY", geometryToArray(geometry), [geometryLength], "FP32"),
      ]);
    } catch (error) {
      if (error instanceof TritonError) return error;
      return new TritonError(error instanceof Error ? error.message : String(error), "INVALID_ARG");
    }
  }
}
