// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from "vitest";
import { findBoxes, inReadingOrder, meanInside } from "../../model_repository/ocr_crops/1/boxes.ts";
import { makeCrops, noCrops, toOriginal } from "../../model_repository/ocr_crops/1/crops.ts";
import {
  clockwiseFromTopLeft,
  convexHull,
  growRectangle,
  type Point,
  type Quad,
  smallestRectangle,
} from "../../model_repository/ocr_crops/1/rectangle.ts";
import { findRegions, type ProbabilityMap } from "../../model_repository/ocr_crops/1/regions.ts";
import { cutOut } from "../../model_repository/ocr_crops/1/warp.ts";

function map(
  width: number,
  height: number,
  ...areas: [left: number, top: number, right: number, bottom: number, value?: number][]
): ProbabilityMap {
  const data = new Float32Array(width * height);
  for (const [left, top, right, bottom, value = 0.9] of areas) {
    for (let y = top; y <= bottom; y++) data.fill(value, y * width + left, y * width + right + 1);
  }
  return { data, width, height };
}

const quad = (...points: [number, number][]) => points.map(([x, y]) => ({ x, y })) as unknown as Quad;
const upright = (left: number, top: number, right: number, bottom: number) =>
  quad([left, top], [right, top], [right, bottom], [left, bottom]);
const bounds = (points: readonly Point[]) => [
  Math.min(...points.map((p) => p.x)),
  Math.min(...points.map((p) => p.y)),
  Math.max(...points.map((p) => p.x)),
  Math.max(...points.map((p) => p.y)),
];

describe("regions", () => {
  test("are widened by a pixel to the right and down, within the map", () => {
    expect(findRegions(map(10, 8, [2, 3, 4, 5]), 0.3, 10).map(bounds)).toEqual([[2, 3, 5, 6]]);
    expect(findRegions(map(10, 8, [7, 6, 9, 7]), 0.3, 10).map(bounds)).toEqual([[7, 6, 9, 7]]);
  });

  test("that touch by a corner are one, those apart are not", () => {
    expect(findRegions(map(20, 20, [2, 2, 4, 4], [6, 6, 8, 8]), 0.3, 10)).toHaveLength(1);
    expect(findRegions(map(20, 20, [2, 2, 4, 4], [7, 7, 9, 9]), 0.3, 10)).toHaveLength(2);
  });

  test("a shape whose arms meet only at its bottom is one region", () => {
    const u = map(20, 12, [1, 1, 2, 9], [8, 1, 9, 9], [15, 1, 16, 9], [1, 9, 16, 9]);
    expect(findRegions(u, 0.3, 10).map(bounds)).toEqual([[1, 1, 17, 10]]);
  });

  test("respect threshold and limit", () => {
    const two = map(20, 20, [2, 2, 4, 4, 0.2], [10, 2, 12, 4], [2, 12, 4, 14]);
    expect(findRegions(two, 0.3, 10)).toHaveLength(2);
    expect(findRegions(two, 0.1, 10)).toHaveLength(3);
    expect(findRegions(two, 0.1, 2)).toHaveLength(2);
  });
});

