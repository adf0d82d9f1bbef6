// SPDX-License-Identifier: Apache-2.0
// What a run gives: where it was taken, the figures of each part, and the verdicts on them.

import type { Conditions } from "./conditions.ts";
import type { Part, Picture, Section, Verdict } from "./part.ts";

export interface Results {
  conditions: Conditions;
  /** How the cells were measured. */
  rounds: number;
  windowMs: number;
  /** Everything was measured, and often enough to speak for the project. */
  complete: boolean;
  /** One short round that shows that everything works: its figures are not judged. */
  quick: boolean;
  /** By name of the part; only those that were measured. */
  figures: Record<string, unknown>;
  verdicts: Verdict[];
}

/** Everything that the parts have to say about `figures`, in the order of the parts. */
export interface Reading {
  sections: Section[];
  pictures: Picture[];
  verdicts: Verdict[];
}

/** In a complete run an aim that nothing was measured for is missed; in any other one it is nobody's concern. */
export function read(
  parts: readonly Part<unknown>[],
  figures: Readonly<Record<string, unknown>>,
  complete: boolean,
): Reading {
  const measured = parts.filter((part) => part.name in figures);
  const verdicts = measured.flatMap((part) => part.verdicts(figures[part.name]));
  return {
    sections: measured.flatMap((part) => part.sections(figures[part.name])),
    pictures: measured.flatMap((part) => part.pictures?.(figures[part.name]) ?? []),
    verdicts: verdicts.filter(({ worst }) => complete || worst !== undefined),
  };
}
