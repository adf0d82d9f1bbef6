// SPDX-License-Identifier: Apache-2.0
// Scores of the recognition network to text (connectionist temporal classification, best path).

/** Scores of one batch: for each row, for each step along the line, one score for each letter. */
export interface Scores {
  readonly data: Float32Array;
  readonly steps: number;
  readonly letters: number;
}

export interface Line {
  readonly text: string;
  /** Mean score of the letters, 0 where there is none. */
  readonly confidence: number;
}

/**
 * The alphabet from the content of a character list (one letter a line): in front of it the blank, which stands for
 * "no letter here", and after it the space.
 */
export function alphabetFrom(list: string): string[] {
  const letters = list.split("\n").map((line) => line.replace(/\r$/, ""));
  if (letters.at(-1) === "") letters.pop();
  return ["", ...letters, " "];
}

/** Reads one row: the best letter of each step; repetitions and blanks drop out. */
export function readLine(scores: Scores, row: number, alphabet: readonly string[]): Line {
  const { data, steps, letters } = scores;
  let text = "";
  let sum = 0;
  let count = 0;
  let previous = 0;
  for (let step = 0, start = row * steps * letters; step < steps; step++, start += letters) {
    const best = bestOf(data, start, letters);
    if (best !== 0 && best !== previous) {
      text += alphabet[best] ?? "";
      sum += data[start + best]!;
      count++;
    }
    previous = best;
  }
  return { text, confidence: count === 0 ? 0 : sum / count };
}

function bestOf(data: Float32Array, start: number, length: number): number {
  let best = 0;
  let bestScore = data[start]!;
  // Most steps are sure of one letter. Scores add up to one, so nothing can beat a score above one half.
  for (let i = 1; i < length && bestScore <= 0.5; i++) {
    const score = data[start + i]!;
    if (score > bestScore) {
      bestScore = score;
      best = i;
    }
  }
  return best;
}

/** A line of the result with the number of its box. */
export interface FoundLine extends Line {
  readonly box: number;
}

/** Lines whose confidence is at least `minConfidence`, in the order of their boxes. `rows` is [crops, 2]. */
export function readLines(
  batches: readonly [Scores, Scores],
  rows: Int32Array,
  alphabet: readonly string[],
  minConfidence: number,
): FoundLine[] {
  const lines: FoundLine[] = [];
  for (let box = 0; box < rows.length / 2; box++) {
    const batch = batches[rows[box * 2]!];
    if (batch === undefined) continue;
    const line = readLine(batch, rows[box * 2 + 1]!, alphabet);
    if (line.confidence >= minConfidence) lines.push({ ...line, box });
  }
  return lines;
}
