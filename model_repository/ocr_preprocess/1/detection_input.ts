// SPDX-License-Identifier: Apache-2.0
// Sizes: how a picture of any size becomes one that the text detection network takes.

import { numberParameter, type WithParameters } from "../../ocr/1/parameters.ts";
import { type Picture, padRows, resizeLinear, roundHalfEven, writePlanes } from "../../ocr/1/picture.ts";

/** Sides in pixels. */
export interface SizeLimits {
  /** The network sees a picture whose shorter side is at least this long. */
  readonly detectionSide: number;
  /** A picture with a longer side than this is made smaller first. */
  readonly maxSide: number;
}

export const defaultLimits: SizeLimits = { detectionSide: 736, maxSide: 2000 };

/** Limits as the parameters DETECTION_SIDE and MAX_SIDE of a model say. */
export function limitsFrom(config: WithParameters): SizeLimits {
  return {
    detectionSide: numberParameter(config, "DETECTION_SIDE", defaultLimits.detectionSide),
    maxSide: numberParameter(config, "MAX_SIDE", defaultLimits.maxSide),
  };
}

/** Both sides of the network's input are multiples of this. */
const sideMultiple = 32;
/** A picture with a shorter side than this is made larger first. */
const minSide = 30;
/** A picture that is flatter than this (width to height), or lower than `minHeight`, gets black rows above and below. */
const maxFlatness = 8;
const minHeight = 30;

/** How a point of the prepared picture is found in the original one: (x - left) * scaleX, (y - top) * scaleY. */
export interface Geometry {
  readonly width: number;
  readonly height: number;
  readonly scaleX: number;
  readonly scaleY: number;
  readonly top: number;
}

/** Number of values of a geometry when it travels as a tensor. */
export const geometryLength = 5;

export interface Prepared {
  /** The picture from which text is cut out. */
  readonly picture: Picture;
  readonly geometry: Geometry;
}

function toMultiple(side: number): number {
  return Math.max(sideMultiple, roundHalfEven(Math.trunc(side) / sideMultiple) * sideMultiple);
}

/** Brings an original picture into the range of sizes in which detection and recognition work well. */
export function preparePicture(original: Picture, limits: SizeLimits = defaultLimits): Prepared {
  const longer = Math.max(original.width, original.height);
  const shrunk = longer > limits.maxSide ? resizeBy(original, limits.maxSide / longer) : original;
  const sized =
    Math.min(shrunk.width, shrunk.height) < minSide ? resizeBy(shrunk, enlargement(shrunk, limits)) : shrunk;
  const top = paddingRows(sized);
  return {
    picture: top > 0 ? padRows(sized, top, top) : sized,
    geometry: {
      width: original.width,
      height: original.height,
      scaleX: original.width / sized.width,
      scaleY: original.height / sized.height,
      top,
    },
  };
}

/** How much a small picture grows. One that is thin, too, is stretched across instead of becoming long without bound. */
function enlargement({ width, height }: Picture, { maxSide }: SizeLimits): number {
  return Math.min(minSide / Math.min(width, height), Math.max(1, maxSide / Math.max(width, height)));
}

function resizeBy(picture: Picture, ratio: number): Picture {
  return resizeLinear(picture, toMultiple(picture.width * ratio), toMultiple(picture.height * ratio));
}

function paddingRows(picture: Picture): number {
  const { width, height } = picture;
  if (height > minHeight && width / height <= maxFlatness) return 0;
  const wanted = Math.max(Math.trunc(width / maxFlatness), minHeight) * 2;
  return Math.trunc(Math.abs(wanted - height) / 2);
}

/** Width and height of the network's input for a prepared picture. */
export function detectionSize(picture: Picture, limits: SizeLimits = defaultLimits): { width: number; height: number } {
  const shorter = Math.min(picture.width, picture.height);
  const longer = Math.max(picture.width, picture.height);
  // A column one pixel wide would become a picture of more than thirty million pixels, and a minute of work.
  const most = Math.max(1, (limits.detectionSide * maxFlatness) / longer);
  const ratio = shorter < limits.detectionSide ? Math.min(limits.detectionSide / shorter, most) : 1;
  return { width: toMultiple(picture.width * ratio), height: toMultiple(picture.height * ratio) };
}

/** Fills `target` (three planes of `height * width` floats) with the network's input. */
export function writeDetectionInput(
  picture: Picture,
  size: { width: number; height: number },
  target: Float32Array,
): void {
  writePlanes(resizeLinear(picture, size.width, size.height), target, 0, size.width, size.width * size.height);
}

export function geometryToArray(geometry: Geometry): Float32Array {
  return Float32Array.of(geometry.width, geometry.height, geometry.scaleX, geometry.scaleY, geometry.top);
}
