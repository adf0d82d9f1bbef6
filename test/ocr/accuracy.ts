// SPDX-License-Identifier: Apache-2.0
// How well lines were read: character accuracy against the ground truth, and agreement with another reader.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { OcrLine, ReadPicture } from "./pipeline.ts";

export const picturesFolder = join(import.meta.dirname, "..", "pictures");

/** Text that stands in each test picture, from the top. */
export type Truth = Record<
  string,
  { readonly width: number; readonly height: number; readonly lines: readonly string[] }
>;

/** What the package rapidocr-onnxruntime reads: with the networks that it brings, and with those of the ensemble. */
export interface Reference {
  readonly versions: Record<string, string>;
  readonly ownNetworks: Record<string, OcrLine[]>;
  readonly sameNetworks: Record<string, OcrLine[]>;
}

export function readTruth(): Truth {
  return JSON.parse(readFileSync(join(picturesFolder, "pictures.json"), "utf8"));
}

export function readReference(): Reference {
  return JSON.parse(readFileSync(join(import.meta.dirname, "reference.json"), "utf8"));
}

/** Names of the test pictures. */
export function pictureNames(): string[] {
  return readdirSync(picturesFolder)
    .filter((name) => /\.(jpg|png)$/.test(name))
    .sort();
}

export function readPictureFile(name: string): Uint8Array {
  return readFileSync(join(picturesFolder, name));
}

/** Least number of letters to insert, delete or replace. */
export function editDistance(a: string, b: string): number {
  const left = [...a];
  const right = [...b];
  let previous = right.map((_, j) => j + 1);
  previous.unshift(0);
  for (let i = 0; i < left.length; i++) {
    const current = [i + 1];
    for (let j = 0; j < right.length; j++) {
      const replace = previous[j]! + (left[i] === right[j] ? 0 : 1);
      current.push(Math.min(replace, previous[j + 1]! + 1, current[j]! + 1));
    }
    previous = current;
  }
  return previous[right.length]!;
}

export interface Accuracy {
  /** Letters of the ground truth. */
  readonly letters: number;
  readonly errors: number;
}

/** Accuracy of lines against the truth; spaces count as letters. Lines are compared in reading order. */
export function accuracyOf(lines: readonly OcrLine[], truth: readonly string[]): Accuracy {
  const wanted = truth.join("\n");
  return { letters: wanted.length, errors: editDistance(lines.map((line) => line.text).join("\n"), wanted) };
}

/** Share of letters read right, in percent, over several pictures. */
export function percent(parts: readonly Accuracy[]): number {
  const letters = parts.reduce((sum, part) => sum + part.letters, 0);
  const errors = parts.reduce((sum, part) => sum + part.errors, 0);
  return letters === 0 ? 100 : (100 * (letters - errors)) / letters;
}

/** Greatest distance between the corners of two boxes, in pixels. */
export function boxDistance(a: OcrLine, b: OcrLine): number {
  return Math.max(...a.box.map(([x, y], i) => Math.hypot(x - b.box[i]![0], y - b.box[i]![1])));
}

/** Corners may be this many pixels apart. */
const MAX_PIXELS = 3;
/** Of this many letters one may differ; one of a shorter line, too. */
const LETTERS_PER_ERROR = 10;

/** What differs between two readers, one sentence each; nothing when they agree as much as the ensemble's tests ask for. */
export function disagreements(lines: readonly OcrLine[], reference: readonly OcrLine[]): string[] {
  if (lines.length !== reference.length) return [`${lines.length} lines were read, but ${reference.length} are there`];
  return lines.flatMap((line, i) => {
    const expected = reference[i]!;
    const misread = editDistance(line.text, expected.text) > Math.ceil(expected.text.length / LETTERS_PER_ERROR);
    const pixels = boxDistance(line, expected);
    return [
      ...(misread ? [`line ${i + 1} was read as "${line.text}", but it says "${expected.text}"`] : []),
      ...(pixels > MAX_PIXELS ? [`line ${i + 1} is ${pixels.toFixed(1)} pixels away from its place`] : []),
    ];
  });
}

export interface Comparison {
  readonly picture: string;
  readonly truth: readonly string[];
  readonly lines: readonly OcrLine[];
  readonly reference: readonly OcrLine[];
  readonly accuracy: Accuracy;
  readonly referenceAccuracy: Accuracy;
}

/**
 * Reads every test picture and sets the result beside the reference. `read` may be the pipeline of this process or a
 * client that sends the bytes to a server and gives back its lines.
 */
export async function compareAll(
  read: ReadPicture,
  pictures: readonly string[] = pictureNames(),
): Promise<Comparison[]> {
  const truth = readTruth();
  const reference = readReference().sameNetworks;
  const comparisons: Comparison[] = [];
  for (const picture of pictures) {
    const lines = await read(readPictureFile(picture));
    const expected = reference[picture]!;
    comparisons.push({
      picture,
      truth: truth[picture]!.lines,
      lines,
      reference: expected,
      accuracy: accuracyOf(lines, truth[picture]!.lines),
      referenceAccuracy: accuracyOf(expected, truth[picture]!.lines),
    });
  }
  return comparisons;
}
