// SPDX-License-Identifier: Apache-2.0
// Text boxes to the two forms in which crops travel on: the input of the direction network, and crops of one height.

import { TritonError } from "triton-typescript";
import { directionWindows, windowHeight, windowWidth } from "../../ocr/1/direction_windows.ts";
import { columnsOf, type Picture, resizeLinear, writePlanes } from "../../ocr/1/picture.ts";
import { splitByWidth } from "../../ocr_upright/1/batches.ts";
import type { Quad } from "./rectangle.ts";
import { cropSize, cutOut } from "./warp.ts";

/** Height of every crop in pixels: recognition and direction networks take this one. */
export const cropHeight = windowHeight;
/** Width of the direction network's input. */
export const directionWidth = windowWidth;
/** A crop wider than this after scaling, some 700 letters, is squeezed. */
const maxCropWidth = 16_000;
/**
 * As wide as all rows of both recognition batches may be together, in pixels: a dense page of small print. For each, the
 * networks' inputs and scores take four kilobytes.
 */
const maxBatchWidth = 400_000;

/** Crops of one picture, in the order of their boxes. */
export interface Crops {
  /** Pixels of all crops one after the other; each is `cropHeight` rows of `widths[i]` pixels of three bytes. */
  readonly pixels: Uint8Array;
  readonly widths: Int32Array;
  /** What the direction network looks at: `directionWindows` says how many windows each crop has. */
  readonly windows: number;
  /** [windows, 3, cropHeight, directionWidth]. */
  readonly direction: Float32Array;
}

/** Width of a box's crop when it is scaled to the height of all crops. */
function scaledWidth(box: Quad): number {
  const { width, height, isTall } = cropSize(box);
  const [along, across] = isTall ? [height, width] : [width, height];
  return Math.min(Math.ceil((cropHeight * along) / across), maxCropWidth);
}

/** Throws a `TritonError` INVALID_ARG when crops of these widths hold more text than can be read at once. */
function refuseTooMuch(widths: Int32Array): void {
  const { narrow, wide } = splitByWidth(widths);
  const total = [narrow, wide].reduce((sum, batch) => sum + batch.crops.length * batch.width, 0);
  if (total <= maxBatchWidth) return;
  throw new TritonError(
    `IMAGE has ${widths.length} pieces of text, which take ${total} pixels in a row when they are scaled to be read; ` +
      `at most ${maxBatchWidth} can be read at once. Send it in parts.`,
    "INVALID_ARG",
  );
}

/** Cuts all boxes out of a picture. Throws a `TritonError` when they hold more text than can be read at once. */
export function makeCrops(picture: Picture, boxes: readonly Quad[]): Crops {
  const widths = Int32Array.from(boxes, scaledWidth);
  refuseTooMuch(widths);
  const windows = Array.from(widths, directionWindows);
  const plane = cropHeight * directionWidth;
  const direction = new Float32Array(windows.flat().length * 3 * plane);
  const pixels = new Uint8Array(widths.reduce((sum, width) => sum + width * cropHeight * 3, 0));
  let crop = 0;
  let window = 0;
  for (const [i, box] of boxes.entries()) {
    const scaled = resizeLinear(cutOut(picture, box), widths[i]!, cropHeight);
    pixels.set(scaled.data, crop);
    crop += scaled.data.length;
    for (const left of windows[i]!) {
      writePlanes(columnsOf(scaled, left, directionWidth), direction, window++ * 3 * plane, directionWidth, plane);
    }
  }
  return { pixels, widths, windows: window, direction };
}

/**
 * What is sent on when a picture has no text: networks take no empty batch, so there is one small crop of width zero
 * in the list of widths, which the later steps know to drop.
 */
export function noCrops(): Crops {
  return {
    pixels: new Uint8Array(1),
    widths: Int32Array.of(0),
    windows: 1,
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
