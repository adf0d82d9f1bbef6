// SPDX-License-Identifier: Apache-2.0
// Probability map to text boxes in reading order.

import { numberParameter, type WithParameters } from "../../ocr/1/parameters.ts";
import { roundHalfEven } from "../../ocr/1/picture.ts";
import { clockwiseFromTopLeft, growRectangle, type Point, type Quad, smallestRectangle } from "./rectangle.ts";
import { findRegions, type ProbabilityMap } from "./regions.ts";

export interface BoxOptions {
  /** A pixel belongs to text above this probability. */
  readonly threshold: number;
  /** A box is kept when the mean probability inside it is at least this. */
  readonly boxThreshold: number;
  /** A box grows by its area times this, divided by its outline: the network marks the core of a line only. */
  readonly unclipRatio: number;
  /** At most this many regions are looked at. */
  readonly maxRegions: number;
}

export const defaultBoxOptions: BoxOptions = { threshold: 0.3, boxThreshold: 0.5, unclipRatio: 1.6, maxRegions: 1000 };

/** Options as the parameters THRESHOLD, BOX_THRESHOLD, UNCLIP_RATIO and MAX_REGIONS of a model say. */
export function boxOptionsFrom(config: WithParameters): BoxOptions {
  return {
    threshold: numberParameter(config, "THRESHOLD", defaultBoxOptions.threshold),
    boxThreshold: numberParameter(config, "BOX_THRESHOLD", defaultBoxOptions.boxThreshold),
    unclipRatio: numberParameter(config, "UNCLIP_RATIO", defaultBoxOptions.unclipRatio),
    maxRegions: numberParameter(config, "MAX_REGIONS", defaultBoxOptions.maxRegions),
  };
}

/** Shortest side of a region and of a grown box, in pixels of the map. */
const minRegionSide = 3;
const minBoxSide = 5;
/** Sides of this length or less, in pixels of the picture, are noise. */
const noiseSide = 3;
/** Boxes whose tops differ by less than this many pixels are on one line. */
const lineTolerance = 10;

/** Text boxes in whole pixels of a picture of the given size: clockwise from the top left, in reading order. */
export function findBoxes(
  map: ProbabilityMap,
  picture: { readonly width: number; readonly height: number },
  options: BoxOptions = defaultBoxOptions,
): Quad[] {
  const boxes: Quad[] = [];
  for (const hull of findRegions(map, options.threshold, options.maxRegions)) {
    const core = smallestRectangle(hull);
    if (core === undefined || Math.min(...core.sides) < minRegionSide) continue;
    if (meanInside(map, core.corners) < options.boxThreshold) continue;
    const [a, b] = core.sides;
    const grown = growRectangle(core, (a * b * options.unclipRatio) / (2 * (a + b)));
    if (grown === undefined || Math.min(...grown.sides) < minBoxSide) continue;
    const box = toPicture(grown.corners, map, picture);
    if (Math.trunc(distance(box[0], box[1])) <= noiseSide || Math.trunc(distance(box[0], box[3])) <= noiseSide)
      continue;
    boxes.push(box);
  }
  return inReadingOrder(boxes);
}

export function distance(a: Point, b: Point): number {
  return Math.hypot(a.x - b.x, a.y - b.y);
}

function toPicture(corners: Quad, map: ProbabilityMap, picture: { width: number; height: number }): Quad {
  const clamp = (value: number, size: number) => Math.min(Math.max(value, 0), size - 1);
  const scaled = corners.map((p) => ({
    x: roundHalfEven((p.x / map.width) * picture.width),
    y: roundHalfEven((p.y / map.height) * picture.height),
  })) as unknown as Quad;
  return clockwiseFromTopLeft(scaled).map((p) => ({
    x: clamp(p.x, picture.width),
    y: clamp(p.y, picture.height),
  })) as unknown as Quad;
}

/** Mean probability inside a box, its outline included. */
export function meanInside(map: ProbabilityMap, corners: Quad): number {
  const clampX = (x: number) => Math.min(Math.max(x, 0), map.width - 1);
  const clampY = (y: number) => Math.min(Math.max(y, 0), map.height - 1);
  const left = clampX(Math.floor(Math.min(...corners.map((p) => p.x))));
  const top = clampY(Math.floor(Math.min(...corners.map((p) => p.y))));
  const right = clampX(Math.ceil(Math.max(...corners.map((p) => p.x))));
  const bottom = clampY(Math.ceil(Math.max(...corners.map((p) => p.y))));
  const rows = bottom - top + 1;
  const from = new Int32Array(rows).fill(right - left + 1);
  const to = new Int32Array(rows).fill(-1);
  for (let i = 0; i < 4; i++) {
    const p = corners[i]!;
    const q = corners[(i + 1) % 4]!;
    markLine(Math.trunc(p.x - left), Math.trunc(p.y - top), Math.trunc(q.x - left), Math.trunc(q.y - top), from, to);
  }
  let sum = 0;
  let count = 0;
  for (let y = 0; y < rows; y++) {
    const end = Math.min(to[y]!, right - left);
    for (let x = Math.max(from[y]!, 0); x <= end; x++) {
      sum += map.data[(top + y) * map.width + left + x]!;
      count++;
    }
  }
  return count === 0 ? 0 : sum / count;
}

/** Walks a line pixel by pixel and widens the span of each row that it crosses. */
function markLine(x0: number, y0: number, x1: number, y1: number, from: Int32Array, to: Int32Array): void {
  const steps = Math.max(Math.abs(x1 - x0), Math.abs(y1 - y0), 1);
  for (let i = 0; i <= steps; i++) {
    const x = Math.round(x0 + ((x1 - x0) * i) / steps);
    const y = Math.round(y0 + ((y1 - y0) * i) / steps);
    if (y < 0 || y >= from.length) continue;
    if (x < from[y]!) from[y] = x;
    if (x > to[y]!) to[y] = x;
  }
}

/** From top to bottom, and from left to right where the tops of neighbours lie on one line. */
export function inReadingOrder(boxes: readonly Quad[]): Quad[] {
  const ordered = boxes.toSorted((a, b) => a[0].y - b[0].y || a[0].x - b[0].x);
  for (let i = 1; i < ordered.length; i++) {
    for (let j = i; j > 0; j--) {
      const here = ordered[j]!;
      const before = ordered[j - 1]!;
      if (here[0].y - before[0].y >= lineTolerance || here[0].x >= before[0].x) break;
      ordered[j] = before;
      ordered[j - 1] = here;
    }
  }
  return ordered;
}
