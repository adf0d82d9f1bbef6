// SPDX-License-Identifier: Apache-2.0
// What an idle instance may hold: the same whether it is new or has done a day's work.

/** In megabytes, as the aim has it. */
export const IDLE_MB = 60;

/** Of a reading in KiB. Nothing is no reading: a process that is gone holds nothing, and must not meet an aim by that. */
export function megabytes(kib: number): number {
  return kib > 0 ? (kib * 1024) / 1e6 : Number.NaN;
}
