// SPDX-License-Identifier: Apache-2.0
import sharp from "sharp";
import { describe, expect, test } from "vitest";
import { suppress } from "./work_boxes/model.ts";
import { decode, normaliseMiddle, side } from "./work_image/model.ts";
import { Tokeniser } from "./work_tokens/model.ts";
import { topClasses } from "./work_topk/model.ts";

describe("non-maximum suppression", () => {
  /** Boxes as "left top right bottom". */
  const run = (boxes: string[], scores: number[]) => [
    ...suppress(Float32Array.from(boxes.flatMap((box) => box.split(" ").map(Number))), Float32Array.from(scores)),
  ];

  test.each([
    ["of two that overlap by more than half the better one stays", ["0 0 10 10", "1 0 11 10"], [0.5, 0.9], [1]],
    // 30 x 10 and 30 x 10, shared 20 x 10: 200 of 400.
    ["an overlap of just half is allowed", ["0 0 30 10", "10 0 40 10"], [0.9, 0.8], [0, 1]],
    [
      "boxes that are apart in one direction all stay, best first",
      ["0 0 10 10", "20 0 30 10", "0 20 10 30", "-20 0 -10 10", "0 -20 10 -10"],
      [0.5, 0.6, 0.7, 0.8, 0.9],
      [4, 3, 2, 1, 0],
    ],
    // Each overlaps its neighbours by 8 of 12, but the first and the last only by 6 of 14.
    ["what was suppressed suppresses nothing", ["0 0 10 1", "2 0 12 1", "4 0 14 1"], [0.9, 0.8, 0.7], [0, 2]],
    ["a score below 0.25 counts for nothing, 0.25 does", ["0 0 1 1", "5 5 6 6"], [0.24, 0.25], [1]],
    ["no boxes are none", [], [], []],
  ])("%s", (_, boxes, scores, expected) => {
    expect(run(boxes, scores)).toEqual(expected);
  });
});

describe("the preparation of a picture", () => {
  test("brings the shorter side to 256 pixels", async () => {
    const orange = { width: 640, height: 480, channels: 3 as const, background: { r: 255, g: 128, b: 0 } };
    const { data, width, height } = await decode(await sharp({ create: orange }).png().toBuffer());
    expect([width, height, data.length]).toEqual([341, 256, 341 * 256 * 3]);
    expect([...data.subarray(0, 3)]).toEqual([255, 128, 0]);
  });

  test("makes three planes of zero mean and unit deviation of the middle", () => {
    const [width, height] = [side + 5, side + 2];
    const data = new Uint8Array(width * height * 3);
    const set = (x: number, y: number, pixel: number[]) => data.set(pixel, (y * width + x) * 3);
    set(2, 1, [255, 128, 51]);
    set(2 + side - 1, 1 + side - 1, [51, 0, 255]);
    const planes = new Float32Array(3 * side * side);
    normaliseMiddle({ data, width, height }, planes);
    const last = side * side - 1;
    for (const [plane, at, byte, mean, deviation] of [
      [0, 0, 255, 0.485, 0.229],
      [1, 0, 128, 0.456, 0.224],
      [2, 0, 51, 0.406, 0.225],
      [0, last, 51, 0.485, 0.229],
      [2, last, 255, 0.406, 0.225],
      [0, 1, 0, 0.485, 0.229],
    ] as const) {
      expect(planes[plane * side * side + at]).toBeCloseTo((byte / 255 - mean) / deviation, 5);
    }
  });
});

describe("word pieces", () => {
  const vocabulary = "[PAD] [UNK] [CLS] [SEP] un ##aff ##able ##a ##ff able , 2 ##2".split(" ");
  const tokeniser = new Tokeniser(vocabulary);

  test.each([
    ["the longest piece that fits, again and again", "unaffable", "un ##aff ##able"],
    ["a rest that nothing fits is unknown", "unaff a", "un ##aff [UNK]"],
    ["capitals become small, marks are words of their own", "Able,un\n22", "able , un 2 ##2"],
    ["a word with a rest that nothing fits is unknown as a whole", "unx able !", "[UNK] able [UNK]"],
    ["what continues does not begin a word, what begins does not continue one", "aff ununable", "[UNK] [UNK]"],
    ["the end of a long word", `un${"a".repeat(20)}able`, `un${" ##a".repeat(20)} ##able`],
    ["no text is two marks", "", ""],
  ])("%s", (_, text, pieces) => {
    const found = tokeniser.tokenise(text).map((id) => vocabulary[Number(id)]);
    expect(found.join(" ")).toBe(["[CLS]", pieces, "[SEP]"].filter(Boolean).join(" "));
  });

  test("a vocabulary without the marks is refused", () => {
    expect(() => new Tokeniser(["[UNK]", "[CLS]", "a"])).toThrow("must hold [SEP]");
  });
});

describe("the best classes", () => {
  function top(k: number, logits: number[]) {
    const [scores, indices] = [new Float32Array(k), new BigInt64Array(k)];
    topClasses(Float32Array.from(logits), scores, indices);
    return { scores: [...scores], indices: [...indices].map(Number) };
  }

  test("come first, with their share of the whole", () => {
    const { scores, indices } = top(2, [Math.log(1), Math.log(5), Math.log(2), Math.log(2.5)]);
    expect(indices).toEqual([1, 3]);
    expect(scores).toEqual([expect.closeTo(5 / 10.5, 6), expect.closeTo(2.5 / 10.5, 6)]);
  });

  test("are of equal ones those with the lower number, and large logits do not overflow", () => {
    expect(top(3, [1, 4, 4, 0, 4]).indices).toEqual([1, 2, 4]);
    expect(top(2, [1000, -1000, 1000])).toEqual({ scores: [0.5, 0.5], indices: [0, 2] });
  });

  test.each([1, 5, 40])("are the %i first of a sorted list", (k) => {
    const logits = Array.from({ length: 40 }, (_, i) => Math.sin(i * 12.9898) * 10);
    const sorted = logits.map((_, i) => i).sort((a, b) => logits[b]! - logits[a]!);
    expect(top(k, logits).indices).toEqual(sorted.slice(0, k));
  });
});
