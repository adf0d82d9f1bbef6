// SPDX-License-Identifier: Apache-2.0
// BOXES FP32 [n, 4], SCORES FP32 [n] -> KEPT_BOXES FP32 [m, 4], KEPT_SCORES FP32 [m]: non-maximum suppression.

import { type InferenceRequest, InferenceResponse, type TritonModel } from "triton-typescript";

const scoreThreshold = 0.25;
const iouThreshold = 0.5;

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

/**
 * `boxes` holds left, top, right, bottom of each box. Gives the numbers of the boxes that stay, best first: those with a
 * score of 0.25 or more that do not overlap a better one that stays by more than half of what both cover together.
 */
export function suppress(boxes: Float32Array, scores: Float32Array): Uint32Array {
  const order = confident(scores);
  // What stays so far: its numbers move to the front of `order`, its boxes lie side by side for the inner loop.
  const stayed = new Float32Array(order.length * 4);
  let count = 0;
  for (const number of order) {
    const left = boxes[number * 4]!;
    const top = boxes[number * 4 + 1]!;
    const right = boxes[number * 4 + 2]!;
    const bottom = boxes[number * 4 + 3]!;
    const area = (right - left) * (bottom - top);
    let stays = true;
    for (let at = 0; stays && at < count * 4; at += 4) {
      const otherLeft = stayed[at]!;
      const otherTop = stayed[at + 1]!;
      const otherRight = stayed[at + 2]!;
      const otherBottom = stayed[at + 3]!;
      // Most boxes are apart: they need no division and no area.
      if (otherLeft >= right || left >= otherRight || otherTop >= bottom || top >= otherBottom) continue;
      const width = Math.min(right, otherRight) - Math.max(left, otherLeft);
      const height = Math.min(bottom, otherBottom) - Math.max(top, otherTop);
      const shared = width * height;
      const otherArea = (otherRight - otherLeft) * (otherBottom - otherTop);
      stays = shared <= iouThreshold * (area + otherArea - shared);
    }
    if (!stays) continue;
    stayed.set([left, top, right, bottom], count * 4);
    order[count++] = number;
  }
  return order.subarray(0, count);
}

/** The numbers of the boxes whose score is high enough, best first. */
function confident(scores: Float32Array): Uint32Array {
  const numbers = new Uint32Array(scores.length);
  let count = 0;
  for (let i = 0; i < scores.length; i++) if (scores[i]! >= scoreThreshold) numbers[count++] = i;
  return numbers.subarray(0, count).sort((a, b) => scores[b]! - scores[a]!);
}
