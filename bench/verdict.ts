// SPDX-License-Identifier: Apache-2.0
// Holding figures against an aim: the worst of them decides.

import { figure, median } from "./numbers.ts";

export interface Verdict {
  aim: string;
  met: boolean;
  /** The worst figure and where it was taken; nothing when none was taken at all. */
  worst?: string;
}

/** A figure that an aim speaks of, and where it was taken. */
export interface Finding {
  value: number;
  place: string;
}

/** The median of the rounds; nothing when there was none. */
export const finding = (values: readonly number[], place: string): Finding[] =>
  values.length === 0 ? [] : [{ value: median(values), place }];

export interface Limit {
  /** What every figure must keep to; the limit itself is allowed. */
  atMost?: number;
  atLeast?: number;
  /** Printed behind the worst figure, with a space of its own if it wants one. */
  unit?: string;
}

/** What was not measured meets no aim, and neither does a figure that is not a number. */
export function verdict(aim: string, findings: readonly Finding[], limit: Limit): Verdict {
  const { atMost = Number.POSITIVE_INFINITY, atLeast = Number.NEGATIVE_INFINITY, unit = "" } = limit;
  // Above zero: by how much the limit is missed.
  const excess = (value: number) =>
    Number.isNaN(value) ? Number.POSITIVE_INFINITY : Math.max(value - atMost, atLeast - value);
  const worst = [...findings].sort((a, b) => excess(b.value) - excess(a.value))[0];
  if (!worst) return { aim, met: false };
  return { aim, met: excess(worst.value) <= 0, worst: `${figure(worst.value)}${unit} (${worst.place})` };
}