describe("rectangles", () => {
  test("a hull leaves out inner and straight points", () => {
    const points = [
      [0, 0],
      [2, 0],
      [4, 0],
      [1, 1],
      [0, 2],
      [4, 2],
    ].map(([x, y]) => ({ x: x!, y: y! }));
    expect(convexHull(points).sort((a, b) => a.y - b.y || a.x - b.x)).toEqual([
      { x: 0, y: 0 },
      { x: 4, y: 0 },
      { x: 0, y: 2 },
      { x: 4, y: 2 },
    ]);
  });

  test("the smallest rectangle of a turned one is itself", () => {
    const found = smallestRectangle(quad([10, 10], [60, 20], [58, 30], [8, 20]))!;
    expect([...found.sides].sort((a, b) => a - b)).toEqual([expect.closeTo(10.198, 3), expect.closeTo(50.99, 2)]);
    expect(clockwiseFromTopLeft(found.corners)[0]!.x).toBeCloseTo(10, 5);
  });

  test("points on a line have no rectangle", () => {
    expect(
      smallestRectangle([
        { x: 0, y: 0 },
        { x: 5, y: 0 },
      ]),
    ).toBeUndefined();
  });

  test("growing agrees with the polygon clipper of the reference", () => {
    const core = smallestRectangle(quad([10, 10], [60, 20], [58, 30], [8, 20]))!;
    const grown = growRectangle(core, 6.79869)!;
    const [topLeft, topRight, bottomRight, bottomLeft] = clockwiseFromTopLeft(grown.corners);
    const expected = [
      [4.46, 1.69],
      [68.31, 14.46],
      [63.54, 38.31],
      [-0.31, 25.54],
    ];
    for (const [i, p] of [topLeft, topRight, bottomRight, bottomLeft].entries()) {
      expect(Math.hypot(p.x - expected[i]![0]!, p.y - expected[i]![1]!)).toBeLessThan(1.5);
    }
  });

  test("an upright rectangle grows by the distance on each side", () => {
    const core = smallestRectangle(upright(20, 20, 80, 40))!;
    expect(bounds(growRectangle(core, 12)!.corners)).toEqual([8, 8, 92, 52]);
  });

  test.each<[string, [number, number][]]>([
    [
      "a row that leans left",
      [
        [0, 1],
        [8, 0],
        [9, 5],
        [1, 6],
      ],
    ],
    [
      "a row that falls by 44 degrees",
      [
        [10, 0],
        [80, 66],
        [73, 73],
        [3, 7],
      ],
    ],
    [
      "a row that rises by 44 degrees",
      [
        [0, 66],
        [70, 0],
        [77, 7],
        [7, 73],
      ],
    ],
    [
      "a column that leans to the left by more than its width",
      [
        [208, 54],
        [249, 60],
        [132, 775],
        [90, 768],
      ],
    ],
    [
      "a column that leans to the right by more than its width",
      [
        [50, 60],
        [91, 54],
        [209, 768],
        [168, 774],
      ],
    ],
    [
      "a column that leans by 40 degrees",
      [
        [64, 0],
        [72, 6],
        [8, 83],
        [0, 77],
      ],
    ],
    [
      "an upright row",
      [
        [0, 0],
        [10, 0],
        [10, 3],
        [0, 3],
      ],
    ],
    [
      "an upright column",
      [
        [0, 0],
        [3, 0],
        [3, 10],
        [0, 10],
      ],
    ],
  ])("the corners of %s are ordered from the top left", (_what, expected) => {
    const [a, b, c, d] = expected as [[number, number], [number, number], [number, number], [number, number]];
    for (const shuffled of [quad(a, b, c, d), quad(c, a, d, b), quad(d, c, b, a), quad(b, d, a, c)]) {
      expect(clockwiseFromTopLeft(shuffled)).toEqual(quad(a, b, c, d));
    }
  });

  test("corners are ordered from the top left", () => {
    expect(clockwiseFromTopLeft(quad([9, 5], [1, 6], [0, 1], [8, 0]))).toEqual(quad([0, 1], [8, 0], [9, 5], [1, 6]));
  });
});

describe("boxes", () => {
  const size = { width: 200, height: 100 };

  test("a region becomes a grown box in pixels of the picture", () => {
    // Pixels 20-79 and 20-39 with the widening are 60 by 20: 1200 * 1.6 / 160 = 12 pixels more on each side.
    expect(findBoxes(map(200, 100, [20, 20, 79, 39]), size)).toEqual([upright(8, 8, 92, 52)]);
    expect(findBoxes(map(200, 100, [20, 20, 79, 39]), { width: 400, height: 50 })).toEqual([upright(16, 4, 184, 26)]);
  });

  test("boxes stay inside the picture", () => {
    expect(bounds(findBoxes(map(200, 100, [0, 0, 60, 30]), size)[0]!)).toEqual([
      0,
      0,
      expect.any(Number),
      expect.any(Number),
    ]);
  });

  test("weak, small and thin regions are left out", () => {
    expect(findBoxes(map(200, 100, [20, 20, 79, 39, 0.4]), size)).toEqual([]);
    expect(findBoxes(map(200, 100, [20, 20, 21, 21]), size)).toEqual([]);
    expect(findBoxes(map(200, 100, [20, 20, 120, 21]), size)).toEqual([]);
    expect(
      findBoxes(map(200, 100, [20, 20, 79, 39, 0.4]), size, {
        threshold: 0.3,
        boxThreshold: 0.3,
        unclipRatio: 1.6,
        maxRegions: 9,
      }),
    ).toHaveLength(1);
    // In a picture much smaller than the map a box may shrink to nothing.
    expect(findBoxes(map(200, 100, [20, 20, 79, 39]), { width: 200, height: 7 })).toEqual([]);
  });

  test("the mean covers the box with its outline, and no pixel around it", () => {
    const plain = map(30, 20, [5, 5, 14, 9, 1]);
    expect(meanInside(plain, upright(5, 5, 14, 9))).toBeCloseTo(1);
    expect(meanInside(plain, upright(5, 5, 14, 14))).toBeCloseTo(0.5);
    expect(meanInside(plain, quad([9, 3], [13, 7], [9, 11], [5, 7]))).toBeGreaterThan(0.5);
  });

  test("reading order: rows whose tops are close go from left to right", () => {
    const boxes = [
      upright(100, 12, 150, 30),
      upright(10, 18, 60, 36),
      upright(60, 15, 90, 33),
      upright(10, 40, 60, 58),
    ];
    expect(inReadingOrder(boxes).map((box) => box[0].x)).toEqual([10, 60, 100, 10]);
    expect(inReadingOrder([upright(100, 12, 150, 30), upright(10, 22, 60, 40)]).map((box) => box[0].x)).toEqual([
      100, 10,
    ]);
  });
});

