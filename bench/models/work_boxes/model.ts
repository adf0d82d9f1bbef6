// SPDX-License-Identifier: Apache-2.0
// BOXES FP32 [n, 4], SCORES FP32 [n] -> KEPT_BOXES FP32 [m, 4], KEPT_SCORES FP32 [m]: what a detector has found.

import { type InferenceRequest, InferenceResponse, type TritonModel } from "triton-typescript";
import { suppress } from "./suppress.ts";

export default class Detections implements TritonModel {
  execute(requests: InferenceRequest[]): InferenceResponse[] {
    return requests.map((request) => {
      const boxes = request.input("BOXES", "FP32").data;
      const scores = request.input("SCORES", "FP32").data;
      const kept = suppress(boxes, scores);
      const keptBoxes = request.allocateOutput("KEPT_BOXES", "FP32", [kept.length, 4]);
      const keptScores = request.allocateOutput("KEPT_SCORES", "FP32", [kept.length]);
      for (let i = 0; i < kept.length; i++) {
        const from = kept[i]!;
        keptScores.data[i] = scores[from]!;
        for (let side = 0; side < 4; side++) keptBoxes.data[i * 4 + side] = boxes[from * 4 + side]!;
      }
      return new InferenceResponse([keptBoxes, keptScores]);
    });
  }
}
