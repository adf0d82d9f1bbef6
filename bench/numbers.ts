// SPDX-License-Identifier: Apache-2.0
// Medians, spreads and how figures are printed.

export interface Spread {
  median: number;
  min: number;
  max: number;
}

export function spread(values: readonly number[]): Spread {
  if (values.length === 0) throw new Error("A spread needs at least one value, but none was measured.");
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const median = sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
  return { median, min: sorted[0]!, max: sorted[sorted.length - 1]! };
}

/** Three significant digits below a thousand, whole numbers above. */
export function figure(value: number): string {
  if (!Number.isFinite(value)) return "-";
  if (Math.abs(value) >= 1000) return Math.round(value).toString();
  return Number(value.toPrecision(3)).toString();
}

export function mebibytes(kib: number): string {
  return (kib / 1024).toFixed(1);
}

/** The median, with the lowest and highest of the rounds when there were several. */
export function withSpread(s: Spread): string {
  return s.min === s.max ? figure(s.median) : `${figure(s.median)} (${figure(s.min)}-${figure(s.max)})`;
}
