// SPDX-License-Identifier: Apache-2.0
// A picture as the steps of the ensemble hand it to each other, and the operations that more than one step needs.

/** Eight-bit picture. `data` holds `height * width * 3` bytes, row by row, each pixel as blue, green, red. */
export interface Picture {
  readonly data: Uint8Array;
  readonly width: number;
  readonly height: number;
}

/** Rounds to the nearest integer, halves to the even one. */
export function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  const fraction = value - floor;
  if (fraction !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}

/** Weights of the linear filter are integers with this many fractional bits, so that a row pass stays in 32 bits. */
const weightBits = 11;
const weightOne = 1 << weightBits;

interface Taps {
  /** First and second source position of each target position. */
  readonly first: Int32Array;
  readonly second: Int32Array;
  /** Weight of the second source position; the first one has `weightOne` minus this. */
  readonly weight: Int32Array;
}

/** Source positions and weights for one axis; pixel centres lie at half coordinates and the border is repeated. */
function linearTaps(sourceSize: number, targetSize: number): Taps {
  const first = new Int32Array(targetSize);
  const second = new Int32Array(targetSize);
  const weight = new Int32Array(targetSize);
  const scale = sourceSize / targetSize;
  for (let i = 0; i < targetSize; i++) {
    const position = Math.min(Math.max((i + 0.5) * scale - 0.5, 0), sourceSize - 1);
    const below = Math.floor(position);
    first[i] = below;
    second[i] = Math.min(below + 1, sourceSize - 1);
    weight[i] = Math.round((position - below) * weightOne);
  }
  return { first, second, weight };
}

/** Filters one source row along x into `target`, which holds `width * 3` sums scaled by `weightOne`. */
function filterRow(source: Picture, y: number, taps: Taps, target: Int32Array): void {
  const { data } = source;
  const rowStart = y * source.width * 3;
  const { first, second, weight } = taps;
  for (let x = 0, t = 0; x < first.length; x++) {
    const right = weight[x]!;
    const left = weightOne - right;
    const a = rowStart + first[x]! * 3;
    const b = rowStart + second[x]! * 3;
    target[t++] = data[a]! * left + data[b]! * right;
    target[t++] = data[a + 1]! * left + data[b + 1]! * right;
    target[t++] = data[a + 2]! * left + data[b + 2]! * right;
  }
}

/** Resizes with a linear filter and no smoothing, the way the networks of this ensemble were trained. */
export function resizeLinear(source: Picture, width: number, height: number): Picture {
  if (width === source.width && height === source.height) return source;
  const data = new Uint8Array(width * height * 3);
  const columns = linearTaps(source.width, width);
  const rows = linearTaps(source.height, height);
  const half = 1 << (2 * weightBits - 1);
  let upper = new Int32Array(width * 3);
  let lower = new Int32Array(width * 3);
  let upperY = -1;
  let lowerY = -1;
  for (let y = 0, t = 0; y < height; y++) {
    const wantUpper = rows.first[y]!;
    const wantLower = rows.second[y]!;
    if (wantUpper !== upperY) {
      // Going down, the new upper row most often is the old lower row.
      [upper, lower] = [lower, upper];
      [upperY, lowerY] = [lowerY, upperY];
      if (wantUpper !== upperY) filterRow(source, wantUpper, columns, upper);
      upperY = wantUpper;
    }
    if (wantLower !== lowerY) {
      filterRow(source, wantLower, columns, lower);
      lowerY = wantLower;
    }
    const below = rows.weight[y]!;
    const above = weightOne - below;
    for (let i = 0; i < upper.length; i++) {
      data[t++] = (upper[i]! * above + lower[i]! * below + half) >> (2 * weightBits);
    }
  }
  return { data, width, height };
}

/** Turns a picture by a quarter, anticlockwise. */
export function turnQuarterLeft(source: Picture): Picture {
  const { width, height } = source;
  const data = new Uint8Array(width * height * 3);
  for (let y = 0; y < width; y++) {
    for (let x = 0; x < height; x++) {
      const from = (x * width + (width - 1 - y)) * 3;
      const to = (y * height + x) * 3;
      data[to] = source.data[from]!;
      data[to + 1] = source.data[from + 1]!;
      data[to + 2] = source.data[from + 2]!;
    }
  }
  return { data, width: height, height: width };
}

/** At most `width` columns of a picture, from `left` on. */
export function columnsOf(source: Picture, left: number, width: number): Picture {
  const wide = Math.min(width, source.width - left);
  if (wide === source.width) return source;
  const data = new Uint8Array(wide * source.height * 3);
  for (let y = 0; y < source.height; y++) {
    const from = (y * source.width + left) * 3;
    data.set(source.data.subarray(from, from + wide * 3), y * wide * 3);
  }
  return { data, width: wide, height: source.height };
}

/** Adds rows of black above and below. */
export function padRows(source: Picture, above: number, below: number): Picture {
  const height = source.height + above + below;
  const data = new Uint8Array(source.width * height * 3);
  data.set(source.data, above * source.width * 3);
  return { data, width: source.width, height };
}

/**
 * Writes a picture as three planes (blue, green, red) of floats from -1 to 1, the input form of all three networks.
 * `rowStride` and `planeStride` are counted in floats; cells to the right of the picture are left as they are.
 */
export function writePlanes(
  source: Picture,
  target: Float32Array,
  offset: number,
  rowStride: number,
  planeStride: number,
): void {
  const { data, width, height } = source;
  for (let y = 0, s = 0; y < height; y++) {
    const row = offset + y * rowStride;
    for (let x = 0; x < width; x++, s += 3) {
      const cell = row + x;
      target[cell] = data[s]! / 127.5 - 1;
      target[cell + planeStride] = data[s + 1]! / 127.5 - 1;
      target[cell + 2 * planeStride] = data[s + 2]! / 127.5 - 1;
    }
  }
}
