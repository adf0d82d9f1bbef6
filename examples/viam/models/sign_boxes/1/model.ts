// SPDX-License-Identifier: Apache-2.0
import { type InferenceRequest, InferenceResponse, Tensor, type TritonModel } from "triton-typescript";

/** As many detections as there always are: those that are not needed have a score of 0. */
const count = 25;

function detections(request: InferenceRequest): InferenceResponse {
  const [height = 1, width = 1] = request.input("SIZE", "INT32").data;
  const scores = request.input("CONFIDENCE", "FP32").data;
  const corners = request.input("BOX", "FP32").data;
  const location = new Float32Array(count * 4);
  const score = new Float32Array(count);
  for (let line = 0; line < Math.min(count, scores.length); line++) {
    const points = corners.subarray(line * 8, line * 8 + 8);
    const xs = points.filter((_, i) => i % 2 === 0).map((x) => Math.min(1, Math.max(0, x / width)));
    const ys = points.filter((_, i) => i % 2 === 1).map((y) => Math.min(1, Math.max(0, y / height)));
    // The order that the vision service expects: ymin, xmin, ymax, xmax, from 0 to 1.
    location.set([Math.min(...ys), Math.min(...xs), Math.max(...ys), Math.max(...xs)], line * 4);
    score[line] = scores[line]!;
  }
  return new InferenceResponse([
    new Tensor("location", location, [1, count, 4]),
    new Tensor("category", new Float32Array(count), [1, count]),
    new Tensor("score", score, [1, count]),
  ]);
}

/** The upright rectangle around each line of text, its confidence as the score, and one category: a sign. */
export default class SignBoxes implements TritonModel {
  execute(requests: InferenceRequest[]) {
    return requests.map(detections);
  }
}
