// SPDX-License-Identifier: Apache-2.0
import { beforeAll, describe, expect, test } from "vitest";
import {
  accuracyOf,
  type Comparison,
  compareAll,
  disagreements,
  percent,
  pictureNames,
  readReference,
} from "./accuracy.ts";
import { makeReader, openNetworks } from "./pipeline.ts";

let comparisons: Comparison[];

beforeAll(async () => {
  comparisons = await compareAll(makeReader(await openNetworks()));
}, 300_000);

const byName = (picture: string) => comparisons.find((entry) => entry.picture === picture)!;

describe("the pipeline against the reference", () => {
  test("character accuracy is within one point, over all pictures and in each", () => {
    const ours = percent(comparisons.map((entry) => entry.accuracy));
    const theirs = percent(comparisons.map((entry) => entry.referenceAccuracy));
    console.log(`character accuracy: ${ours.toFixed(2)} %, reference: ${theirs.toFixed(2)} %`);
    expect(ours).toBeGreaterThanOrEqual(theirs - 1);
    for (const { picture, accuracy, referenceAccuracy } of comparisons) {
      expect(percent([accuracy]), picture).toBeGreaterThanOrEqual(percent([referenceAccuracy]) - 1);
    }
  });

  test("the reference with its own export of the networks is no better either", () => {
    const ours = percent(comparisons.map((entry) => entry.accuracy));
    const own = readReference().ownNetworks;
    const theirs = percent(comparisons.map((entry) => accuracyOf(own[entry.picture]!, entry.truth)));
    expect(ours).toBeGreaterThanOrEqual(theirs - 1);
  });

  test.each(pictureNames())("%s: the same lines in the same order at the same places", (picture) => {
    const { lines, reference } = byName(picture);
    expect(disagreements(lines, reference)).toEqual([]);
    for (const [i, line] of lines.entries()) {
      expect(line.confidence).toBeGreaterThan(reference[i]!.confidence - 0.1);
    }
  });
});

describe("pictures", () => {
  test.each(["stop_sign.jpg", "stop_sign_far.jpg", "stop_sign_night.jpg"])("%s says STOP", (picture) => {
    expect(byName(picture).lines.map((line) => line.text)).toEqual(["STOP"]);
  });

  test("a picture without text gives no line", () => {
    expect(byName("empty.jpg").lines).toEqual([]);
  });
});
