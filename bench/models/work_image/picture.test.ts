// SPDX-License-Identifier: Apache-2.0
import sharp from "sharp";
import { expect, test } from "vitest";
import { decode, normaliseMiddle, side } from "./picture.ts";

test("the shorter side becomes 256 pixels", async () => {
  const orange = { width: 640, height: 480, channels: 3 as const, background: { r: 255, g: 128, b: 0 } };
  const { data, width, height } = await decode(await sharp({ create: orange }).png().toBuffer());
  expect([width, height, data.length]).toEqual([341, 256, 341 * 256 * 3]);
  expect([...data.subarray(0, 3)]).toEqual([255, 128, 0]);
});

test("the middle becomes three planes of zero mean and unit deviation", () => {
  const [width, height] = [side + 5, side + 2];
  const data = new Uint8Array(width * height * 3);
  const set = (x: number, y: number, pixel: number[]) => data.set(pixel, (y * width + x) * 3);
  set(2, 1, [255, 128, 51]);
  set(2 + side - 1, 1 + side - 1, [51, 0, 255]);
  const planes = new Float32Array(3 * side * side);
  normaliseMiddle({ data, width, height }, planes);
  const at = (plane: number, i: number) => planes[plane * side * side + i]!;
  expect(at(0, 0)).toBeCloseTo((1 - 0.485) / 0.229, 5);
  expect(at(1, 0)).toBeCloseTo((128 / 255 - 0.456) / 0.224, 5);
  expect(at(2, 0)).toBeCloseTo((0.2 - 0.406) / 0.225, 5);
  const last = side * side - 1;
  expect(at(0, last)).toBeCloseTo((0.2 - 0.485) / 0.229, 5);
  expect(at(2, last)).toBeCloseTo((1 - 0.406) / 0.225, 5);
  expect(at(0, 1)).toBeCloseTo(-0.485 / 0.229, 5);
});
