// SPDX-License-Identifier: Apache-2.0
// Medians, spreads and how figures are printed.

export interface Spread {
  median: number;
  min: number;
  max: number;
}

/** Endless values have their place at the end; with one that is no number at all there is no median. */
export function spread(values: readonly number[]): Spread {
  if (values.length === 0) throw new Error("A spread needs at least one value, but none was measured.");
  if (values.some(Number.isNaN)) return { median: Number.NaN, min: Number.NaN, max: Number.NaN };
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const median = sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
  return { median, min: sorted[0]!, max: sorted[sorted.length - 1]! };
}

/** Three significant digits below a thousand, whole numbers above; a dash for what is no number. */
export function figure(value: number): string {
  if (Number.isNaN(value)) return "-";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "-∞";
  if (Math.abs(value) >= 1000) return Math.round(value).toString();
  return Number(value.toPrecision(3)).toString();
}

export function mebibytes(kib: number): string {
  return (kib / 1024).toFixed(1);
}

/** The median, with the lowest and highest of the rounds when there were several. */
export function withSpread(s: Spread): string {
  return Object.is(s.min, s.max) ? figure(s.median) : `${figure(s.median)} (${figure(s.min)}-${figure(s.max)})`;
}
