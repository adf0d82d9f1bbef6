// SPDX-License-Identifier: Apache-2.0
// The cells of the identity measurements, and the ratios that they are looked at for, each taken within a round.

import { type Cell, over, perRound } from "./grid.ts";
import type { Load, LoadSample } from "./load.ts";
import { FLOOR, PYTHON } from "./models.ts";

export interface IdentityCell extends Cell<LoadSample> {
  bytes: number;
  concurrency: number;
  memory: NonNullable<Load["memory"]>;
}

export interface IdentityFigures {
  /** Titles of those who took part. */
  subjects: string[];
  cells: IdentityCell[];
}

/** A figure of the contestant with this title, by round. */
export type Ratio = (cell: IdentityCell, title: string) => number[];

/** A reference that takes nothing is matched by what takes nothing, either; whatever else there is, is endlessly more. */
function shareOf(ours: number, reference: number): number {
  if (reference > 0) return ours / reference;
  return ours <= 0 ? 0 : Number.POSITIVE_INFINITY;
}

/** Backend time above the floor, as a share of python_backend's above the floor. Below 1 is faster. */
export const aboveFloor: Ratio = (cell, title) =>
  perRound(cell, [title, PYTHON, FLOOR], (ours, python, floor) =>
    shareOf(ours!.backendUs - floor!.backendUs, python!.backendUs - floor!.backendUs),
  );

export const overFloor =
  (key: keyof LoadSample): Ratio =>
  (cell, title) =>
    over(cell, title, FLOOR, key);
export const overPython =
  (key: keyof LoadSample): Ratio =>
  (cell, title) =>
    over(cell, title, PYTHON, key);
