// SPDX-License-Identifier: Apache-2.0
// Text boxes to the two forms in which crops travel on: the input of the direction network, and crops of one height.

import { type Picture, resizeLinear, writePlanes } from "../../ocr/1/picture.ts";
import type { Quad } from "./rectangle.ts";
import { cutOut } from "./warp.ts";

/** Height of every crop in pixels: recognition and direction networks take this one. */
export const cropHeight = 48;
/** Width of the direction network's input; longer crops are squeezed, shorter ones end in zeros. */
export const directionWidth = 192;
/** A crop wider than this after scaling, some 130 letters, is squeezed so that one odd box cannot fill the memory. */
const maxCropWidth = 3200;

/** Crops of one picture, in the order of their boxes. */
export interface Crops {
  /** Pixels of all crops one after the other; each is `cropHeight` rows of `widths[i]` pixels of three bytes. */
  readonly pixels: Uint8Array;
  readonly widths: Int32Array;
  /** [crops, 3, cropHeight, directionWidth]. */
  readonly direction: Float32Array;
}

/** Cuts all boxes out of a picture. */
export function makeCrops(picture: Picture, boxes: readonly Quad[]): Crops {
  const scaled: Picture[] = [];
  const plane = cropHeight * directionWidth;
  const direction = new Float32Array(boxes.length * 3 * plane);
  for (const [i, box] of boxes.entries()) {
    const crop = cutOut(picture, box);
    const natural = Math.ceil((cropHeight * crop.width) / crop.height);
    scaled.push(resizeLinear(crop, Math.min(natural, maxCropWidth), cropHeight));
    const narrow = resizeLinear(crop, Math.min(natural, directionWidth), cropHeight);
    writePlanes(narrow, direction, i * 3 * plane, directionWidth, plane);
  }
  const pixels = new Uint8Array(scaled.reduce((sum, crop) => sum + crop.data.length, 0));
  let at = 0;
  for (const crop of scaled) {
    pixels.set(crop.data, at);
    at += crop.data.length;
  }
  return { pixels, widths: Int32Array.from(scaled, (crop) => crop.width), direction };
}

/**
 * What is sent on when a picture has no text: networks take no empty batch, so there is one small crop of width zero
 * in the list of widths, which the later steps know to drop.
 */
export function noCrops(): Crops {
  return {
    pixels: new Uint8Array(1),
    widths: Int32Array.of(0),
    direction: new Float32Array(3 * cropHeight * directionWidth),
  };
}

/** Box corners in pixels of the original picture, from the geometry that the first step sent along. */
export function toOriginal(boxes: readonly Quad[], geometry: Float32Array): Float32Array {
  const [width, height, scaleX, scaleY, top] = geometry as unknown as [number, number, number, number, number];
  const out = new Float32Array(boxes.length * 8);
  let at = 0;
  for (const box of boxes) {
    for (const point of box) {
      out[at++] = Math.min(Math.max(point.x * scaleX, 0), width);
      out[at++] = Math.min(Math.max((point.y - top) * scaleY, 0), height);
    }
  }
  return out;
}
