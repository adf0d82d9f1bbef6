// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from "vitest";
import {
  bfloat16ToFloat32,
  float16ToFloat32,
  float16ToFloat32Portable,
  float32ToBfloat16,
  float32ToFloat16,
  float32ToFloat16Portable,
} from "./float16.ts";

const everyHalf = Uint16Array.from({ length: 1 << 16 }, (_unused, i) => i);
const isHalfNaN = (bits: number) => (bits & 0x7fff) > 0x7c00;
const floatFromBits = (bits: number) => new Float32Array(new Uint32Array([bits]).buffer);

describe.each([
  ["built in", float16ToFloat32, float32ToFloat16],
  ["portable", float16ToFloat32Portable, float32ToFloat16Portable],
])("FP16, %s", (_name, toFloat32, toFloat16) => {
  test("known values", () => {
    const bits = [0x0000, 0x8000, 0x0001, 0x03ff, 0x0400, 0x3555, 0x3c00, 0xc000, 0x7bff, 0x7c00, 0xfc00];
    const values = [0, -0, 2 ** -24, 1023 * 2 ** -24, 2 ** -14, 0.333251953125, 1, -2, 65504, Infinity, -Infinity];
    expect([...toFloat32(new Uint16Array(bits))]).toEqual(values);
    expect([...toFloat16(new Float32Array(values))]).toEqual(bits);
  });

  test("every value there and back", () => {
    const back = toFloat16(toFloat32(everyHalf));
    for (const bits of everyHalf) {
      if (isHalfNaN(bits)) expect(isHalfNaN(back[bits]!)).toBe(true);
      else if (back[bits] !== bits) expect(back[bits]).toBe(bits);
    }
  });

  test("rounds to the nearest, ties to even, and overflows to infinity", () => {
    const cases: [number, number][] = [
      [1 + 2 ** -11, 0x3c00],
      [1 + 3 * 2 ** -11, 0x3c02],
      [1 + 2 ** -11 + 2 ** -20, 0x3c01],
      [2 ** -25, 0x0000],
      [1.5 * 2 ** -25, 0x0001],
      [3 * 2 ** -25, 0x0002],
      [2 ** -26, 0x0000],
      [-(2 ** -30), 0x8000],
      [65519.996, 0x7bff],
      [65520, 0x7c00],
      [1e30, 0x7c00],
      [1023.75 * 2 ** -24, 0x0400],
    ];
    expect([...toFloat16(new Float32Array(cases.map(([value]) => value)))]).toEqual(cases.map(([, bits]) => bits));
    expect(isHalfNaN(toFloat16(new Float32Array([Number.NaN]))[0]!)).toBe(true);
  });

  test("views that do not start at the front", () => {
    expect([...toFloat32(new Uint16Array([9, 0x3c00]).subarray(1))]).toEqual([1]);
    expect([...toFloat16(new Float32Array([9, 1]).subarray(1))]).toEqual([0x3c00]);
  });
});

test("both FP16 conversions agree on many values", () => {
  const bits = new Uint32Array(200_000);
  let state = 1;
  for (let i = 0; i < bits.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bits[i] = state;
  }
  const values = new Float32Array(bits.buffer);
  const ours = float32ToFloat16Portable(values);
  const theirs = float32ToFloat16(values);
  for (let i = 0; i < ours.length; i++) {
    const same = ours[i] === theirs[i] || (isHalfNaN(ours[i]!) && isHalfNaN(theirs[i]!));
    if (!same) expect([values[i], ours[i]]).toEqual([values[i], theirs[i]]);
  }
});

describe("BF16", () => {
  test("known values", () => {
    const bits = [0x0000, 0x8000, 0x0001, 0x3f80, 0xc000, 0x7f7f, 0x7f80, 0xff80];
    expect([...float32ToBfloat16(bfloat16ToFloat32(new Uint16Array(bits)))]).toEqual(bits);
    expect([...bfloat16ToFloat32(new Uint16Array([0x3f80, 0x4049, 0xff80]))]).toEqual([1, 3.140625, -Infinity]);
  });

  test("rounds to the nearest, ties to even", () => {
    const cases: [number, number][] = [
      [0x3f808000, 0x3f80],
      [0x3f818000, 0x3f82],
      [0x3f808001, 0x3f81],
      [0x3f807fff, 0x3f80],
      [0x7f7fffff, 0x7f80],
      [0xff7fffff, 0xff80],
    ];
    for (const [from, to] of cases) expect(float32ToBfloat16(floatFromBits(from))[0]).toBe(to);
  });

  test("every NaN stays a NaN of its sign", () => {
    expect(float32ToBfloat16(floatFromBits(0x7f800001))[0]).toBe(0x7fc0);
    expect(float32ToBfloat16(floatFromBits(0x7fffffff))[0]).toBe(0x7fff);
    expect(float32ToBfloat16(floatFromBits(0xffffffff))[0]).toBe(0xffff);
  });

  test("views that do not start at the front", () => {
    expect([...bfloat16ToFloat32(new Uint16Array([9, 0x3f80]).subarray(1))]).toEqual([1]);
    expect([...float32ToBfloat16(new Float32Array([9, 1]).subarray(1))]).toEqual([0x3f80]);
  });
});
