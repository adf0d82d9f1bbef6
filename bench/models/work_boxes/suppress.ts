// SPDX-License-Identifier: Apache-2.0
// Non-maximum suppression of detected boxes.

const scoreThreshold = 0.25;
const iouThreshold = 0.5;

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
