// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import {
  columnsOf,
  type Picture,
  padRows,
  resizeLinear,
  roundHalfEven,
  turnQuarterLeft,
  writePlanes,
} from "../../model_repository/ocr/1/picture.ts";
import { warp } from "../../model_repository/ocr_crops/1/warp.ts";

/** A picture of noise and what OpenCV 5.0 makes of it; `warp` has the corners of the test below. */
const golden: Record<string, number[]> = JSON.parse(readFileSync(join(import.meta.dirname, "opencv.json"), "utf8"));
const source: Picture = { data: Uint8Array.from(golden["source"]!), width: 7, height: 5 };

function numbered(width: number, height: number): Picture {
  return { data: Uint8Array.from({ length: width * height * 3 }, (_, i) => i), width, height };
}

function greatestDifference(a: Uint8Array, b: readonly number[]): number {
  expect(a).toHaveLength(b.length);
  return Math.max(...a.map((value, i) => Math.abs(value - b[i]!)));
}

describe("resizing", () => {
  test.each([
    [11, 8],
    [4, 3],
    [7, 10],
  ])("to %i x %i agrees with OpenCV", (width, height) => {
    const resized = resizeLinear(source, width, height);
    expect([resized.width, resized.height]).toEqual([width, height]);
    expect(greatestDifference(resized.data, golden[`${width}x${height}`]!)).toBeLessThanOrEqual(1);
  });

  test("to the same size changes nothing", () => {
    expect(resizeLinear(source, 7, 5)).toBe(source);
  });

  test("a single pixel fills any size", () => {
    const dot: Picture = { data: Uint8Array.of(10, 20, 30), width: 1, height: 1 };
    expect([...resizeLinear(dot, 2, 2).data]).toEqual([10, 20, 30, 10, 20, 30, 10, 20, 30, 10, 20, 30]);
  });
});

test("a warp agrees with OpenCV", () => {
  const corners = [
    [1, 0],
    [6, 1],
    [5, 4],
    [0, 3],
  ].map(([x, y]) => ({ x: x!, y: y! }));
  const cut = warp(source, corners as never, 5, 3);
  // OpenCV keeps the filter's weights in fewer bits.
  expect(greatestDifference(cut.data, golden["warp"]!)).toBeLessThanOrEqual(4);
});

test("a quarter turn to the left brings the last column to the top", () => {
  const turned = turnQuarterLeft(numbered(3, 2));
  expect([turned.width, turned.height]).toEqual([2, 3]);
  expect([...turned.data]).toEqual([6, 7, 8, 15, 16, 17, 3, 4, 5, 12, 13, 14, 0, 1, 2, 9, 10, 11]);
});

test("columns of a picture", () => {
  const cut = columnsOf(numbered(3, 2), 1, 5);
  expect([cut.width, cut.height, ...cut.data]).toEqual([2, 2, 3, 4, 5, 6, 7, 8, 12, 13, 14, 15, 16, 17]);
  const whole = numbered(3, 2);
  expect(columnsOf(whole, 0, 3)).toBe(whole);
});

test("padding adds black rows", () => {
  const padded = padRows(numbered(1, 1), 1, 2);
  expect(padded.height).toBe(4);
  expect([...padded.data]).toEqual([0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 0, 0]);
});

test("planes are from -1 to 1 and respect offset and strides", () => {
  const target = new Float32Array(20).fill(9);
  writePlanes({ data: Uint8Array.of(0, 255, 51, 255, 0, 51), width: 2, height: 1 }, target, 1, 5, 6);
  expect(target[0]).toBe(9);
  expect([...target.subarray(1, 4)]).toEqual([-1, 1, 9]);
  expect([...target.subarray(7, 10)]).toEqual([1, -1, 9]);
  expect(target[13]).toBeCloseTo(-0.6);
});

test("halves round to the even number", () => {
  expect([0.5, 1.5, 2.5, 2.4, 2.6].map(roundHalfEven)).toEqual([0, 2, 2, 2, 3]);
});
