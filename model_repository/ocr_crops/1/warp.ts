// SPDX-License-Identifier: Apache-2.0
// Cuts a quadrilateral out of a picture and straightens it.

import { type Picture, turnQuarterLeft } from "../../ocr/1/picture.ts";
import { distance } from "./boxes.ts";
import type { Quad } from "./rectangle.ts";

/** A text crop that is at least this much taller than wide is taken for vertical text and turned. */
const verticalRatio = 1.5;

/** Size of the straightened content of a box, and whether it is so tall that it is turned by a quarter. */
export function cropSize(box: Quad): { readonly width: number; readonly height: number; readonly isTall: boolean } {
  const width = Math.trunc(Math.max(distance(box[0], box[1]), distance(box[2], box[3])));
  const height = Math.trunc(Math.max(distance(box[0], box[3]), distance(box[1], box[2])));
  return { width, height, isTall: height / width >= verticalRatio };
}

/** The straightened content of a box (clockwise from the top left), turned by a quarter when it is tall. */
export function cutOut(picture: Picture, box: Quad): Picture {
  const { width, height, isTall } = cropSize(box);
  const crop = isUpright(box) ? copyOut(picture, box, width, height) : warp(picture, box, width, height);
  return isTall ? turnQuarterLeft(crop) : crop;
}

function isUpright([topLeft, topRight, bottomRight, bottomLeft]: Quad): boolean {
  return (
    topLeft.y === topRight.y &&
    bottomLeft.y === bottomRight.y &&
    topLeft.x === bottomLeft.x &&
    topRight.x === bottomRight.x
  );
}

function copyOut(picture: Picture, box: Quad, width: number, height: number): Picture {
  const data = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++) {
    const from = ((box[0].y + y) * picture.width + box[0].x) * 3;
    data.set(picture.data.subarray(from, from + width * 3), y * width * 3);
  }
  return { data, width, height };
}

/**
 * The eight numbers of the projective map from the rectangle (0, 0) - (width, height) to the box:
 * x' = (ax + by + c) / w, y' = (dx + ey + f) / w, w = gx + hy + 1.
 */
function projection(box: Quad, width: number, height: number): readonly number[] {
  const [p0, p1, p2, p3] = box;
  const sumX = p0.x - p1.x + p2.x - p3.x;
  const sumY = p0.y - p1.y + p2.y - p3.y;
  const ax = p1.x - p2.x;
  const ay = p1.y - p2.y;
  const bx = p3.x - p2.x;
  const by = p3.y - p2.y;
  const determinant = ax * by - bx * ay;
  const g = (sumX * by - bx * sumY) / determinant;
  const h = (ax * sumY - sumX * ay) / determinant;
  return [
    (p1.x - p0.x + g * p1.x) / width,
    (p3.x - p0.x + h * p3.x) / height,
    p0.x,
    (p1.y - p0.y + g * p1.y) / width,
    (p3.y - p0.y + h * p3.y) / height,
    p0.y,
    g / width,
    h / height,
  ];
}

/** Positions between pixels are taken in this many steps. */
const subpixels = 32;
/** Sharpness of the cubic filter. */
const cubicA = -0.75;
const cubicWeights = makeCubicWeights();

function makeCubicWeights(): Float32Array {
  const near = (t: number) => ((cubicA + 2) * t - (cubicA + 3)) * t * t + 1;
  const far = (t: number) => ((cubicA * t - 5 * cubicA) * t + 8 * cubicA) * t - 4 * cubicA;
  const weights = new Float32Array(subpixels * 4);
  for (let i = 0; i < subpixels; i++) {
    const t = i / subpixels;
    weights.set([far(t + 1), near(t), near(1 - t), far(2 - t)], i * 4);
  }
  return weights;
}

/** Projective warp with a cubic filter; outside the picture its border is repeated. */
export function warp(picture: Picture, box: Quad, width: number, height: number): Picture {
  const [a, b, c, d, e, f, g, h] = projection(box, width, height) as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const data = new Uint8Array(width * height * 3);
  const lastX = picture.width - 1;
  const lastY = picture.height - 1;
  const columns = new Int32Array(4);
  for (let y = 0, t = 0; y < height; y++) {
    for (let x = 0; x < width; x++, t += 3) {
      const w = g * x + h * y + 1;
      const px = Math.round(((a * x + b * y + c) / w) * subpixels);
      const py = Math.round(((d * x + e * y + f) / w) * subpixels);
      const wx = (px & (subpixels - 1)) * 4;
      const wy = (py & (subpixels - 1)) * 4;
      const left = (px >> 5) - 1;
      const top = (py >> 5) - 1;
      for (let i = 0; i < 4; i++) columns[i] = Math.min(Math.max(left + i, 0), lastX) * 3;
      let blue = 0;
      let green = 0;
      let red = 0;
      for (let j = 0; j < 4; j++) {
        const row = Math.min(Math.max(top + j, 0), lastY) * picture.width * 3;
        const rowWeight = cubicWeights[wy + j]!;
        for (let i = 0; i < 4; i++) {
          const weight = rowWeight * cubicWeights[wx + i]!;
          const at = row + columns[i]!;
          blue += weight * picture.data[at]!;
          green += weight * picture.data[at + 1]!;
          red += weight * picture.data[at + 2]!;
        }
      }
      data[t] = toByte(blue);
      data[t + 1] = toByte(green);
      data[t + 2] = toByte(red);
    }
  }
  return { data, width, height };
}

function toByte(value: number): number {
  return value <= 0 ? 0 : value >= 255 ? 255 : (value + 0.5) | 0;
}
