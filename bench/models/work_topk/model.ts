// SPDX-License-Identifier: Apache-2.0
// LOGITS FP32 [classes] -> SCORES FP32 [5], INDICES INT64 [5]: the five best classes.

import { type InferenceRequest, InferenceResponse, type TritonModel } from "triton-typescript";
import { topClasses } from "./topk.ts";

const k = 5;

export default class TopClasses implements TritonModel {
  execute(requests: InferenceRequest[]): InferenceResponse[] {
    return requests.map((request) => {
      const scores = request.allocateOutput("SCORES", "FP32", [k]);
      const indices = request.allocateOutput("INDICES", "INT64", [k]);
      topClasses(request.input("LOGITS", "FP32").data, scores.data, indices.data);
      return new InferenceResponse([scores, indices]);
    });
  }
}
