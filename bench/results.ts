// SPDX-License-Identifier: Apache-2.0
// What a run gives, the aims it is held against, and which of them it missed.

import type { Conditions } from "./conditions.ts";
import { aboveFloor, type Cell, throughputOver } from "./identity.ts";
import { type FlatnessFigures, growthKib, type InstanceFigures } from "./instance.ts";
import { figure } from "./numbers.ts";
import { SUBJECTS, type SubjectName } from "./subjects.ts";

export interface Results {
  conditions: Conditions;
  /** How the cells were measured. */
  rounds: number;
  windowMs: number;
  subjects: SubjectName[];
  identity?: Cell[];
  instance?: InstanceFigures[];
  flatness?: FlatnessFigures[];
}

export const AIMS = {
  /** Backend time above the floor, as a share of python_backend's. */
  aboveFloor: 0.5,
  /** Throughput at concurrency 8, as a multiple of python_backend's. */
  throughput: 1.5,
  throughputConcurrency: 8,
  idleMb: 80,
  loadMs: 1000,
  /** What server and stub may gain between the first reading and the last and still be called flat. */
  growthMib: 8,
} as const;

export interface Verdict {
  aim: string;
  met: boolean;
  /** The worst figure and where it was taken. */
  worst: string;
}

/**
 * The aims speak of the counterpart of the numpy identity, which hands its input on. The model with allocateOutput copies
 * once itself, which none of the others does: it is shown, and not judged.
 */
const OURS: readonly SubjectName[] = ["typescript"];

interface Finding {
  value: number;
  place: string;
}

/** `worse` orders two values; undefined when nothing was measured. */
function verdict(
  aim: string,
  findings: readonly Finding[],
  worse: "higher" | "lower",
  limit: number,
  unit = "",
): Verdict | undefined {
  const ordered = [...findings].sort((a, b) => (worse === "higher" ? b.value - a.value : a.value - b.value));
  const worst = ordered[0];
  if (!worst) return undefined;
  const met = worse === "higher" ? worst.value <= limit : worst.value >= limit;
  return { aim, met, worst: `${figure(worst.value)}${unit} (${worst.place})` };
}

function cellFindings(cells: readonly Cell[], value: (cell: Cell, name: SubjectName) => number | undefined): Finding[] {
  return cells.flatMap((cell) =>
    OURS.flatMap((name) => {
      const found = value(cell, name);
      const place = `${cell.size.label} x ${cell.concurrency}, ${SUBJECTS[name].title}`;
      return found === undefined ? [] : [{ value: found, place }];
    }),
  );
}

/** Each aim that this run can say something about, with the median of its worst cell. */
export function verdicts(results: Results): Verdict[] {
  const cells = results.identity ?? [];
  const busy = cells.filter((cell) => cell.concurrency === AIMS.throughputConcurrency);
  const instances = (results.instance ?? []).filter((entry) => OURS.includes(entry.subject));
  const flat = (results.flatness ?? []).filter((entry) => OURS.includes(entry.subject));
  const place = (entry: { subject: SubjectName }) => SUBJECTS[entry.subject].title;
  return [
    verdict(
      `backend time above the floor at most ${AIMS.aboveFloor} of python_backend's, in every cell`,
      cellFindings(cells, (cell, name) => aboveFloor(cell, name)?.median),
      "higher",
      AIMS.aboveFloor,
    ),
    verdict(
      `throughput at concurrency ${AIMS.throughputConcurrency} at least ${AIMS.throughput} times python_backend's, in every cell`,
      cellFindings(busy, (cell, name) => throughputOver(cell, name, "python")?.median),
      "lower",
      AIMS.throughput,
    ),
    verdict(
      `an idle instance at most ${AIMS.idleMb} MB resident`,
      instances.map((entry) => ({ value: (entry.idle.rssKib * 1024) / 1e6, place: place(entry) })),
      "higher",
      AIMS.idleMb,
      " MB",
    ),
    verdict(
      `a model loads in at most ${AIMS.loadMs / 1000} s`,
      instances.map((entry) => ({ value: entry.loadMs.median, place: place(entry) })),
      "higher",
      AIMS.loadMs,
      " ms",
    ),
    verdict(
      `memory flat over the requests: at most ${AIMS.growthMib} MiB gained`,
      flat.map((entry) => ({ value: growthKib(entry) / 1024, place: place(entry) })),
      "higher",
      AIMS.growthMib,
      " MiB",
    ),
  ].filter((entry) => entry !== undefined);
}
