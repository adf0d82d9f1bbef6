// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import type { Verdict } from "./part.ts";
import { page, verdictsTable } from "./report.ts";
import type { Results } from "./results.ts";

const results: Results = {
  conditions: {
    date: "2026-01-02",
    command: "npm run bench",
    cpu: "a processor",
    cores: 2,
    memoryGib: 8,
    kernel: "6.1",
    distribution: "a distribution",
    loadAverage: 0,
    triton: "triton 2.51.0",
    package: "triton-typescript 0.1.0",
    commit: "abc1234",
    node: "v26.10.0",
    python: "3.11",
    numpy: "1.26.4",
  },
  rounds: 5,
  windowMs: 500,
  complete: true,
  quick: false,
  figures: {},
  verdicts: [],
};

const met: Verdict = { aim: "fast", met: true, worst: "1 (here)" };
const missed: Verdict = { aim: "small", met: false, worst: "2 (there)" };

describe("the table of verdicts", () => {
  it("shows a missed aim and counts it", () => {
    const text = verdictsTable([met, missed]);
    expect(text).toContain("| small | **missed** | 2 (there) |");
    expect(text).toContain("1 of 2 aims are missed.");
  });

  it("shows an aim that nothing was measured for as missed", () => {
    const text = verdictsTable([met, { aim: "seen", met: false }]);
    expect(text).toContain("| seen | **missed** | not measured |");
    expect(text).toContain("1 of 2 aims are missed.");
  });

  it("says when all are met, and does not say so when nothing was judged", () => {
    expect(verdictsTable([met])).toContain("All aims are met.");
    expect(verdictsTable([met, missed], true)).toMatch(/not judged.*not judged.*A quick run is not judged\.$/s);
    expect(verdictsTable([])).not.toContain("aims are met");
  });
});

describe("the page", () => {
  const reading = {
    verdicts: [met],
    pictures: [{ file: "p.svg", alt: "a picture", svg: "" }],
    sections: [{ heading: "A part", text: "How.", body: "| a |" }],
  };

  it("has verdicts, pictures, conditions, sections and the notes as they are, in this order", () => {
    const text = page(results, reading, "## Notes\n\nBy hand.\n");
    const places = [
      "| fast |",
      "![a picture](images/p.svg)",
      "a processor",
      "## A part\n\nHow.",
      "## Notes\n\nBy hand.",
    ];
    const found = places.map((place) => text.indexOf(place));
    expect(found).not.toContain(-1);
    expect(found).toEqual([...found].sort((a, b) => a - b));
  });

  it("says what it is a page of, unless that is everything", () => {
    expect(page(results, reading)).not.toContain("not a run of everything");
    const part = { ...results, complete: false, figures: { idle: [], scale: {} } };
    part.conditions = { ...part.conditions, command: "npm run bench -- scale idle" };
    const text = page(part, reading);
    expect(text).toMatch(/^# Performance of idle, scale$/m);
    expect(text).toContain("not a run of everything, but `npm run bench -- scale idle`");
  });

  it("leaves no gap where there are no notes and no pictures", () => {
    expect(page(results, { ...reading, pictures: [] })).not.toContain("\n\n\n");
  });
});
