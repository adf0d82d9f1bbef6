// SPDX-License-Identifier: Apache-2.0
// Whether two readers found the same text in a picture: as much as the tests of the ensemble ask for.

import { boxDistance, editDistance } from "../test/ocr/accuracy.ts";
import type { OcrLine } from "../test/ocr/pipeline.ts";

/** Corners may be this many pixels apart. */
const MAX_PIXELS = 3;
/** Of this many letters one may differ; one of a shorter line, too. */
const LETTERS_PER_ERROR = 10;

/** What differs, one sentence each; nothing when the readers agree. */
export function disagreements(lines: readonly OcrLine[], reference: readonly OcrLine[]): string[] {
  if (lines.length !== reference.length) return [`${lines.length} lines were read, but ${reference.length} are there`];
  return lines.flatMap((line, i) => {
    const expected = reference[i]!;
    const found: string[] = [];
    if (editDistance(line.text, expected.text) > Math.ceil(expected.text.length / LETTERS_PER_ERROR)) {
      found.push(`line ${i + 1} was read as "${line.text}", but it says "${expected.text}"`);
    }
    const pixels = boxDistance(line, expected);
    if (pixels > MAX_PIXELS) found.push(`line ${i + 1} is ${pixels.toFixed(1)} pixels away from its place`);
    return found;
  });
}
