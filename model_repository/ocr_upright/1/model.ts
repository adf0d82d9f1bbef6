// SPDX-License-Identifier: Apache-2.0
// Fifth step of the ensemble `ocr`: turns crops that stand on their head and makes the recognition network's batches.

import {
  type InferenceRequest,
  InferenceResponse,
  type InitializeArgs,
  Tensor,
  type TritonModel,
} from "triton-typescript";
import { numberParameter } from "../../ocr/1/parameters.ts";
import { batchShape, rowsOf, splitByWidth, upsideDown, writeBatch } from "./batches.ts";

/**
 * CROPS UINT8 [bytes], CROP_WIDTHS INT32 [crops] and DIRECTION FP32 [windows, 2] -> NARROW and WIDE FP32 [rows, 3, 48, width]
 * and ROWS INT32 [crops, 2] (batch and row of each crop).
 */
export default class OcrUpright implements TritonModel {
  #threshold = 0.9;

  initialize(args: InitializeArgs): void {
    this.#threshold = numberParameter(args.modelConfig, "DIRECTION_THRESHOLD", this.#threshold);
  }

  execute(requests: InferenceRequest[]): InferenceResponse[] {
    return requests.map((request) => {
      const widths = request.input("CROP_WIDTHS", "INT32").data;
      const crops = { pixels: request.input("CROPS", "UINT8").data, widths };
      const turned = upsideDown(request.input("DIRECTION", "FP32").data, widths, this.#threshold);
      const { narrow, wide } = splitByWidth(widths);
      const narrowInput = request.allocateOutput("NARROW", "FP32", batchShape(narrow));
      const wideInput = request.allocateOutput("WIDE", "FP32", batchShape(wide));
      writeBatch(narrow, crops, turned, narrowInput.data);
      writeBatch(wide, crops, turned, wideInput.data);
      const rows = new Tensor("ROWS", rowsOf(narrow, wide, widths.length), [widths.length, 2], "INT32");
      return new InferenceResponse([narrowInput, wideInput, rows]);
    });
  }
}
