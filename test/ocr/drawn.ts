// SPDX-License-Identifier: Apache-2.0
// Lines read of what was drawn: the pictures of `drawn/`, beside the reference.
//   node scripts/run.mjs node test/ocr/drawn.ts [NAME...]    prints a row for each picture

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { makeReader, openNetworks, type ReadPicture } from "./pipeline.ts";

const folder = join(import.meta.dirname, "drawn");

interface Drawn {
  readonly lines: readonly string[];
  /** What the reference pipeline reads. */
  readonly reference: readonly string[];
}

export interface Score {
  readonly picture: string;
  /** Lines that were drawn. */
  readonly drawn: number;
  /** Those that were read letter by letter; spaces, which the network often leaves out, do not count. */
  readonly read: number;
  readonly readByReference: number;
}

export function readDrawn(): Readonly<Record<string, Drawn>> {
  return JSON.parse(readFileSync(join(folder, "drawn.json"), "utf8"));
}

/** Reads pictures and counts the lines. */
export async function scoreDrawn(read: ReadPicture, wanted?: readonly string[]): Promise<Score[]> {
  const scores: Score[] = [];
  for (const [picture, { lines, reference }] of Object.entries(readDrawn())) {
    if (wanted !== undefined && !wanted.includes(picture)) continue;
    const found = await read(readFileSync(join(folder, `${picture}.png`)));
    scores.push({
      picture,
      drawn: lines.length,
      read: countRead(
        lines,
        found.map(({ text }) => text),
      ),
      readByReference: countRead(lines, reference),
    });
  }
  return scores;
}

/** How many of the drawn lines are among the found ones; each found line counts once. */
export function countRead(drawn: readonly string[], found: readonly string[]): number {
  const bare = (text: string) => text.replaceAll(" ", "");
  const left = found.map(bare);
  return drawn.filter((line) => {
    const at = left.indexOf(bare(line));
    if (at >= 0) left.splice(at, 1);
    return at >= 0;
  }).length;
}

export function total(scores: readonly Score[]): Omit<Score, "picture"> {
  const sum = (key: "drawn" | "read" | "readByReference") => scores.reduce((all, score) => all + score[key], 0);
  return { drawn: sum("drawn"), read: sum("read"), readByReference: sum("readByReference") };
}

/** A table of scores, with their sum. */
export function table(scores: readonly Score[]): string {
  return [...scores, { picture: "all", ...total(scores) }]
    .map(
      (s) =>
        `${s.picture.padEnd(24)} ${[s.drawn, s.read, s.readByReference].map((n) => String(n).padStart(5)).join("")}`,
    )
    .join("\n");
}

if (process.argv[1] === import.meta.filename) {
  const names = process.argv.slice(2);
  const scores = await scoreDrawn(makeReader(await openNetworks()), names.length > 0 ? names : undefined);
  console.log(`${"picture".padEnd(24)} drawn read reference\n${table(scores)}`);
}
