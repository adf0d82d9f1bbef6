// SPDX-License-Identifier: Apache-2.0
// Medians, spreads, and how figures are printed.

export interface Spread {
  median: number;
  min: number;
  max: number;
}

const NONE: Spread = { median: Number.NaN, min: Number.NaN, max: Number.NaN };

/** Endless values have their place at the end; without a value, or with one that is no number, there is no median. */
export function spread(values: readonly number[]): Spread {
  if (values.length === 0 || values.some(Number.isNaN)) return NONE;
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const median = sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
  return { median, min: sorted[0]!, max: sorted.at(-1)! };
}

export const median = (values: readonly number[]): number => spread(values).median;

/** Three significant digits below a thousand, whole numbers above; a dash for what is no number. */
export function figure(value: number): string {
  if (Number.isNaN(value)) return "-";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "-∞";
  if (Math.abs(value) >= 1000) return Math.round(value).toString();
  return Number(value.toPrecision(3)).toString();
}

export const mebibytes = (kib: number): string => (kib / 1024).toFixed(1);

/** The median, with the lowest and highest of the rounds when there were several. */
export function withSpread(values: readonly number[]): string {
  const { median, min, max } = spread(values);
  return Object.is(min, max) ? figure(median) : `${figure(median)} (${figure(min)}-${figure(max)})`;
}
