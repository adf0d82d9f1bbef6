// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import type { Part } from "./part.ts";
import { read } from "./results.ts";

/** A part that shows its figures as they are. */
function fakePart(name: string, pictures: boolean): Part<number> {
  const part: Part<number> = {
    name,
    about: "",
    measure: () => Promise.resolve(0),
    sections: (figures) => [{ heading: name, text: "", body: String(figures) }],
    verdicts: (figures) => [{ aim: name, met: figures > 1, worst: String(figures) }],
  };
  if (pictures) part.pictures = (figures) => [{ file: `${name}.svg`, alt: name, svg: String(figures) }];
  return part;
}

describe("reading the figures of a run", () => {
  const parts: Part<unknown>[] = [fakePart("one", true), fakePart("two", false), fakePart("three", true)];

  it("asks each part about its own figures, in the order of the parts", () => {
    const { sections, pictures, verdicts } = read(parts, { three: 3, two: 2, one: 1 });
    expect(sections.map((section) => section.body)).toEqual(["1", "2", "3"]);
    expect(pictures.map((picture) => picture.file)).toEqual(["one.svg", "three.svg"]);
    expect(verdicts.map((verdict) => verdict.met)).toEqual([false, true, true]);
  });

  it("leaves out what was not measured", () => {
    const { sections, pictures, verdicts } = read(parts, { two: 2 });
    expect([sections.length, pictures.length, verdicts.length]).toEqual([1, 0, 1]);
  });
});
