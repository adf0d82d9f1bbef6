// SPDX-License-Identifier: Apache-2.0
import sharp from "sharp";
import { expect, test } from "vitest";
import { detections, logits, picture, randomNumbers, text, vocabulary } from "./work_inputs.ts";

test("random numbers lie from 0 up to 1 and depend on the seed alone", () => {
  const [a, again, other] = [randomNumbers(7), randomNumbers(7), randomNumbers(8)];
  const numbers = Array.from({ length: 1000 }, a);
  expect(Math.min(...numbers)).toBeGreaterThanOrEqual(0);
  expect(Math.max(...numbers)).toBeLessThan(1);
  expect(numbers).toEqual(Array.from({ length: 1000 }, again));
  expect(numbers).not.toEqual(Array.from({ length: 1000 }, other));
  expect(numbers.reduce((sum, value) => sum + value) / 1000).toBeCloseTo(0.5, 1);
});

test("the picture is a JPEG of 640 x 480", async () => {
  const { format, width, height } = await sharp(await picture()).metadata();
  expect([format, width, height]).toEqual(["jpeg", 640, 480]);
});

test("no two classes are equally likely, so that their order is certain", () => {
  expect(new Set(logits(1000)).size).toBe(1000);
});

test("boxes have an area and a score, ten of them around one thing", () => {
  const { boxes, scores } = detections(50);
  expect([boxes.length, scores.length]).toEqual([200, 50]);
  for (let i = 0; i < 50; i++) {
    expect(boxes[i * 4 + 2]).toBeGreaterThan(boxes[i * 4]!);
    expect(boxes[i * 4 + 3]).toBeGreaterThan(boxes[i * 4 + 1]!);
    // None is further off than the jitter allows: 15 % of at most 150 pixels to either side.
    expect(Math.abs(boxes[i * 4]! - boxes[Math.floor(i / 10) * 40]!)).toBeLessThanOrEqual(45);
  }
});

test("the vocabulary has as many pieces as asked for, each once, and the special ones first", () => {
  const pieces = vocabulary(3000);
  expect(pieces).toHaveLength(3000);
  expect(new Set(pieces).size).toBe(3000);
  expect(pieces.slice(0, 4)).toEqual(["[PAD]", "[UNK]", "[CLS]", "[SEP]"]);
  expect(pieces.filter((piece) => piece.startsWith("##")).length).toBeGreaterThan(300);
});

test("the text has as many words as asked for, some of which are no piece of the vocabulary", () => {
  const pieces = vocabulary(3000);
  const words = text(128, pieces).split(" ");
  expect(words).toHaveLength(128);
  const known = new Set(pieces);
  const unknown = words.filter((word) => !known.has(word.toLowerCase().replace(/[.,]$/, "")));
  expect(unknown.length).toBeGreaterThan(16);
  expect(unknown.length).toBeLessThanOrEqual(32);
});
