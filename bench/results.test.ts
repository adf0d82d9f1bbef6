// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import type { Part } from "./part.ts";
import { read } from "./results.ts";
import { verdict } from "./verdict.ts";

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
    const { sections, pictures, verdicts } = read(parts, { three: 3, two: 2, one: 1 }, true);
    expect(sections.map((section) => section.body)).toEqual(["1", "2", "3"]);
    expect(pictures.map((picture) => picture.file)).toEqual(["one.svg", "three.svg"]);
    expect(verdicts.map((verdict) => verdict.met)).toEqual([false, true, true]);
  });

  it("leaves out what was not measured", () => {
    const { sections, pictures, verdicts } = read(parts, { two: 2 }, false);
    expect([sections.length, pictures.length, verdicts.length]).toEqual([1, 0, 1]);
  });

  it("leaves out an aim that nothing was measured for, but not in a complete run, where it is missed", () => {
    const empty: Part<unknown> = { ...fakePart("empty", false), verdicts: () => [verdict("seen", [], { atMost: 1 })] };
    expect(read([empty], { empty: 1 }, false).verdicts).toEqual([]);
    expect(read([empty], { empty: 1 }, true).verdicts).toEqual([{ aim: "seen", met: false }]);
  });
});
