// SPDX-License-Identifier: Apache-2.0
// Connected regions of a probability map.

import { convexHull, type Point } from "./rectangle.ts";

/** A map of text probabilities, row by row. */
export interface ProbabilityMap {
  readonly data: Float32Array;
  readonly width: number;
  readonly height: number;
}

/**
 * Convex hulls of the connected regions (diagonal neighbours count) whose probability is above `threshold`. Each region
 * is widened by one pixel to the right and to the bottom, so that a hair-thin gap does not split a line.
 * At most `limit` regions are given, from the top.
 */
export function findRegions(map: ProbabilityMap, threshold: number, limit: number): Point[][] {
  const runs = new RunTable();
  const mask = new Uint8Array(map.width + 1);
  let previous = { from: 0, to: 0 };
  for (let y = 0; y < map.height; y++) {
    const current = addRuns(map, y, threshold, mask, runs);
    joinRows(runs, previous, current);
    previous = current;
  }
  return hullsOf(runs, limit);
}

/** Horizontal runs of set pixels, with a union-find forest over them. */
class RunTable {
  readonly start: number[] = [];
  readonly end: number[] = [];
  readonly y: number[] = [];
  readonly parent: number[] = [];

  add(start: number, end: number, y: number): void {
    this.parent.push(this.parent.length);
    this.start.push(start);
    this.end.push(end);
    this.y.push(y);
  }

  root(run: number): number {
    let at = run;
    while (this.parent[at] !== at) {
      const up = this.parent[at]!;
      this.parent[at] = this.parent[up]!;
      at = this.parent[at]!;
    }
    return at;
  }

  join(a: number, b: number): void {
    const first = this.root(a);
    const second = this.root(b);
    // The smaller number is the one nearer the top, so regions keep the order in which they begin.
    if (first < second) this.parent[second] = first;
    else this.parent[first] = second;
  }
}

interface Row {
  readonly from: number;
  readonly to: number;
}

function addRuns(map: ProbabilityMap, y: number, threshold: number, mask: Uint8Array, runs: RunTable): Row {
  const { data, width } = map;
  const from = runs.start.length;
  const row = y * width;
  const above = y > 0 ? row - width : row;
  let left = 0;
  let start = -1;
  for (let x = 0; x < width; x++) {
    const here = data[row + x]! > threshold || data[above + x]! > threshold ? 1 : 0;
    mask[x] = here | left;
    left = here;
  }
  for (let x = 0; x <= width; x++) {
    if (x < width && mask[x] === 1) {
      if (start < 0) start = x;
    } else if (start >= 0) {
      runs.add(start, x - 1, y);
      start = -1;
    }
  }
  return { from, to: runs.start.length };
}

/** Joins runs of neighbouring rows that touch, also by a corner. Both rows are in order of x. */
function joinRows(runs: RunTable, upper: Row, lower: Row): void {
  let a = upper.from;
  let b = lower.from;
  while (a < upper.to && b < lower.to) {
    const aEnd = runs.end[a]!;
    const bEnd = runs.end[b]!;
    if (runs.start[a]! <= bEnd + 1 && runs.start[b]! <= aEnd + 1) runs.join(a, b);
    if (aEnd < bEnd) a++;
    else b++;
  }
}

function hullsOf(runs: RunTable, limit: number): Point[][] {
  // The ends of the runs are enough for a hull, and they come in order of y, then of x.
  const regions = new Map<number, Point[]>();
  for (let run = 0; run < runs.start.length; run++) {
    const root = runs.root(run);
    let points = regions.get(root);
    if (points === undefined) {
      points = [];
      regions.set(root, points);
    }
    const y = runs.y[run]!;
    points.push({ x: runs.start[run]!, y });
    if (runs.end[run] !== runs.start[run]) points.push({ x: runs.end[run]!, y });
  }
  return [...regions.values()].slice(0, limit).map(convexHull);
}
