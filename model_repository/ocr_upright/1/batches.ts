// SPDX-License-Identifier: Apache-2.0
// Crops to two batches for the recognition network.
//
// The network takes crops of one width in a batch, so narrow ones are padded to the widest. One batch for all would
// let a single long line make every short one as costly. And two batches can be read at the same time by two instances
// of the network, so they are split where the larger one is smallest.

import { directionWindows } from "../../ocr/1/direction_windows.ts";

/** Height of a crop in pixels. */
const cropHeight = 48;
/** Crops are padded at least to this width. The network was trained on 320, and reads no worse with half of it. */
const minBatchWidth = 160;
/** An empty batch is sent as one crop of this width. */
const emptyBatchWidth = 32;

/** Crops as the step before sends them. */
export interface CropList {
  readonly pixels: Uint8Array;
  readonly widths: Int32Array;
}

export interface Batch {
  /** Indices of the crops, in the order of their rows. */
  readonly crops: readonly number[];
  readonly width: number;
}

/**
 * True where the direction network is sure that a crop stands on its head: on the average of its windows. `scores` is
 * [windows, 2], upright and upside down, with the windows of each crop one after the other.
 */
export function upsideDown(scores: Float32Array, widths: Int32Array, threshold: number): boolean[] {
  let window = 0;
  return Array.from(widths, (width) => {
    const count = directionWindows(width).length;
    let sum = 0;
    for (let i = 0; i < count; i++) sum += scores[2 * window++ + 1]!;
    const turned = sum / count;
    return turned > 0.5 && turned > threshold;
  });
}

/** Distributes crops over a narrow and a wide batch; a crop of width zero goes nowhere. */
export function splitByWidth(widths: Int32Array): { narrow: Batch; wide: Batch } {
  const order = [...widths.keys()].filter((i) => widths[i]! > 0).sort((a, b) => widths[a]! - widths[b]!);
  const widest = (count: number) => (count === 0 ? 0 : Math.max(minBatchWidth, widths[order[count - 1]!]!));
  const area = (count: number) => Math.max(count * widest(count), (order.length - count) * widest(order.length));
  let split = order.length;
  for (let count = 1; count < order.length; count++) if (area(count) < area(split)) split = count;
  return { narrow: batchOf(order.slice(0, split), widths), wide: batchOf(order.slice(split), widths) };
}

function batchOf(crops: readonly number[], widths: Int32Array): Batch {
  if (crops.length === 0) return { crops, width: emptyBatchWidth };
  return { crops, width: Math.max(minBatchWidth, widths[crops[crops.length - 1]!]!) };
}

/** Shape of a batch as the recognition network takes it; a batch without crops has one row of zeros. */
export function batchShape(batch: Batch): [number, number, number, number] {
  return [Math.max(1, batch.crops.length), 3, cropHeight, batch.width];
}

/** For each crop the batch (0 narrow, 1 wide) and its row there: [crops, 2]; -1, -1 for a crop of width zero. */
export function rowsOf(narrow: Batch, wide: Batch, count: number): Int32Array {
  const rows = new Int32Array(count * 2).fill(-1);
  for (const [number, batch] of [narrow, wide].entries()) {
    for (const [row, crop] of batch.crops.entries()) {
      rows[crop * 2] = number;
      rows[crop * 2 + 1] = row;
    }
  }
  return rows;
}

/** Fills `target` (of `batchShape`) with the crops of a batch as planes of floats, turned by a half where asked. */
export function writeBatch(batch: Batch, list: CropList, turned: readonly boolean[], target: Float32Array): void {
  target.fill(0);
  const starts = startsOf(list.widths);
  const plane = cropHeight * batch.width;
  for (const [row, crop] of batch.crops.entries()) {
    const width = list.widths[crop]!;
    const pixels = list.pixels.subarray(starts[crop]!, starts[crop]! + width * cropHeight * 3);
    writeCrop(
      pixels,
      width,
      turned[crop] === true,
      target.subarray(row * 3 * plane, (row + 1) * 3 * plane),
      batch.width,
    );
  }
}

function startsOf(widths: Int32Array): number[] {
  let at = 0;
  return Array.from(widths, (width) => {
    const start = at;
    at += width * cropHeight * 3;
    return start;
  });
}

function writeCrop(pixels: Uint8Array, width: number, turned: boolean, target: Float32Array, rowStride: number): void {
  const plane = cropHeight * rowStride;
  // Reading the pixels backwards turns a crop by a half.
  const step = turned ? -3 : 3;
  let from = turned ? pixels.length - 3 : 0;
  for (let y = 0; y < cropHeight; y++) {
    for (let x = 0, cell = y * rowStride; x < width; x++, cell++, from += step) {
      target[cell] = pixels[from]! / 127.5 - 1;
      target[cell + plane] = pixels[from + 1]! / 127.5 - 1;
      target[cell + 2 * plane] = pixels[from + 2]! / 127.5 - 1;
    }
  }
}
