// SPDX-License-Identifier: Apache-2.0
// The inputs of the work part: the same numbers, text and picture in every run.

import path from "node:path";
import sharp from "sharp";
import { packageRoot } from "../server/package_root.ts";

/** Numbers from 0 up to 1 that depend on the seed alone (mulberry32). */
export function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A photograph of the tests as a JPEG of 640 x 480 pixels, with sharp's usual quality. */
export function picture(): Promise<Buffer> {
  const source = path.join(packageRoot, "test", "pictures", "shop_sign.jpg");
  return sharp(source).resize(640, 480, { fit: "cover" }).jpeg().toBuffer();
}

/** What a classifier says of each class: most lie around zero, a few stand out. */
export function logits(classes: number): Float32Array {
  const random = randomNumbers(1);
  const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  return Float32Array.from({ length: classes }, () => normal() * 2);
}

/**
 * What a detector says before its boxes are thinned out: ten boxes around each thing that it sees, in a picture of
 * 640 x 640, with a score each. Boxes are left, top, right, bottom.
 */
export function detections(count: number): { boxes: Float32Array; scores: Float32Array } {
  const random = randomNumbers(2);
  const boxes = new Float32Array(count * 4);
  const scores = new Float32Array(count);
  const thing = { x: 0, y: 0, width: 0, height: 0 };
  for (let i = 0; i < count; i++) {
    if (i % 10 === 0) {
      Object.assign(thing, { width: 30 + random() * 120, height: 30 + random() * 120 });
      Object.assign(thing, { x: random() * (640 - thing.width), y: random() * (640 - thing.height) });
    }
    const off = (length: number) => (random() - 0.5) * 0.3 * length;
    const left = thing.x + off(thing.width);
    const top = thing.y + off(thing.height);
    const right = left + thing.width + off(thing.width);
    const bottom = top + thing.height + off(thing.height);
    boxes.set([left, top, right, bottom], i * 4);
    scores[i] = random();
  }
  return { boxes, scores };
}

const SYLLABLES = Array.from("bcdfghklmnprstvwz").flatMap((head) =>
  Array.from("aeiou").flatMap((vowel) => ["", "n", "r", "s"].map((tail) => head + vowel + tail)),
);

/** A vocabulary of word pieces in the manner of BERT's: special ones, characters, whole words, continuations. */
export function vocabulary(size: number): string[] {
  const random = randomNumbers(3);
  const pieces = new Set(["[PAD]", "[UNK]", "[CLS]", "[SEP]"]);
  for (const character of "abcdefghijklmnopqrstuvwxyz0123456789") pieces.add(character).add(`##${character}`);
  for (const character of ".,;:!?'\"()-") pieces.add(character);
  while (pieces.size < size) {
    const length = 1 + Math.floor(random() * 3);
    const syllables = Array.from({ length }, () => SYLLABLES[Math.floor(random() * SYLLABLES.length)]!);
    // One in four continues a word, as in the vocabularies that are in use.
    pieces.add((random() < 0.25 ? "##" : "") + syllables.join(""));
  }
  return [...pieces];
}

/** Text of `count` words: most are pieces of the vocabulary as they stand, every fourth is put together of two or three. */
export function text(count: number, pieces: readonly string[]): string {
  const random = randomNumbers(4);
  const whole = pieces.filter((piece) => /^[a-z]{3,}$/.test(piece));
  const endings = pieces.filter((piece) => /^##[a-z]{2,}$/.test(piece)).map((piece) => piece.slice(2));
  const pick = (list: readonly string[]) => list[Math.floor(random() * list.length)]!;
  let sentence = "";
  for (let i = 0; i < count; i++) {
    let word = pick(whole);
    if (i % 4 === 3) word += pick(endings) + (random() < 0.5 ? pick(endings) : "");
    const first = sentence === "" || sentence.endsWith(".");
    sentence += (sentence && " ") + (first ? word[0]!.toUpperCase() + word.slice(1) : word);
    if (i % 12 === 11) sentence += ".";
    else if (i % 12 === 5) sentence += ",";
  }
  return sentence;
}