describe("crops", () => {
  const picture = { data: Uint8Array.from({ length: 40 * 30 * 3 }, (_, i) => (i * 7) % 256), width: 40, height: 30 };

  test("an upright box is copied", () => {
    const crop = cutOut(picture, upright(3, 4, 13, 9));
    expect([crop.width, crop.height]).toEqual([10, 5]);
    expect([...crop.data.subarray(0, 30)]).toEqual([...picture.data.subarray((4 * 40 + 3) * 3, (4 * 40 + 13) * 3)]);
  });

  test("a tall box is turned by a quarter", () => {
    const crop = cutOut(picture, upright(3, 4, 9, 20));
    expect([crop.width, crop.height]).toEqual([16, 6]);
    const topRight = (4 * 40 + 8) * 3;
    expect(crop.data[0]).toBe(picture.data[topRight]);
  });

  test("crops have one height and their own width, and long ones several windows for the direction network", () => {
    const crops = makeCrops(picture, [upright(0, 0, 20, 10), upright(0, 0, 39, 4)]);
    expect([...crops.widths]).toEqual([96, 468]);
    expect(crops.pixels).toHaveLength((96 + 468) * 48 * 3);
    expect(crops.windows).toBe(1 + 3);
    const plane = 48 * 192;
    expect(crops.direction).toHaveLength(4 * 3 * plane);
    // The first crop ends after 96 of 192 columns; the last window of the second one is its end, as it is.
    expect(crops.direction[96]).toBe(0);
    const end = crops.pixels.length - 3;
    const last = 3 * 3 * plane + 47 * 192 + 191;
    expect(crops.direction[last]).toBeCloseTo(crops.pixels[end]! / 127.5 - 1, 5);
    const beginsAt = (96 * 48 + (468 - 192)) * 3;
    expect(crops.direction[3 * 3 * plane]).toBeCloseTo(crops.pixels[beginsAt]! / 127.5 - 1, 5);
  });

  test("a long line is not squeezed, but an odd box cannot fill the memory", () => {
    const strip = { data: new Uint8Array(2000 * 8 * 3), width: 2000, height: 8 };
    expect([...makeCrops(strip, [upright(0, 0, 1999, 8)]).widths]).toEqual([11_994]);
    expect([...makeCrops(strip, [upright(0, 0, 1999, 4)]).widths]).toEqual([16_000]);
  });

  test("more text than can be read at once is refused before anything is cut", () => {
    const sheet = { data: new Uint8Array(0), width: 2000, height: 2000 };
    const rows = Array.from({ length: 100 }, (_, i) => upright(0, 20 * i, 1999, 20 * i + 8));
    expect(() => makeCrops(sheet, rows)).toThrow(
      /^IMAGE has 100 pieces of text, .* at most 400000 can be read at once\. Send it in parts\.$/,
    );
  });

  test("without text there is one crop of width zero", () => {
    expect([...noCrops().widths]).toEqual([0]);
    expect(noCrops().direction).toHaveLength(3 * 48 * 192);
  });

  test("boxes go back to the original picture and stay in it", () => {
    const geometry = Float32Array.of(100, 60, 2, 3, 10);
    const box = quad([5, 12], [60, 12], [60, 40], [5, 5]);
    expect([...toOriginal([box], geometry)]).toEqual([10, 6, 100, 6, 100, 60, 10, 0]);
  });
});
