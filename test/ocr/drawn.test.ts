// SPDX-License-Identifier: Apache-2.0
import { beforeAll, describe, expect, test } from "vitest";
import { countRead, type Score, scoreDrawn, table, total } from "./drawn.ts";
import { makeReader, openNetworks } from "./pipeline.ts";

/** One of each kind: reading them all takes minutes. `node scripts/run.mjs node test/ocr/drawn.ts` does. */
const pictures = [
  "page_on_its_side",
  "receipt_short",
  "sign_dark",
  "sign_leaning",
  "sign_steep_down",
  "spine_left",
  "spine_right",
  "line_300",
  "line_400",
];

let scores: Score[];

beforeAll(async () => {
  scores = await scoreDrawn(makeReader(await openNetworks()), pictures);
}, 300_000);

describe("lines read of what was drawn", () => {
  test("are more than the reference reads", () => {
    console.log(table(scores));
    const { read, readByReference } = total(scores);
    expect(read).toBeGreaterThan(readByReference);
  });

  test.each(pictures)("%s: as many as the reference reads, or all", (picture) => {
    const score = scores.find((entry) => entry.picture === picture)!;
    expect(score.read).toBeGreaterThanOrEqual(score.readByReference);
    if (/^(page|line|spine)/.test(picture)) expect(score.read).toBe(score.drawn);
  });
});

test("a found line counts once, spaces do not count, letters do", () => {
  expect(countRead(["a b", "a b", "c"], ["ab", "C", "x"])).toBe(1);
  expect(countRead(["a b", "ab"], ["a b", "ab"])).toBe(2);
});
